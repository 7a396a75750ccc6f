"""A release is what was measured: refused before anything is paid, or marked, or said unknown."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from locomo_assets.feeds.feed import ReleaseFeed
from locomo_assets.history.database import query, refresh
from locomo_assets.history.store import HistoryStore
from locomo_assets.runs.answer import answer_questions
from locomo_assets.runs.context import RunContext, Task
from locomo_assets.runs.datasets import store_dataset
from locomo_assets.runs.ingest import ingest_conversation
from locomo_assets.runs.judge import judge_answers
from locomo_assets.runs.releases import (
    FeedStatus,
    OtherReleaseError,
    ReleaseGuard,
    verdict_on,
)
from locomo_assets.standin.server import BaseUrls, running_standin
from locomo_assets.standin.settings import StandinSettings
from locomo_assets_tests.feeds.serving import ServedFeed, releases_json, served_feed
from locomo_assets_tests.runs.contexts import at_bench
from locomo_assets_tests.runs.fixtures import DATASET, Record

SAMPLE = min(DATASET.conversations, key=lambda one: len(one.turns))
ORDER = Task(release="v1", conversation=SAMPLE.conversation, questions=2)


@pytest.mark.parametrize(
    ("label", "moment", "said", "verdict"),
    [
        ("v1", "before", "v1", "as_labelled"),
        ("v1", "after", "v1", "as_labelled"),
        ("v1", "before", "v2", "other_release"),
        ("v1", "after", "v2", "release_changed"),
        ("v1", "before", None, "unknown"),
        ("adhoc-2026-11-25", "before", "v2", "exempt"),
        ("weekly-2026-11-23", "after", "v2", "exempt"),
        ("daily-2026-11-25", "before", None, "exempt"),
    ],
)
def test_verdicts(label: str, moment: str, said: str | None, verdict: str) -> None:
    heard = FeedStatus(said, None if said else "the feed is down")
    found, reason = verdict_on(label, moment, heard, override=False)
    assert found == verdict
    assert (reason is None) == (verdict == "as_labelled")
    assert verdict_on(label, moment, heard, override=True)[0] == "exempt"


@pytest.fixture
def feed() -> Iterator[ServedFeed]:
    with served_feed(releases_json("v0", "v1")) as served:
        yield served


class Scenario:
    """A store with the sample, a served stand-in, and its record."""

    def __init__(self, folder: Path, urls: BaseUrls) -> None:
        self.store = HistoryStore.open((folder / "history").as_uri())
        store_dataset(self.store, DATASET, "run-0")
        self.record = Record(folder / "standin.sqlite")
        self.urls = urls
        self._database = folder / "history.duckdb"

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        refresh(self.store, self._database)
        return query(self._database, sql)[1]

    def verdicts(self) -> list[tuple[Any, ...]]:
        return self.rows("SELECT stage, verdict FROM release_verdicts ORDER BY checked_at")


@pytest.fixture
def scenario(tmp_path: Path) -> Iterator[Scenario]:
    with running_standin(StandinSettings(), tmp_path / "standin.sqlite") as urls:
        yield Scenario(tmp_path, urls)


def watching(run: RunContext, feed: ServedFeed | None, *, override: bool = False) -> None:
    source = None if feed is None else ReleaseFeed("json", feed.url)
    run.watch = ReleaseGuard(source, override=override)


async def test_another_release_is_refused_before_anything_is_spent(
    scenario: Scenario, feed: ServedFeed
) -> None:
    feed.body = releases_json("v1", "v2")
    async with at_bench(scenario.store, scenario.urls, "run-1") as run:
        watching(run, feed)
        with pytest.raises(OtherReleaseError, match="v2") as caught:
            await ingest_conversation(run, ORDER)
    assert "\n" not in str(caught.value)
    assert scenario.record.count() == 0
    assert scenario.verdicts() == [("ingested_memories", "other_release")]
    assert scenario.store.manifests(asset="ingested_memories") == []


async def test_a_release_that_stays_is_as_labelled(scenario: Scenario, feed: ServedFeed) -> None:
    async with at_bench(scenario.store, scenario.urls, "run-1") as run:
        watching(run, feed)
        report = await ingest_conversation(run, ORDER)
        assert report.counts.release_check == "as_labelled"
        await answer_questions(run, ORDER)
    assert scenario.rows("SELECT release_check, refusals FROM release_status") == [
        ("as_labelled", 0)
    ]
    assert scenario.verdicts() == [("ingested_memories", "as_labelled"), ("answers", "as_labelled")]
    # read whole once, then asked whether it changed
    assert (len(feed.requests), feed.unconditional()) == (4, 1)


async def test_one_that_changes_meanwhile_is_marked_and_nothing_more_is_spent(
    scenario: Scenario, feed: ServedFeed
) -> None:
    def change(_: int) -> None:
        feed.body = releases_json("v1", "v2")

    feed.after = change
    async with at_bench(scenario.store, scenario.urls, "run-1") as run:
        watching(run, feed)
        report = await ingest_conversation(run, ORDER)
        assert report.counts.release_check == "release_changed"
        told = scenario.record.count()
        with pytest.raises(OtherReleaseError):
            await answer_questions(run, ORDER)
    assert scenario.record.count() == told
    assert scenario.rows(
        "SELECT release_check, conversations_changed, refusals FROM release_status"
    ) == [("release_changed", 1, 1)]


async def test_answers_are_marked_too_and_old_ones_can_be_judged(
    scenario: Scenario, feed: ServedFeed
) -> None:
    async with at_bench(scenario.store, scenario.urls, "run-1") as run:
        watching(run, feed)
        await ingest_conversation(run, ORDER)
        feed.after = lambda _: setattr(feed, "body", releases_json("v1", "v2"))
        report = await answer_questions(run, ORDER)
        assert report.release_check == "release_changed"
        asked = len(feed.requests)
        # nothing is spent at the service: what is stored is used, and judged
        assert (await ingest_conversation(run, ORDER)).attempt_id is None
        assert (await answer_questions(run, ORDER)).attempt_id is None
        assert (await judge_answers(run, ORDER)).attempt_id is not None
        assert len(feed.requests) == asked
        more = Task(ORDER.release, ORDER.conversation, questions=3)
        with pytest.raises(OtherReleaseError):
            await answer_questions(run, more)


@pytest.mark.parametrize("why", ["label", "override", "no feed", "feed down"])
async def test_exempt_or_unknown_is_measured_and_said(
    why: str, scenario: Scenario, feed: ServedFeed
) -> None:
    feed.body = releases_json("v2")
    feed.status = 500 if why == "feed down" else 200
    label = "adhoc-1" if why == "label" else "v1"
    async with at_bench(scenario.store, scenario.urls, "run-1") as run:
        watching(run, None if why == "no feed" else feed, override=why == "override")
        await ingest_conversation(run, Task(label, ORDER.conversation))
    [(verdict, reason, before)] = scenario.rows(
        "SELECT verdict, reason, release_before FROM release_verdicts"
    )
    expected = {
        "label": ("exempt", "a label of one's own names no release", "v2"),
        "override": ("exempt", "LOCOMO_ALLOW_OTHER_RELEASE is set", "v2"),
        "no feed": ("unknown", "no release feed is configured (LOCOMO_RELEASE_FEED)", None),
        "feed down": (
            "unknown",
            f"release feed json {feed.url}: the server answered 500",
            None,
        ),
    }
    assert (verdict, reason, before) == expected[why]
