"""The views on labels and a judge's errors: which label applies to which verdict."""

from datetime import UTC, datetime, timedelta

import pytest

from locomo_assets.history.maintenance import prune
from locomo_assets_tests.history.factories import (
    QueriedHistory,
    answer,
    commit,
    commit_answers,
    commit_dataset,
    commit_verdicts,
    label,
    lineage,
)

LABELS = lineage("judge_labels", None, None)
RATES = (
    "SELECT judge, source, right_accepted, wrong_accepted, n FROM judge_error_rates ORDER BY ALL"
)


@pytest.fixture
def history(history: QueriedHistory) -> QueriedHistory:
    """Ten answers, the first five judged correct, the others wrong."""
    commit_dataset(history.store)
    commit_answers(history.store, lineage("answers"))
    verdicts = ["correct"] * 5 + ["wrong"] * 4 + ["unscored"]
    commit_verdicts(history.store, lineage("judgements"), verdicts)
    return history


def test_rates_counted_by_hand(history: QueriedHistory) -> None:
    # Question 4 and 9 are of category 5, which is not in the score.
    said = ["right", "right", "wrong", "right", "wrong", "wrong", "right", "wrong", "wrong"]
    rows = [label(n, one) for n, one in enumerate(said)]
    commit(history.store, LABELS, {"judge_labels": rows})
    assert history.rows(RATES) == [("lexical", "labels", 3 / 4, 1 / 4, 8)]
    assert history.rows("SELECT count(*) FROM labelled_verdicts WHERE judge = 'lexical'") == [(9,)]


def test_only_the_same_answer_to_the_same_question_matches(history: QueriedHistory) -> None:
    rows = [
        label(0, "right", answer="  answer a\n0 "),  # white space does not matter
        label(1, "right", answer="Answer a 1"),
        label(2, "right", answer="answer a 1"),
        label(3, "right", conversation="conv-2"),
        label(9, "right"),  # judged, but unscored
    ]
    commit(history.store, LABELS, {"judge_labels": rows})
    assert history.rows(
        "SELECT question_index, judge FROM labelled_verdicts ORDER BY question_index"
    ) == [(0, "lexical"), (1, None), (2, None), (3, None), (9, None)]


def test_another_data_set_does_not_match(history: QueriedHistory) -> None:
    other = lineage("judge_labels", None, None, dataset_sha256="e" * 64)
    commit(history.store, other, {"judge_labels": [label(0, "right")]})
    assert history.rows(RATES) == []


def test_newest_label_and_newest_verdict_count_once(history: QueriedHistory) -> None:
    commit(history.store, LABELS, {"judge_labels": [label(0, "right"), label(5, "wrong")]})
    commit(history.store, LABELS, {"judge_labels": [label(0, "wrong", labelled_by="Ben")]})
    # The same words in another release, judged anew: it is no second answer.
    same = {"answers": [answer(n, "b", answer=f"answer a {n}") for n in range(10)]}
    commit(history.store, lineage("answers", "r2"), same)
    commit_verdicts(history.store, lineage("judgements", "r2"), ["wrong"] * 10, mark="b")
    assert history.rows(RATES) == [("lexical", "labels", None, 0.0, 2)]
    assert history.rows(
        "SELECT question_index, label, labelled_by FROM labelled_verdicts ORDER BY ALL"
    ) == [(0, "wrong", "Ben"), (5, "wrong", "Ann")]


def test_canaries_are_counted_by_release(history: QueriedHistory) -> None:
    for release, verdict in (("r1", "correct"), ("r2", "wrong")):
        rows = [
            {"canary_id": f"{kind}-{n}", "kind": kind, "judge": "lexical", "verdict": verdict}
            for kind in ("right", "wrong", "vague")
            for n in range(3)
        ]
        rows.append({**rows[0], "canary_id": "right-9", "verdict": "unscored"})
        who = lineage("judge_canaries", release, conversation=None)
        commit(history.store, who, {"canary_verdicts": rows})
    assert history.rows(
        "SELECT release, right_accepted, wrong_accepted, right_n, wrong_n FROM judge_error_rates "
        "WHERE source = 'canaries' ORDER BY release"
    ) == [("r1", 1.0, 1.0, 3, 3), ("r2", 0.0, 0.0, 3, 3)]


def test_pruning_keeps_labels(history: QueriedHistory) -> None:
    commit(history.store, LABELS, {"judge_labels": [label(0, "right")]})
    commit(history.store, LABELS, {"judge_labels": [label(1, "right")]})
    later = datetime.now(UTC) + timedelta(days=90)
    history.rows("SELECT 1")
    prune(history.store, history.path, keep_days=1, dry_run=False, now=later)
    assert history.rows("SELECT count(*) FROM judge_labels") == [(2,)]
