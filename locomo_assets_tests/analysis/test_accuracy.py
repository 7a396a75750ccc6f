"""Accuracy from a real database: what counts, and when it is valid."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from locomo_assets.analysis.accuracy import (
    Accuracy,
    Sample,
    by_category,
    by_release,
    invalid_message,
    newest_first,
    release_dates,
)
from locomo_assets.analysis.intervals import Cluster, clustered_mean
from locomo_assets.history.database import query, refresh
from locomo_assets.history.store import HistoryStore
from locomo_assets_tests.analysis.factories import accuracy_row
from locomo_assets_tests.history.factories import answer, call, commit, judgement, lineage


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
    assert not only_series(store, tmp_path, 5.9).valid


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


def test_rows_of_series_have_one_order() -> None:
    wholes = [
        accuracy_row(release="r2", question_protocol="published"),
        accuracy_row(release="r2", question_protocol="isolated", judge="strict"),
        accuracy_row(release="r1"),
    ]
    unknown = accuracy_row(release="r2", question_protocol="retrieval")
    rows = [wholes[2], unknown, wholes[1], replace(wholes[1], judge="lexical"), wholes[0]]
    assert newest_first(rows, wholes) == [
        wholes[0], wholes[1], replace(wholes[1], judge="lexical"), unknown, wholes[2],
    ]  # fmt: skip


def test_a_release_has_the_day_by_which_it_is_ordered(store: HistoryStore, tmp_path: Path) -> None:
    registered = datetime(2026, 11, 1, tzinfo=UTC)
    late = datetime(2026, 11, 23, 23, 30, tzinfo=timezone(-timedelta(hours=2)))
    for release, source, published in (("r0", "imported", None), ("r2", "json", late)):
        row = {"source": source, "registered_at": registered, "published_at": published}
        commit(store, lineage("releases", release, conversation=None), {"releases": [row]})
    path = refresh(store, tmp_path / "history.duckdb").path
    assert release_dates(path) == {"r0": None, "r2": date(2026, 11, 24)}
    measured(store, ["correct"])
    path = refresh(store, tmp_path / "history.duckdb").path
    ((begun,),) = query(path, "SELECT first_measured_at FROM release_order WHERE release = 'r1'")[1]
    assert release_dates(path)["r1"] == begun.astimezone(UTC).date()


def test_the_message_on_invalid_numbers_names_cause_and_limit() -> None:
    message = invalid_message(accuracy_row(valid=False, error_percent=20.0), 2.0)
    assert message.startswith("release r1: 20.00 % of its questions have no verdict")
    assert "LOCOMO_MAX_ERROR_PERCENT" in message
    assert "\n" not in message
    assert message.endswith("run it again with the same --release, which asks only what failed")


def test_nobody_is_told_to_run_an_imported_release() -> None:
    message = invalid_message(accuracy_row(valid=False, error_percent=20.0, imported=True), 2.0)
    assert "; import it again with the missing verdicts" in message
    assert "run it again" not in message


def sample(*by_conversation: tuple[int, int]) -> Sample:
    scored, correct = (sum(each) for each in zip(*by_conversation, strict=True))
    return Sample(
        release="daily-2026-11-23", sample_id="s", system="backboard", judge="j",
        question_protocol="isolated", questions=scored, scored=scored, correct=correct,
        error_percent=0.0, accuracy_percent=100 * correct / scored, low_percent=1.0,
        high_percent=99.0, change_points=None, latency_p50_ms=None, cost_usd=0.0, memory_of="r1",
        by_conversation=list(by_conversation),
    )  # fmt: skip


def test_a_sample_has_the_clustered_interval_or_wilson_s_of_one_conversation() -> None:
    assert sample((10, 4)).interval_percent == (1.0, 99.0)
    assert sample((10, 4), (5, 2)).interval_percent is None
    several = sample((10, 4), (10, 6), (10, 5))
    expected = clustered_mean([Cluster(10, 4), Cluster(10, 6), Cluster(10, 5)]).interval
    assert expected is not None
    assert several.interval_percent == pytest.approx([100 * end for end in expected])
