"""What must hold of a release: over a real database, and by its numbers alone."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import pytest

from locomo_assets.analysis.accuracy import Accuracy, by_category, by_release
from locomo_assets.analysis.checks import (
    accuracy,
    api_errors,
    error_budget,
    run_time,
)
from locomo_assets.analysis.workload import Effort, effort_of
from locomo_assets.history.database import refresh
from locomo_assets.history.store import HistoryStore
from locomo_assets_tests.history.factories import answer, call, commit, judgement, lineage

EFFORT = Effort(
    judge_system="openai", requests=100, tries=110, repeats=10, requests_failed=5, minutes=60.0
)


@pytest.fixture
def store(tmp_path: Path) -> HistoryStore:
    return HistoryStore.open((tmp_path / "history").as_uri())


def measured(store: HistoryStore, verdicts: list[str], **columns: Any) -> None:
    outcomes: list[dict[str, Any]] = [
        {"outcome": "unanswered", "answer": None} if verdict == "unanswered" else {}
        for verdict in verdicts
    ]
    rows = [answer(index, category=4, **its) for index, its in enumerate(outcomes)]
    commit(store, lineage("answers"), {"answers": rows, "calls": [call(0)]})
    its = [judgement(i, v, category=4, **columns) for i, v in enumerate(verdicts) if v != "none"]
    commit(store, lineage("judgements"), {"judgements": its})


def only_series(store: HistoryStore, folder: Path, max_error_percent: float) -> Accuracy:
    path = refresh(store, folder / "history.duckdb").path
    (row,) = by_release(path, "r1", max_error_percent=max_error_percent)
    return row


def test_all_without_a_verdict_count_and_the_reader_sets_the_limit(
    store: HistoryStore, tmp_path: Path
) -> None:
    measured(store, ["correct"] * 47 + ["unanswered", "unscored", "none"])
    row = only_series(store, tmp_path, 6.0)
    assert (row.error_percent, row.valid, row.accuracy_percent) == (6.0, True, 100.0)
    assert error_budget(row, 6.0).passed
    row = only_series(store, tmp_path, 5.9)
    found = error_budget(row, 5.9)
    assert (found.passed, found.grave) == (False, True)
    assert found.actual == "6.00 %: 1 unanswered, 1 unscored, 1 not judged of 50"


def test_a_category_is_not_valid_by_itself_or_with_its_series(
    store: HistoryStore, tmp_path: Path
) -> None:
    rows = [answer(i, category=1 if i < 2 else 4) for i in range(20)]
    commit(store, lineage("answers"), {"answers": rows})
    its = [judgement(i, "unscored" if i == 0 else "correct") for i in range(20)]
    commit(store, lineage("judgements"), {"judgements": its})
    path = refresh(store, tmp_path / "history.duckdb").path

    def valid(limit: float) -> dict[str, bool]:
        rows = by_category(path, None, max_error_percent=limit)
        return {row.category[0]: row.valid for row in rows}

    assert valid(50.0) == {"1": True, "4": True}
    assert valid(5.0) == {"1": False, "4": True}
    assert valid(2.0) == {"1": False, "4": False}


def test_nothing_judged_is_not_valid(store: HistoryStore, tmp_path: Path) -> None:
    commit(store, lineage("answers"), {"answers": [answer(0)]})
    row = only_series(store, tmp_path, 2.0)
    assert (row.valid, row.error_percent, row.accuracy_percent) == (False, 100.0, None)


def test_effort_tells_repeats_from_final_failures(store: HistoryStore, tmp_path: Path) -> None:
    again = {"status": 503, "error": "ServerFailedError"}
    calls = [
        call(0, **again),  # failed, and well at the second try
        call(1, attempt=2),
        call(2, **again),  # failed, and failed for good at the third try
        call(3, attempt=2, **again),
        call(4, attempt=3, status=None, error="ConnectionBrokenError"),
        call(5, status=400, error="RequestRefusedError"),  # failed for good at once
        call(6, status=None, error="CancelledError"),  # stopped by us
        call(7),
    ]
    commit(store, lineage("answers"), {"answers": [answer(0, mark="old")], "calls": calls[5:]})
    commit(store, lineage("answers"), {"answers": [answer(0)], "calls": calls})
    commit(
        store,
        lineage("judgements"),
        {"judgements": [judgement(0, "correct", judge_system="lexical")]},
    )
    effort = effort_of(tmp_path / "history.duckdb", only_series(store, tmp_path, 2.0))
    # The attempt that was asked again since is not in it.
    assert (effort.tries, effort.repeats, effort.requests) == (8, 3, 5)
    assert effort.requests_failed == 2
    assert effort.judge_system == "lexical"
    found = api_errors(effort)
    assert (found.passed, found.grave) == (False, False)
    assert found.actual.startswith("40.00 %: 2 of 5 failed for good; 3 of 8 tries were repeats")


def test_minutes_leave_out_pauses_between_runs(store: HistoryStore, tmp_path: Path) -> None:
    # begun and committed, in minutes: side by side, within, and after a night
    times = {"conv-1": (0, 10), "conv-2": (2, 5), "conv-3": (600, 607)}
    for name in times:
        commit(store, lineage("answers", conversation=name), {"answers": [answer(0, mark=name)]})
        verdict = judgement(0, "correct", mark=name)
        commit(store, lineage("judgements", conversation=name), {"judgements": [verdict]})
    path = refresh(store, tmp_path / "history.duckdb").path
    with duckdb.connect(path) as connection:
        for name, (begun, committed) in times.items():
            connection.execute(
                "UPDATE attempts SET begun_at = TIMESTAMPTZ '2025-01-01' + $1 * INTERVAL 1 MINUTE, "
                "committed_at = TIMESTAMPTZ '2025-01-01' + $2 * INTERVAL 1 MINUTE "
                "WHERE conversation = $3",
                [begun, committed, name],
            )
    (row,) = by_release(path, "r1", max_error_percent=2.0)
    assert effort_of(path, row).minutes == pytest.approx(17.0)


@pytest.mark.parametrize(("failed", "passed"), [(0, True), (5, True), (6, False)])
def test_api_errors_of_a_hundred(failed: int, passed: bool) -> None:
    assert api_errors(replace(EFFORT, requests_failed=failed)).passed is passed
    assert api_errors(replace(EFFORT, requests=0, requests_failed=0)).passed


def test_run_time() -> None:
    assert run_time(EFFORT, 60.0).passed
    found = run_time(EFFORT, 59.0)
    assert (found.passed, found.grave) == (False, False)


ROW = Accuracy(
    release="r1", system="backboard", judge="gpt-4.1/generous", question_protocol="isolated",
    dataset_sha256="d" * 64, category="all scored", vendor_category="overall", questions=100,
    scored=100, correct=84, unscored=0, unanswered=0, not_judged=0, error_percent=0.0, valid=True,
    accuracy_percent=84.0, low_percent=75.6, high_percent=89.9, latency_p50_ms=1.0,
    latency_p95_ms=1.0, tokens=1, cost_usd=0.0,
)  # fmt: skip


def test_accuracy_is_asked_of_a_real_service_and_a_model() -> None:
    assert not accuracy(ROW, "openai", 85.0).passed
    assert not accuracy(ROW, "openai", 85.0).grave
    assert accuracy(ROW, "openai", 84.0).passed
    for row, judge in ((replace(ROW, system="standin"), "openai"), (ROW, "lexical"),
                       (ROW, "standin")):  # fmt: skip
        found = accuracy(row, judge, 85.0)
        assert found.passed
        assert found.numbers["held_to_it"] is False
        assert found.expected.startswith("nothing")


def test_accuracy_that_is_not_valid_is_never_enough() -> None:
    found = accuracy(replace(ROW, accuracy_percent=99.0, valid=False), "openai", 85.0)
    assert not found.passed
    assert "not valid" in found.actual
    assert not accuracy(replace(ROW, accuracy_percent=None), "openai", 85.0).passed
