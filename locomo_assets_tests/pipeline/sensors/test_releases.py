"""The release sensor on a real instance and a served feed: what it requests, says and remembers."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dagster._core.definitions.sensor_definition import SensorExecutionData

from locomo_assets.history.database import query, refresh
from locomo_assets.history.provenance import Lineage
from locomo_assets.pipeline.build import build_defs
from locomo_assets.pipeline.partitions import CONVERSATION, RELEASE
from locomo_assets.pipeline.sensors.releases import NAME, look
from locomo_assets.services import Services
from locomo_assets.settings import read_settings
from locomo_assets_tests.feeds.serving import ServedFeed, releases_json, served_feed


class Scenario:
    """An instance with three conversations, and ticks whose outcome is carried out."""

    def __init__(self, services: Services, instance: dg.DagsterInstance) -> None:
        self.services = services
        self.instance = instance
        self.cursor: str | None = None
        self.repository = build_defs(services=services).get_repository_def()
        instance.add_dynamic_partitions(CONVERSATION, ["conv-1", "conv-2", "conv-3"])

    def tick(self) -> SensorExecutionData:
        """As the daemon does it, but for launching the runs."""
        sensor = self.repository.get_sensor_def(NAME)
        with dg.build_sensor_context(
            self.instance,
            cursor=self.cursor,
            repository_def=self.repository,
            resources={"services": self.services},
        ) as context:
            found = sensor.evaluate_tick(context)
        for request in found.dynamic_partitions_requests or ():
            assert isinstance(request, dg.AddDynamicPartitionsRequest)
            self.instance.add_dynamic_partitions(RELEASE, list(request.partition_keys))
        for event in found.asset_events:
            self.instance.report_runless_asset_event(event)
        self.cursor = found.cursor
        return found

    def releases(self) -> list[str]:
        return list(self.instance.get_dynamic_partitions(RELEASE))

    def status(self) -> list[tuple[Any, ...]]:
        path = self.services.settings.database_path
        refresh(self.services.store(), path)
        sql = "SELECT release, state, source, url FROM release_status ORDER BY release"
        return query(path, sql)[1]

    def told(self, release: str) -> str:
        """What the UI says at the release's metrics."""
        wanted = dg.AssetRecordsFilter(dg.AssetKey("accuracy_metrics"), asset_partitions=[release])
        [record, *_] = self.instance.fetch_observations(wanted, limit=1).records
        observation = record.event_log_entry.asset_observation
        assert observation is not None
        return str(observation.metadata["release_state"].value)


@pytest.fixture
def feed() -> Iterator[ServedFeed]:
    with served_feed(releases_json("v0", "v1")) as served:
        yield served


@pytest.fixture
def scenario(home: Path, feed: ServedFeed, monkeypatch: pytest.MonkeyPatch) -> Iterator[Scenario]:
    monkeypatch.setenv("LOCOMO_RELEASE_FEED", "json")
    monkeypatch.setenv("LOCOMO_RELEASE_FEED_URL", feed.url)
    with dg.DagsterInstance.ephemeral() as instance:
        yield Scenario(Services(read_settings()), instance)


def test_first_tick_registers_the_newest_and_runs_nothing(
    scenario: Scenario, feed: ServedFeed
) -> None:
    found = scenario.tick()
    assert found.run_requests == []
    assert "v1 is registered and not run" in str(found.skip_message)
    assert scenario.releases() == ["v1"]
    assert scenario.status() == [("v1", "registered", "json", feed.url.replace("/releases", "/v1"))]
    assert scenario.told("v1") == "registered at the first look, and not run"


def test_a_new_release_is_one_range_run(scenario: Scenario, feed: ServedFeed) -> None:
    scenario.tick()
    feed.body = releases_json("v0", "v1", "v2")
    [request] = scenario.tick().run_requests or ()
    assert request.run_key == "v2/conv-1-conv-3"
    assert request.tags["dagster/asset_partition_range_start"] == "conv-1|v2"
    assert request.tags["dagster/asset_partition_range_end"] == "conv-3|v2"
    tags = {name: text for name, text in request.tags.items() if name.startswith("locomo/")}
    assert tags == {
        "locomo/release": "v2",
        "locomo/source": "json",
        "locomo/published_at": "2026-11-03T12:00:00+00:00",
    }
    assert scenario.releases() == ["v1", "v2"]
    again = scenario.tick()
    assert again.run_requests == []
    assert "nothing new" in str(again.skip_message)
    assert "if-none-match" in feed.requests[-1]


