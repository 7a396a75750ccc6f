"""Scores without faulty gold answers, and verdicts on corrected ones that stay apart."""

from dataclasses import replace
from pathlib import Path

import pytest

from locomo_assets.analysis.accuracy import by_release
from locomo_assets.analysis.checks import CheckSeverity
from locomo_assets.analysis.gold_faults import (
    gold_fault_numbers,
    gold_faults_of,
    read_gold_faults,
    within_ceiling,
)
from locomo_assets.analysis.intervals import Cluster, clustered_mean
from locomo_assets.history.database import refresh
from locomo_assets_tests.analysis.factories import (
    AUDIT,
    CORRECTED_JUDGE,
    HistoryBuilder,
    audited_history,
)


@pytest.fixture
def history(tmp_path: Path) -> HistoryBuilder:
    return audited_history(tmp_path)


def test_faulty_questions_are_left_out_and_bound_the_ceiling(history: HistoryBuilder) -> None:
    rows = by_release(history.database_path, "r1", max_error_percent=2.0)
    assert [row.gold for row in rows] == ["published", "corrected"]  # though judged last
    found = {row.judge: row for row in read_gold_faults(history.database_path, "r1")
             if row.category is None}  # fmt: skip
    plain = found["lexical"]
    assert plain.accuracy_percent == 50.0
    assert plain.without_faults_percent == 66.67
    assert plain.ceiling_percent == 75.0
    assert (plain.faulty, plain.correct_without_faults, plain.scored_without_faults) == (1, 2, 3)
    assert (plain.faulty_given, plain.faulty_correct, plain.faulty_correct_percent) == (1, 0, 0.0)
    corrected = found[CORRECTED_JUDGE]
    assert (corrected.ceiling_percent, corrected.faulty_correct_percent) == (100.0, None)
    doubtful = replace(rows[0], valid=False)
    assert gold_fault_numbers(history.database_path, rows[0], AUDIT) == {
        "accuracy_without_gold_faults_percent": 66.67,
        "accuracy_ceiling_percent": 75.0,
        "gold_faults": 1,
        "gold_faults_marked_right": 0,
        "gold_faults_marked_right_percent": 0.0,
        "audit_sha256": AUDIT,
    }
    assert "accuracy_without_gold_faults_percent" not in gold_fault_numbers(
        history.database_path, doubtful
    )
    assert gold_fault_numbers(history.database_path, rows[0], "b" * 64) == {}


def test_more_than_the_ceiling_is_seen_and_said(tmp_path: Path) -> None:
    history = audited_history(tmp_path)
    history.measure("r3", {"conv-1": "++++"})
    refresh(history.store, history.database_path)
    (whole,) = by_release(history.database_path, "r3", max_error_percent=2.0)
    rows = gold_faults_of(history.database_path, whole)
    assert [row.shown for row in rows if row.is_above_ceiling] == ["1 multi-hop", "all scored"]
    warning = rows[-1].ceiling_warning()
    assert "100.00 % is above the ceiling of 75.00 %, 1 of 1 faulty ones (100.0 %)" in warning
    found = within_ceiling(rows)
    assert not found.passed
    assert found.severity is CheckSeverity.WARN
    assert found.numbers["categories_above_ceiling"] == 2


def test_what_is_at_or_below_its_ceiling_passes(history: HistoryBuilder) -> None:
    for row in by_release(history.database_path, "r2", max_error_percent=2.0):
        found = within_ceiling(gold_faults_of(history.database_path, row))
        assert found.passed  # 3 of 4 is the very ceiling
    assert within_ceiling([]).passed


def test_corrected_gold_answers_are_compared_where_asked_for(history: HistoryBuilder) -> None:
    found = history.compare("r1", "r2")
    assert found.judge == "lexical"
    assert [flip.question_index for flip in found.flips] == [3]
    assert f"judges of both: lexical was taken, also there: '{CORRECTED_JUDGE}'" in found.notes
    assert history.compare("r1", "r2", judge=CORRECTED_JUDGE).judge == CORRECTED_JUDGE


def test_the_interval_is_clustered_and_of_a_single_conversation_wilsons(
    history: HistoryBuilder,
) -> None:
    alone = read_gold_faults(history.database_path, "r1")[-1]
    assert alone.interval_percent == (
        alone.without_faults_low_percent, alone.without_faults_high_percent
    )  # fmt: skip
    history.dataset(["conv-1", "conv-2"], 4)
    history.measure("r3", {"conv-1": "-++-", "conv-2": "----"})
    refresh(history.store, history.database_path)
    (whole,) = (one for one in read_gold_faults(history.database_path, "r3") if not one.category)
    # without the faulty question 0 of conv-1
    assert whole.by_conversation == [(3, 2), (4, 0)]
    found = clustered_mean([Cluster(3, 2), Cluster(4, 0)]).interval
    assert found
    assert whole.interval_percent == (100 * found.low, 100 * found.high)
