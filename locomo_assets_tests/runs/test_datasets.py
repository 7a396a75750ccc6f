"""What is stored of a data set, and when it is stored again."""

from dataclasses import replace
from pathlib import Path

from locomo_assets.history.store import HistoryStore
from locomo_assets.locomo.model import Dataset
from locomo_assets.runs.context import stored_conversation
from locomo_assets.runs.datasets import keep_audit, store_dataset
from locomo_assets_tests.locomo.factories import write_audit
from locomo_assets_tests.runs.fixtures import DATASET


def _with_traps_as_gold(dataset: Dataset) -> Dataset:
    """As a program without the rule for traps read a file that has them under `answer`."""
    return replace(
        dataset,
        conversations=tuple(
            replace(
                one,
                questions=tuple(
                    replace(q, gold_answer=q.adversarial_answer, adversarial_answer=None)
                    if q.category == 5
                    else q
                    for q in one.questions
                ),
            )
            for one in dataset.conversations
        ),
    )


def test_what_is_read_otherwise_today_is_stored_again_and_the_rest_is_not(tmp_path: Path) -> None:
    store = HistoryStore.open((tmp_path / "history").as_uri())
    assert store_dataset(store, _with_traps_as_gold(DATASET), "run-1") == 2
    assert store_dataset(store, DATASET, "run-2") == 2
    assert store_dataset(store, DATASET, "run-3") == 0
    for conversation in DATASET.conversations:
        stored, sha256 = stored_conversation(store, conversation.conversation)
        assert (stored, sha256) == (conversation, DATASET.sha256)
    # What is held against the history's data sets is held against what was stored last.
    path = write_audit(tmp_path / "audit.json", DATASET, {(0, 0): {}})
    keep_audit(store, path, None)
