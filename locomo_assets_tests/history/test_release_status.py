"""The views `release_status` and `release_order`; samples stay out of all other views."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from locomo_assets.history.provenance import Lineage
from locomo_assets.history.store import HistoryStore
from locomo_assets_tests.history.factories import (
    ASKED_AT,
    QueriedHistory,
    commit,
    commit_answers,
    commit_dataset,
    commit_verdicts,
    lineage,
)

FEED = "json https://example.org/r.json"


def registered(store: HistoryStore, release: str, day: int, **columns: Any) -> None:
    row = {"source": "json", "registered_at": datetime(2026, 11, day, tzinfo=UTC), **columns}
    commit(store, lineage("releases", release), {"releases": [row]})


def check(moment: str, verdict: str, said: str | None, seconds: int = 0) -> dict[str, Any]:
    return {
        "stage": "answers",
        "moment": moment,
        "verdict": verdict,
        "feed": FEED,
        "feed_release": said,
        "reason": None if verdict == "as_labelled" else verdict,
        "checked_at": ASKED_AT + timedelta(seconds=seconds),
    }


def checked(store: HistoryStore, release: str, *checks: dict[str, Any]) -> None:
    commit(store, lineage("answers", release), {"release_checks": list(checks)})


STATUS = "SELECT release, state, release_check, refusals FROM release_status ORDER BY release"


def test_registered_missed_measured(history: QueriedHistory) -> None:
    registered(history.store, "r1", 1)
    registered(history.store, "r2", 2)
    registered(history.store, "r2", 3, missed=True)
    registered(history.store, "r3", 3, missed=True)
    commit_answers(history.store, lineage("answers", "r3"))
    commit_answers(history.store, lineage("answers", "old"))
    assert history.rows(STATUS) == [
        ("old", "measured", None, 0),
        ("r1", "registered", None, 0),
        ("r2", "missed", None, 0),
        ("r3", "measured", None, 0),
    ]


def test_the_worst_of_the_newest_attempts_counts(history: QueriedHistory) -> None:
    changed = (check("before", "as_labelled", "r1"), check("after", "release_changed", "r2", 9))
    checked(history.store, "r1", *changed)
    assert history.rows(
        "SELECT verdict, refused, release_before, release_after, reason FROM release_verdicts"
    ) == [("release_changed", False, "r1", "r2", "release_changed")]
    [(_, _, verdict, _)] = history.rows(STATUS)
    assert verdict == "release_changed"
    good = (check("before", "as_labelled", "r1"), check("after", "as_labelled", "r1", 9))
    checked(history.store, "r1", *good)
    assert history.rows(STATUS) == [("r1", "measured", "as_labelled", 0)]


def test_refused_work_is_counted_and_measures_nothing(history: QueriedHistory) -> None:
    registered(history.store, "r1", 1)
    refused = replace(lineage("release_checks", "r1"), extra={"kind": "full"})
    commit(history.store, refused, {"release_checks": [check("before", "other_release", "r2")]})
    assert history.rows(STATUS) == [("r1", "registered", None, 1)]
    assert history.rows("SELECT first_measured_at FROM release_order") == [(None,)]


def sample(asset: str, release: str) -> Lineage:
    return replace(lineage(asset, release), extra={"kind": "sample"})


def test_samples_are_in_no_other_view(history: QueriedHistory) -> None:
    commit_dataset(history.store)
    commit_answers(history.store, lineage("answers", "r1"), mark="full")
    verdicts = ["correct"] * 10
    commit_verdicts(history.store, lineage("judgements", "r1"), verdicts, mark="full")
    commit(history.store, lineage("ingested_memories", "r1"), {
        "ingestions": [{"ingestion_id": "ingestion-1"}],
    })  # fmt: skip
    views = [
        name
        for (name,) in history.rows(
            "SELECT DISTINCT table_name FROM information_schema.columns "
            "WHERE column_name = 'accuracy' AND NOT starts_with(table_name, 'sample_')"
        )
    ]
    rest = [
        *("current_answers", "current_judgements", "answer_scores", "repeats", "flips"),
        *("release_order", "scores_by_release", "latency_by_release", "lineage"),
    ]
    look = {name: f"FROM {name} ORDER BY ALL" for name in (*views, *rest)}
    before = {name: history.rows(sql) for name, sql in look.items()}
    assert {"accuracy_by_release", "accuracy_trend", "accuracy_cells"} <= set(views)
    for day, verdict in (("daily-1", "correct"), ("daily-2", "wrong")):
        registered(history.store, day, 5, kind="sample", source="schedule")
        columns = {"kind": "sample", "sample_id": "4-abc"}
        asked = ASKED_AT + timedelta(days=int(day[-1]))
        commit_answers(history.store, sample("answers", day), 4, day, asked_at=asked, **columns)
        verdicts = ["correct", "correct", "correct", verdict]
        commit_verdicts(history.store, sample("judgements", day), verdicts, day, kind="sample")
    assert {name: history.rows(sql) for name, sql in look.items()} == before
    assert history.rows(
        "SELECT release, sample_id, questions, correct, accuracy, accuracy_change, memory_of "
        "FROM sample_trend ORDER BY release"
    ) == [
        ("daily-1", "4-abc", 4, 4, 1.0, None, "r1"),
        ("daily-2", "4-abc", 4, 3, 0.75, -0.25, "r1"),
    ]
    assert history.rows("SELECT DISTINCT kind FROM attempts WHERE release LIKE 'daily-%'") == [
        ("full",),
        ("sample",),
    ]
