"""Audits kept in the history, and answers judged on their gold answers, on a real stand-in."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from locomo_assets.history.database import query, refresh
from locomo_assets.history.store import HistoryStore
from locomo_assets.judging.judge import JudgeIdentity, Judgement
from locomo_assets.judging.lexical import LexicalJudge
from locomo_assets.locomo.model import AuditError
from locomo_assets.runs.answer import answer_questions
from locomo_assets.runs.context import RunContext, Task
from locomo_assets.runs.datasets import keep_audit, store_dataset
from locomo_assets.runs.ingest import ingest_conversation
from locomo_assets.runs.judge import judge_answers
from locomo_assets.standin.server import BaseUrls, running_standin
from locomo_assets.standin.settings import StandinSettings
from locomo_assets_tests.locomo.factories import CORRECTED, write_audit
from locomo_assets_tests.runs.contexts import at_bench
from locomo_assets_tests.runs.fixtures import DATASET

FAULTS = [(0, 0), (0, 2), (1, 1)]
FIRST = DATASET.conversations[0]
ORDER = Task("r1", FIRST.conversation, questions=6)


@pytest.fixture
def store(tmp_path: Path) -> HistoryStore:
    return HistoryStore.open((tmp_path / "history").as_uri())


@pytest.fixture
def path(tmp_path: Path) -> str:
    return write_audit(tmp_path / "audit.json", DATASET, {place: {} for place in FAULTS})


def test_it_is_stored_once_with_its_hash(store: HistoryStore, path: str) -> None:
    sha256 = keep_audit(store, path, None, DATASET, "run-1")
    assert keep_audit(store, path, sha256, DATASET, "run-2") == sha256
    store_dataset(store, DATASET, "run-3")
    assert keep_audit(store, path, None) == sha256
    (manifest,) = store.manifests(asset="gold_audit")
    assert manifest.lineage.dataset_sha256 == DATASET.sha256
    rows = store.read("gold_faults", [manifest]).to_pylist()
    assert {row["audit_sha256"] for row in rows} == {sha256}
    places = [(row["conversation"], row["question_index"]) for row in rows]
    assert places == [(DATASET.conversations[i].conversation, q) for i, q in FAULTS]


def test_what_the_history_has_under_a_hash_is_not_read_again(
    store: HistoryStore, path: str
) -> None:
    sha256 = keep_audit(store, path, None, DATASET)
    url = "http://127.0.0.1:9/audit.json"
    assert keep_audit(store, url, sha256.upper()) == sha256
    assert keep_audit(store, url, sha256, DATASET) == sha256
    with pytest.raises(AuditError, match="could not be fetched"):
        keep_audit(store, url, sha256, replace(DATASET, sha256="0" * 64))


def test_it_is_held_against_the_data_sets_of_the_history(store: HistoryStore, path: str) -> None:
    store_dataset(store, DATASET, "run-0")
    # Another data set beside it, which it does not fit, as the sample may be.
    turned = replace(DATASET, sha256="f" * 64, conversations=DATASET.conversations[::-1])
    store_dataset(store, turned, "run-0")
    keep_audit(store, path, None)
    (manifest,) = store.manifests(asset="gold_audit")
    assert manifest.lineage.dataset_sha256 == DATASET.sha256


def test_one_that_fits_nothing_leaves_nothing(store: HistoryStore, tmp_path: Path) -> None:
    store_dataset(store, DATASET, "run-0")
    bad = {(0, 0): {}, (0, 2): {"question": "Why?"}}
    path = write_audit(tmp_path / "bad.json", DATASET, bad)
    for dataset in (None, DATASET):
        with pytest.raises(AuditError, match="'locomo_0_qa2': its question is 'Why\\?'"):
            keep_audit(store, path, None, dataset)
    assert store.manifests(asset="gold_audit") == []


class _PaidJudge(LexicalJudge):
    def __init__(self) -> None:
        super().__init__()
        self.asked: list[tuple[str, str]] = []

    @property
    def identity(self) -> JudgeIdentity:
        return JudgeIdentity(name="paid/generous@1", system="openai", model="paid")

    async def judge(self, question: str, gold_answer: str, answer: str, category: int) -> Judgement:
        self.asked.append((question, gold_answer))
        return await super().judge(question, gold_answer, answer, category)


@pytest.fixture(scope="module")
def urls(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BaseUrls]:
    path = tmp_path_factory.mktemp("standin") / "served.sqlite"
    with running_standin(StandinSettings(), path) as served:
        yield served


async def _asked(run: RunContext, audit_sha256: str | None, task: Task = ORDER) -> list[str]:
    """The gold answers of the verdicts that had to be paid for."""
    run.judge = judge = _PaidJudge()
    run.audit_sha256 = audit_sha256
    report = await judge_answers(run, task)
    assert report.verdicts == 6
    return [gold for _, gold in judge.asked]


async def test_only_corrected_questions_are_paid_for_again(
    store: HistoryStore, urls: BaseUrls, path: str, tmp_path: Path
) -> None:
    store_dataset(store, DATASET, "run-0")
    sha256 = keep_audit(store, path, None)
    async with at_bench(store, urls, "run-1") as run:
        await ingest_conversation(run, ORDER)
        await answer_questions(run, ORDER)
        published = await _asked(run, None)
        assert len(published) == 6
        assert CORRECTED not in published
        assert await _asked(run, sha256) == [CORRECTED, CORRECTED]
        # Neither variant takes the other's verdicts for its own, and each has all of its.
        assert await _asked(run, None) == await _asked(run, sha256) == []
    refresh(store, tmp_path / "database.duckdb")
    series = query(
        tmp_path / "database.duckdb",
        "SELECT judge, gold, audit_sha256, count(*), count_if(gold_answer = 'something else "
        "altogether') FROM current_judgements GROUP BY ALL ORDER BY ALL",
    )[1]
    name = f"paid/generous@1, gold corrected@{sha256[:8]}"
    assert series == [
        ("paid/generous@1", "published", None, 6, 0),
        (name, "corrected", sha256, 6, 2),
    ]


async def test_an_audit_that_was_not_stored_for_the_data_set_judges_nothing(
    store: HistoryStore, urls: BaseUrls
) -> None:
    store_dataset(store, DATASET, "run-0")
    async with at_bench(store, urls, "run-1") as run:
        await ingest_conversation(run, ORDER)
        await answer_questions(run, ORDER)
        with pytest.raises(AuditError, match="does not fit data set"):
            await _asked(run, "c" * 64)
