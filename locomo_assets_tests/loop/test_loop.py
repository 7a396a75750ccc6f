"""From a release in a served feed to a point of the trend, by the real daemon; and what else may
come: a broken feed, the same release again, one that changes in mid-run; and who is told of it.
"""

from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from locomo_assets.history.database import query, refresh
from locomo_assets.pipeline.partitions import RELEASE
from locomo_assets.pipeline.sensors.releases import NAME
from locomo_assets_tests.feeds.serving import ServedFeed, releases_json, served_feed
from locomo_assets_tests.loop.daemon import CONVERSATIONS, Loop, running_loop, ten_conversations
from locomo_assets_tests.reporting.alerts.sink import Sink, served_sink

pytestmark = pytest.mark.waits


def test_loop(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One daemon for all of it, as starting one takes longest."""
    with served_feed(releases_json("v0", "v1")) as feed, served_sink() as sink:
        environment = {
            "LOCOMO_ALERT_URLS_HIGH": sink.url("high"),
            "LOCOMO_ALERT_URLS_LOW": sink.url("low"),
            "LOCOMO_MAX_RUN_MINUTES": "0.0001",
            "LOCOMO_DATASET": str(ten_conversations(home / "ten.json")),
            "LOCOMO_MEMORY_WAIT": "conversation",
            "LOCOMO_RELEASE_FEED": "json",
            "LOCOMO_RELEASE_FEED_URL": feed.url,
            "LOCOMO_RELEASE_FEED_SECONDS": "1",
        }
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        with running_loop(home, environment, (NAME,)) as loop:
            first_look(loop)
            new_release(loop, feed)
            broken_feed(loop, feed)
            same_release_again(loop, feed)
            told(loop, sink, "/low", "LoCoMo v2: long run")
            changed_in_mid_run(loop, feed)
            told(loop, sink, "/high", "LoCoMo v3: run failed")


def rows(loop: Loop, sql: str) -> list[tuple[Any, ...]]:
    path = home_database(loop)
    refresh(loop.services.store(), path)
    return query(path, sql)[1]


def home_database(loop: Loop) -> Path:
    """Beside the published one, which the daemon's runs refresh."""
    return loop.services.settings.home / "looked-at.duckdb"


def told(loop: Loop, sink: Sink, path: str, title: str) -> None:
    """By the sensor `alerts`, which is on because there is a place to tell."""
    loop.until(title, lambda: title in sink.titles())
    assert [post["path"] for post in sink.posts if post["title"] == title] == [path]


def first_look(loop: Loop) -> None:
    loop.until("the first look for alerts", lambda: loop.skipped("alerts", "from here on"))
    loop.until("the first tick", lambda: loop.skipped(NAME, "v1 is registered and not run"))
    assert loop.instance.get_dynamic_partitions(RELEASE) == ["v1"]
    assert loop.runs(locomo_release="v1") == []


def new_release(loop: Loop, feed: ServedFeed) -> None:
    feed.body = releases_json("v0", "v1", "v2")
    run = loop.until("the run of v2", lambda: loop.ended("v2"))
    assert run.status == dg.DagsterRunStatus.SUCCESS
    assert run.tags["locomo/source"] == "json"
    assert loop.instance.get_dynamic_partitions(RELEASE) == ["v1", "v2"]
    grid = {f"{name}|v2" for name in CONVERSATIONS}
    for asset in ("ingested_memories", "answers", "judgements"):
        assert loop.materialized(asset) == grid
    assert rows(loop, "SELECT state, release_check, conversations_judged FROM release_status "
                "WHERE release = 'v2'") == [("measured", "as_labelled", 10)]  # fmt: skip


def broken_feed(loop: Loop, feed: ServedFeed) -> None:
    """Each is a skip with its reason; what was found before goes its way meanwhile."""
    good = feed.body
    feed.status = 500
    loop.until("a skip for 500", lambda: loop.skipped(NAME, "the server answered 500"))
    feed.status, feed.body = 200, b"<html>We are down for maintenance"
    loop.until("a skip for garbage", lambda: loop.skipped(NAME, "not JSON"))
    feed.hangs = True
    trend_follows(loop)
    loop.until("a skip for silence", lambda: loop.skipped(NAME, "no answer within"))
    feed.body, feed.hangs = good, False


def trend_follows(loop: Loop) -> None:
    """Nobody asks for the results: `results_automation` makes them."""
    loop.until("metrics of v2", lambda: loop.materialized("accuracy_metrics"))

    def trend() -> dg.AssetMaterialization | None:
        event = loop.instance.get_latest_materialization_event(dg.AssetKey("accuracy_trends"))
        return event.asset_materialization if event else None

    made = loop.until("the trend", trend)
    assert made.metadata["releases"].value == 1
    assert loop.materialized("accuracy_metrics") == {"v2"}
    assert rows(loop, "SELECT release, questions, scored FROM accuracy_trend "
                "WHERE category IS NULL") == [("v2", 10, 10)]  # fmt: skip


def same_release_again(loop: Loop, feed: ServedFeed) -> None:
    feed.body += b"\n"
    loop.until("nothing new", lambda: loop.skipped(NAME, "nothing new in json"))
    # The run that made its metrics bears its name, too, and no source.
    assert len(loop.runs(locomo_release="v2", locomo_source="json")) == 1


def changed_in_mid_run(loop: Loop, feed: ServedFeed) -> None:
    """v3 gives way to v4 once the run of v3 has read the feed: unlike the sensor's, its first
    request has no condition.
    """
    read_whole = feed.unconditional()

    def give_way(unconditional: int) -> None:
        if unconditional > read_whole:
            feed.body = releases_json("v0", "v1", "v2", "v3", "v4")

    feed.after = give_way
    feed.body = releases_json("v0", "v1", "v2", "v3")
    run = loop.until("the run of v3", lambda: loop.ended("v3"))
    assert run.status == dg.DagsterRunStatus.FAILURE
    loop.until("a run of v4", lambda: loop.runs(locomo_release="v4"))
    assert not any(key.endswith("|v3") for key in loop.materialized("answers"))
    status = "SELECT release, state, release_check, conversations_changed, refusals "
    assert rows(loop, f"{status} FROM release_status WHERE release < 'v4' ORDER BY release") == [
        ("v1", "registered", None, 0, 0),
        ("v2", "measured", "as_labelled", 0, 0),
        # one had begun when it changed; it was not asked, and the others were not even ingested
        ("v3", "measured", "release_changed", 1, 10),
    ]
