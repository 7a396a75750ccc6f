"""`results_automation` on a real instance: bad partitions are removed, the others go on."""

from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg
import pytest

from locomo_assets.pipeline.build import build_defs
from locomo_assets.pipeline.partitions import CONVERSATION, RELEASE
from locomo_assets.pipeline.sensors.results import NAME, remove_bad_partitions
from locomo_assets.pipeline.unexported import SensorExecutionData
from locomo_assets.reporting.alerts.channels import Channels
from locomo_assets.reporting.alerts.model import Notification
from locomo_assets.services import Services
from locomo_assets.settings import read_settings

ASSET = "accuracy_metrics"


class Scenario:
    """An instance with a conversation, and ticks of the sensor as the code location makes them."""

    def __init__(self, services: Services, instance: dg.DagsterInstance) -> None:
        self.instance = instance
        self.cursor: str | None = None
        self.repository = build_defs(services=services).get_repository_def()
        instance.add_dynamic_partitions(CONVERSATION, ["conv-1"])

    def tick(self) -> SensorExecutionData:
        sensor = self.repository.get_sensor_def(NAME)
        with dg.build_sensor_context(
            self.instance, cursor=self.cursor, repository_def=self.repository
        ) as context:
            found = sensor.evaluate_tick(context)
        self.cursor = found.cursor
        return found

    def judged(self, release: str) -> None:
        for name in ("ingested_memories", "answers", "judgements"):
            self.instance.report_runless_asset_event(
                dg.AssetMaterialization(name, partition=f"conv-1|{release}")
            )


@contextmanager
def _scenario() -> Iterator[Scenario]:
    with dg.DagsterInstance.ephemeral() as instance:
        yield Scenario(Services(read_settings()), instance)


@pytest.fixture
def scenario() -> Iterator[Scenario]:
    with _scenario() as one:
        yield one


def _metrics_of(found: SensorExecutionData) -> list[str | None]:
    return [
        request.partition_key
        for request in found.run_requests or ()
        if dg.AssetKey(ASSET) in (request.asset_selection or ())
    ]


def test_a_bad_partition_stops_no_other_and_is_told(scenario: Scenario) -> None:
    scenario.instance.add_dynamic_partitions(RELEASE, ["r1"])
    scenario.tick()
    scenario.instance.add_dynamic_partitions(RELEASE, ["pi|pe", "r2"])
    scenario.judged("r2")
    assert _metrics_of(scenario.tick()) == ["r2"]
    assert list(scenario.instance.get_dynamic_partitions(RELEASE)) == ["r1", "r2"]
    wanted = dg.AssetRecordsFilter(dg.AssetKey("results_history"))
    [record] = scenario.instance.fetch_observations(wanted, limit=5).records
    observation = record.event_log_entry.asset_observation
    assert observation is not None
    told = str(observation.metadata["bad_partition"].value)
    assert told.startswith("bad partition: release 'pi|pe': a label has 1 to 100 characters")
    scenario.instance.add_dynamic_partitions(RELEASE, ["r3"])
    scenario.judged("r3")
    assert _metrics_of(scenario.tick()) == ["r3"]


def test_a_bad_conversation_stops_nothing_either(scenario: Scenario) -> None:
    scenario.tick()
    scenario.instance.add_dynamic_partitions(RELEASE, ["r2"])
    scenario.instance.add_dynamic_partitions(CONVERSATION, ["a|b"])
    scenario.judged("r2")
    assert _metrics_of(scenario.tick()) == ["r2"]


def test_what_an_older_version_measured_stays(scenario: Scenario) -> None:
    old = ["$x_$y", "x" * 150, "..", "sl/ash"]
    scenario.instance.add_dynamic_partitions(RELEASE, old)
    assert remove_bad_partitions(scenario.instance) == []
    for label in old:
        scenario.judged(label)
    scenario.tick()
    assert list(scenario.instance.get_dynamic_partitions(RELEASE)) == old


def test_the_channels_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[Notification] = []
    monkeypatch.setenv("LOCOMO_ALERT_URLS_MEDIUM", "json://localhost:1/x")

    def send(_: Channels, one: Notification) -> list[int]:
        sent.append(one)
        return []

    monkeypatch.setattr(Channels, "send", send)
    with _scenario() as scenario:
        scenario.instance.add_dynamic_partitions(RELEASE, ["pi|pe", "r1"])
        scenario.tick()
        scenario.tick()
    assert [one.title for one in sent] == ["LoCoMo: bad partition removed"]
    assert "'pi|pe'" in sent[0].text
