"""The workload behind a release, from the calls and attempts of a real database."""

from pathlib import Path

import duckdb
import pytest

from locomo_assets.analysis.accuracy import by_release
from locomo_assets.analysis.checks import CheckSeverity, api_errors
from locomo_assets.analysis.workload import read_workload
from locomo_assets.history.database import refresh
from locomo_assets.history.store import HistoryStore
from locomo_assets_tests.history.factories import answer, call, commit, judgement, lineage


@pytest.fixture
def store(tmp_path: Path) -> HistoryStore:
    return HistoryStore.open((tmp_path / "history").as_uri())


def test_workload_tells_repeats_from_final_failures(store: HistoryStore, tmp_path: Path) -> None:
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
    path = refresh(store, tmp_path / "history.duckdb").path
    (row,) = by_release(path, "r1", max_error_percent=2.0)
    workload = read_workload(path, row)
    # The attempt that was asked again since is not in it.
    assert (workload.tries, workload.repeats, workload.requests) == (8, 3, 5)
    assert workload.requests_failed == 2
    assert workload.judge_system == "lexical"
    found = api_errors(workload)
    assert (found.passed, found.severity) == (False, CheckSeverity.WARN)
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
    assert read_workload(path, row).minutes == pytest.approx(17.0)