def test_a_run_per_conversation_by_setting(
    scenario: Scenario, feed: ServedFeed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOCOMO_PARTITIONS_PER_RUN", "one")
    scenario = Scenario(Services(read_settings()), scenario.instance)
    scenario.tick()
    feed.body = releases_json("v0", "v1", "v2")
    requests = scenario.tick().run_requests or ()
    assert [request.run_key for request in requests] == [f"v2/conv-{i}" for i in (1, 2, 3)]
    ends = ("dagster/asset_partition_range_start", "dagster/asset_partition_range_end")
    assert [[request.tags[end] for end in ends] for request in requests] == [
        [f"conv-{i}|v2"] * 2 for i in (1, 2, 3)
    ]
    assert all(request.tags["locomo/release"] == "v2" for request in requests)


def test_of_several_between_two_ticks_the_newest_is_run(
    scenario: Scenario, feed: ServedFeed
) -> None:
    scenario.tick()
    feed.body = releases_json("v0", "v1", "v2", "v3", "v4")
    [request] = scenario.tick().run_requests or ()
    assert request.tags["locomo/release"] == "v4"
    assert scenario.releases() == ["v1", "v2", "v3", "v4"]
    assert [row[:2] for row in scenario.status()] == [
        ("v1", "registered"),
        ("v2", "missed"),
        ("v3", "missed"),
        ("v4", "registered"),
    ]
    assert scenario.told("v2").startswith("missed: the service was at v4")
    assert scenario.told("v4") == "seen, and its runs requested"


@pytest.mark.parametrize(
    ("status", "body", "told"),
    [
        (500, b"", "answered 500"),
        (200, b"<html>garbage", "not JSON"),
        (200, b"", "is empty"),
        (200, b"[]", "no release"),
    ],
)
def test_a_failed_read_is_a_skip_with_its_reason(
    scenario: Scenario, feed: ServedFeed, status: int, body: bytes, told: str
) -> None:
    scenario.tick()
    before, feed.status, feed.body = scenario.cursor, status, body
    found = scenario.tick()
    assert told in str(found.skip_message)
    assert "nothing new" not in str(found.skip_message)
    assert (found.run_requests, scenario.cursor, scenario.releases()) == ([], before, ["v1"])
    feed.status, feed.body = 200, releases_json("v0", "v1", "v2")
    assert len(scenario.tick().run_requests or ()) == 1


def test_a_history_that_cannot_be_written_leaves_all_as_it_was(
    scenario: Scenario, feed: ServedFeed
) -> None:
    scenario.tick()
    before = scenario.cursor
    feed.body = releases_json("v1", "v2")
    store = Path(scenario.services.settings.history_url.removeprefix("file://"))
    aside = store.rename(store.with_name("aside"))
    store.write_text("no folder")
    found = scenario.tick()
    assert "history" in str(found.skip_message)
    assert (found.run_requests, scenario.cursor, scenario.releases()) == ([], before, ["v1"])
    store.unlink()
    aside.rename(store)
    assert len(scenario.tick().run_requests or ()) == 1


def test_without_conversations_a_new_release_stays_new(
    scenario: Scenario, feed: ServedFeed
) -> None:
    scenario.tick()
    for name in scenario.instance.get_dynamic_partitions(CONVERSATION):
        scenario.instance.delete_dynamic_partition(CONVERSATION, name)
    feed.body = releases_json("v1", "v2")
    assert "materialize locomo_dataset" in str(scenario.tick().skip_message)
    scenario.instance.add_dynamic_partitions(CONVERSATION, ["conv-1"])
    assert len(scenario.tick().run_requests or ()) == 1


def test_a_label_that_imported_results_bear_is_not_run(
    scenario: Scenario, feed: ServedFeed
) -> None:
    scenario.tick()
    imported = Lineage(
        asset="imported_results",
        run_id="import",
        release="v2",
        conversation=None,
        code_version="1",
        dataset_sha256=None,
        system="backboard",
    )
    scenario.services.store().begin(imported).commit()
    feed.body = releases_json("v1", "v2")
    found = scenario.tick()
    assert found.run_requests == []
    assert "v2: not used, as imported results bear it" in str(found.skip_message)
    feed.body = releases_json("v1", "v2", "v3")
    assert len(scenario.tick().run_requests or ()) == 1


def test_no_feed_says_how_to_set_one(home: Path) -> None:
    with dg.DagsterInstance.ephemeral() as instance, dg.build_sensor_context(instance) as context:
        found = look(context, Services(read_settings()))
    assert isinstance(found, dg.SkipReason)
    assert "LOCOMO_RELEASE_FEED" in str(found.skip_message)
