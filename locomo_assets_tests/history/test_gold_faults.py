"""The views on accuracy and faulty gold answers, against numbers counted by hand."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from statsmodels.stats.proportion import proportion_confint

from locomo_assets.history.maintenance import prune
from locomo_assets.history.store import HistoryStore
from locomo_assets_tests.history.factories import (
    CATEGORIES,
    DATASET,
    QueriedHistory,
    commit,
    commit_answers,
    commit_dataset,
    commit_verdicts,
    judgement,
    lineage,
)

AUDIT, OTHER = "a" * 64, "b" * 64
# The categories cycle, so questions 0 to 9 are of 1, 2, 3, 4, 5, 1, 2, 3, 4, 5.
VERDICTS = ["correct", "wrong", "correct", "correct", "correct", "correct", "wrong", "unscored",
            "wrong", "correct"]  # fmt: skip


def commit_audit(
    store: HistoryStore, faulty: Sequence[int], sha256: str = AUDIT, **columns: Any
) -> None:
    rows = [
        {
            "conversation": "conv-1",
            "question_index": index,
            "category": CATEGORIES[index % 5],
            "error_type": "HALLUCINATION",
            "corrupts_score": True,
            "correct_answer": f"better {index}",
            "audit_sha256": sha256,
            **columns,
        }
        for index in faulty
    ]
    who = replace(lineage("gold_audit", None, None), system=None)
    commit(store, who, {"gold_faults": rows})


@pytest.fixture
def history(history: QueriedHistory) -> QueriedHistory:
    """A history with verdicts on a known data set."""
    commit_dataset(history.store)
    commit_answers(history.store, lineage("answers"))
    commit_verdicts(history.store, lineage("judgements"), VERDICTS)
    return history


THREE = (
    "SELECT category, correct, scored, correct_without_faults, scored_without_faults, ceiling "
    "FROM accuracy_and_gold_faults "
)


def test_three_scores_counted_by_hand(history: QueriedHistory) -> None:
    # 1 is wrong, 3 and 5 are correct, 7 has no verdict, 9 is of category 5: not in the score.
    commit_audit(history.store, [1, 3, 5, 7, 9])
    assert history.rows(THREE + "WHERE category IS NULL") == [
        (None, 4, 7, 2, 4, pytest.approx(4 / 7))
    ]
    assert history.rows(THREE + "WHERE category IS NOT NULL ORDER BY category") == [
        (1, 2, 2, 1, 1, 0.5),
        (2, 0, 2, 0, 1, 0.5),
        (3, 1, 1, 1, 1, 1.0),
        (4, 1, 2, 0, 1, 0.5),
        (5, 2, 2, 1, 1, 0.5),
    ]
    # Of 1, 3 and 5, which have a faulty gold answer and count in the score, two are marked right.
    assert history.rows(
        "SELECT faulty_given, faulty_correct, faulty_correct_share FROM accuracy_and_gold_faults "
        "WHERE category IS NULL"
    ) == [(3, 2, pytest.approx(2 / 3))]
    ((accuracy, low, high),) = history.rows(
        "SELECT accuracy_without_faults, without_faults_low, without_faults_high "
        "FROM accuracy_and_gold_faults WHERE category IS NULL"
    )
    assert accuracy == 0.5
    assert (low, high) == pytest.approx(proportion_confint(2, 4, method="wilson"))


def test_a_wrong_citation_changes_no_score(history: QueriedHistory) -> None:
    commit_audit(history.store, [1, 3], corrupts_score=False)
    assert history.rows(THREE + "WHERE category IS NULL") == [(None, 4, 7, 4, 7, 1.0)]


def test_without_an_audit_there_are_no_rows(history: QueriedHistory) -> None:
    assert history.rows("FROM accuracy_and_gold_faults") == []


def test_the_audit_of_another_data_set_says_nothing_of_this_one(history: QueriedHistory) -> None:
    who = replace(lineage("gold_audit", None, None, dataset_sha256="e" * 64), system=None)
    fault = {"conversation": "conv-1", "question_index": 1, "corrupts_score": True}
    commit(history.store, who, {"gold_faults": [{**fault, "audit_sha256": AUDIT}]})
    assert history.rows("FROM accuracy_and_gold_faults") == []


def test_each_audit_has_its_rows_and_the_newest_is_marked(history: QueriedHistory) -> None:
    commit_audit(history.store, [1])
    commit_audit(history.store, [1])  # the same once more
    commit_audit(history.store, [1, 3], OTHER)
    assert history.rows(
        "SELECT audit_sha256[1], faulty_scored, is_newest_audit FROM accuracy_and_gold_faults "
        "WHERE category IS NULL ORDER BY ALL"
    ) == [("a", 1, False), ("b", 2, True)]
    assert history.rows(
        "SELECT audit_sha256[1], count(*) FROM current_gold_faults GROUP BY ALL ORDER BY ALL"
    ) == [("a", 1), ("b", 2)]


def test_verdicts_on_corrected_answers_are_a_series_that_can_reach_all(
    history: QueriedHistory,
) -> None:
    commit_audit(history.store, [1, 3])
    commit_audit(history.store, [5], OTHER)
    said = [
        judgement(
            index,
            "correct",
            judge="lexical, gold corrected@aaaaaaaa",
            audit_sha256=AUDIT,
            corrected_gold_answer=f"better {index}" if index in (1, 3) else None,
        )
        for index in range(10)
    ]
    commit(history.store, lineage("judgements"), {"judgements": said})
    assert history.rows(
        "SELECT judge, audit_sha256[1], ceiling FROM accuracy_and_gold_faults "
        "WHERE category IS NULL ORDER BY ALL"
    ) == [
        ("lexical", "a", pytest.approx(5 / 7)),
        ("lexical", "b", pytest.approx(6 / 7)),
        ("lexical, gold corrected@aaaaaaaa", "a", 1.0),
        ("lexical, gold corrected@aaaaaaaa", "b", pytest.approx(7 / 8)),
    ]
    assert history.rows(
        "SELECT judge, gold, gold_answer FROM current_judgements WHERE question_index IN (1, 2) "
        "ORDER BY judge, question_index"
    ) == [
        ("lexical", "published", "gold 1"),
        ("lexical", "published", "gold 2"),
        ("lexical, gold corrected@aaaaaaaa", "corrected", "better 1"),
        ("lexical, gold corrected@aaaaaaaa", "corrected", "gold 2"),
    ]


def test_pruning_keeps_every_audit(history: QueriedHistory) -> None:
    commit_audit(history.store, [1])
    commit_audit(history.store, [1, 3], OTHER)
    later = datetime.now(UTC) + timedelta(days=90)
    prune(history.store, history.path, keep_days=1, dry_run=False, now=later)
    assert history.rows("SELECT count(DISTINCT audit_sha256) FROM gold_faults") == [(2,)]
    assert {
        manifest.lineage.dataset_sha256 for manifest in history.store.manifests("gold_audit")
    } == {DATASET}
