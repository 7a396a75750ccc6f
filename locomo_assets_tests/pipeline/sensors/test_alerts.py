"""The sensor `alerts` over real runs in a real instance, a tick after the other, to a real sink."""

import functools
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import dagster as dg
import pytest

from locomo_assets.errors import LocomoError
from locomo_assets.pipeline.build import build_defs
from locomo_assets.pipeline.launch import Launch, LaunchError, launch, prepare_home
from locomo_assets.pipeline.sensors import alerts as room
from locomo_assets.pipeline.sensors.alerts import alerts_sensor
from locomo_assets.reporting.alerts import detect
from locomo_assets.services import Services
from locomo_assets.settings import Settings, read_settings
from locomo_assets.standin import server
from locomo_assets.standin.settings import StandinSettings
from locomo_assets_tests.reporting.alerts.sink import Sink, served_sink
from locomo_assets_tests.secrets.searching import BACKBOARD_KEY, OPENAI_KEY, holds_a_key


class Ticks:
    """The daemon's part: the sensor with its cursor; each tick in a new sensor."""

    def __init__(self, instance: dg.DagsterInstance) -> None:
        self.instance = instance
        self.cursor: str | None = None
        self.said = ""

    def tick(self) -> None:
        with dg.build_sensor_context(instance=self.instance, cursor=self.cursor) as context:
            told = alerts_sensor(read_settings())(context)
            assert isinstance(told, dg.SkipReason)
            self.said, self.cursor = told.skip_message or "", context.cursor


@pytest.fixture
def sink(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sink]:
    with served_sink() as sink:
        for severity in ("high", "medium", "low"):
            monkeypatch.setenv(f"LOCOMO_ALERT_URLS_{severity.upper()}", sink.url(severity))
        monkeypatch.setenv("LOCOMO_UI_URL", "https://ui.example.org")
        monkeypatch.setattr(detect, "FIRST_PAUSE", timedelta(0))
        yield sink


@pytest.fixture(scope="module")
def instance() -> Iterator[dg.DagsterInstance]:
    """Shared: a sensor that has no cursor looks only at what ends from then on."""
    with dg.DagsterInstance.ephemeral() as instance:
        yield instance


@pytest.fixture
def ticks(home: Path, instance: dg.DagsterInstance) -> Ticks:
    return Ticks(instance)


def asset_that(name: str, said: str | None) -> dg.AssetsDefinition:
    """Fails with a text, or does nothing."""

    @dg.asset(name=name, partitions_def=dg.DynamicPartitionsDefinition(name="release"))
    def asset() -> None:
        if said is not None:
            raise LocomoError(said)

    return asset


Runs = Callable[..., dg.ExecuteInProcessResult]


@pytest.fixture
def runs(ticks: Ticks) -> Runs:
    """Real runs of assets that do as told: a text to fail with, or None."""

    def run(*said: str | None, release: str = "r1") -> dg.ExecuteInProcessResult:
        """Of one asset for each text, in the release's partition."""
        assets = [asset_that(f"asset_{number}", one) for number, one in enumerate(said)]
        job = dg.Definitions(assets=assets, executor=dg.in_process_executor)
        ticks.instance.add_dynamic_partitions("release", [release])
        return job.resolve_implicit_global_asset_job_def().execute_in_process(
            instance=ticks.instance, partition_key=release, raise_on_error=False
        )

    return run


def test_off_without_urls_and_on_with_one(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def status() -> dg.DefaultSensorStatus:
        (found,) = [s for s in build_defs(read_settings()).sensors or [] if s.name == "alerts"]
        return found.default_status

    assert status() == dg.DefaultSensorStatus.STOPPED
    monkeypatch.setenv("LOCOMO_ALERT_URLS_LOW", "json://127.0.0.1:9/planted-token-1")
    assert status() == dg.DefaultSensorStatus.RUNNING
    assert "planted-token-1" not in repr(read_settings())


def test_without_urls_a_tick_does_nothing(ticks: Ticks) -> None:
    ticks.cursor = '{"position": 3}'
    ticks.tick()
    assert "LOCOMO_ALERT_URLS_HIGH" in ticks.said
    assert not ticks.cursor


def test_told_once_then_recovered(sink: Sink, ticks: Ticks, runs: Runs) -> None:
    runs("of before the alerts were on")
    ticks.tick()
    first = runs(None, "no credit left")
    runs(None, "no credit left")
    for _ in range(2):
        ticks.tick()
    assert sink.titles() == ["LoCoMo r1: run failed"]
    (post,) = sink.posts
    assert (post["path"], post["type"]) == ("/high", "failure")
    assert post["message"].splitlines() == [
        "locomo_assets.errors.LocomoError: no credit left",
        "Left undone: asset_1 of r1.",
        "What is stored stays; the same run again goes on where this one stopped.",
        f"https://ui.example.org/runs/{first.run_id}",
    ]
    runs(None, None, release="r2")
    ticks.tick()
    assert len(sink.posts) == 1
    again = runs(None, None)
    ticks.tick()
    ticks.tick()
    assert sink.titles()[1:] == ["LoCoMo r1: run failed – recovered"]
    assert f"/runs/{again.run_id}" in sink.posts[-1]["message"]
    assert sink.posts[-1]["type"] == "success"


def test_a_sink_that_is_down_fails_or_hangs_is_served_when_it_is_back(
    sink: Sink, ticks: Ticks, runs: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("locomo_assets.reporting.alerts.channels.SEND_TIMEOUT_S", 1.0)
    ticks.tick()
    runs("no credit left")
    sink.mode = "fails"
    ticks.tick()
    assert "0 alerts sent, 1 waiting; 1 incidents open" in ticks.said
    sink.mode = "hangs"
    ticks.tick()
    assert "1 waiting" in ticks.said
    with monkeypatch.context() as patch:
        patch.setenv("LOCOMO_ALERT_URLS_HIGH", "json://127.0.0.1:9/nobody")
        ticks.tick()
    assert "1 waiting" in ticks.said
    assert (sink.posts, sink.refused) == ([], 2)
    sink.mode = "accepts"
    ticks.tick()
    assert "1 alerts sent, 0 waiting" in ticks.said
    ticks.tick()
    assert sink.titles() == ["LoCoMo r1: run failed"]


def test_what_is_not_understood_is_logged_without_it(
    sink: Sink, ticks: Ticks, runs: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOCOMO_ALERT_URLS_HIGH", f"no-such://planted-token-1 {sink.url()}")
    ticks.tick()
    runs("no credit left")
    ticks.tick()
    assert sink.titles() == ["LoCoMo r1: run failed"]
    assert "1 alerts sent, 0 waiting" in ticks.said


def test_no_key_leaves_or_is_remembered(
    sink: Sink, ticks: Ticks, runs: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BACKBOARD_API_KEY", BACKBOARD_KEY)
    monkeypatch.setenv("OPENAI_API_KEY", OPENAI_KEY)
    url = sink.url("T0kenOfTheChannel123")
    monkeypatch.setenv("LOCOMO_ALERT_URLS_HIGH", url)
    ticks.tick()
    runs(f"{BACKBOARD_KEY} was refused by {url}, {OPENAI_KEY[:20]} too; password=Swordfish")
    sink.mode = "fails"
    ticks.tick()
    assert "no credit" not in (ticks.cursor or "")
    sink.mode = "accepts"
    ticks.tick()
    (post,) = sink.posts
    for told in (post["message"], post["title"], ticks.cursor or "", ticks.said):
        assert not holds_a_key(told)
        assert "Swordfish" not in told
        assert "T0kenOfTheChannel123" not in told
    assert "was refused by" in post["message"]


def test_of_many_runs_all_are_looked_at_in_order(
    sink: Sink, ticks: Ticks, runs: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "_RUNS_AT_ONCE", 2)
    ticks.tick()
    for said in ("a", None, "b", None, "c"):
        runs(said)
    told = []
    while "0 runs ended" not in ticks.said:
        ticks.tick()
        told.append(ticks.said.partition(";")[0])
    assert told == ["2 runs ended", "2 runs ended", "1 runs ended", "0 runs ended"]
    # Beginning and end of an incident within one tick are told by the end alone.
    failed = "LoCoMo r1: run failed"
    assert sink.titles() == [f"{failed} – recovered", f"{failed} – recovered", failed]


def test_deleted_runs_are_passed_over(sink: Sink, ticks: Ticks, runs: Runs) -> None:
    ticks.tick()
    ticks.instance.delete_run(runs("gone").run_id)
    runs("stays")
    ticks.tick()
    assert "stays" in sink.posts[0]["message"]
    ticks.tick()
    assert "0 runs ended" in ticks.said


def test_a_failed_measurement_its_recovery_and_its_findings(
    home: Path, sink: Sink, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The stand-in in the place of a service that is held to its accuracy, and fails."""
    monkeypatch.setattr("locomo_assets.analysis.checks.is_free", lambda _: False)
    monkeypatch.setattr("locomo_assets.analysis.checks.MAX_API_ERROR_PERCENT", -1.0)
    monkeypatch.setenv("LOCOMO_MIN_ACCURACY_PERCENT", "100")
    monkeypatch.setenv("LOCOMO_MAX_RUN_MINUTES", "0.0001")
    monkeypatch.setenv("DAGSTER_HOME", str(prepare_home(home)))
    wanted = Launch(release="r1", conversations=["sample-1"], questions=6)
    place = Services(read_settings())
    with dg.DagsterInstance.get() as instance:
        ticks = Ticks(instance)
        ticks.tick()
        with monkeypatch.context() as patch:
            faulty = functools.partial(
                server.standin_transport, settings=StandinSettings(keys=("another",))
            )
            patch.setattr(server, "standin_transport", faulty)
            with pytest.raises(LaunchError, match="key"):
                launch(wanted, place)
        ticks.tick()
        (failed,) = sink.posts
        assert (failed["path"], failed["title"]) == ("/high", "LoCoMo r1: run failed")
        assert "key" in failed["message"].splitlines()[0]
        assert "judgements of sample-1|r1" in failed["message"].splitlines()[1]
        launch(wanted, place)
        ticks.tick()
        told = {post["title"]: post for post in sink.posts[1:]}
        assert {title: post["path"] for title, post in told.items()} == {
            "LoCoMo r1: run failed – recovered": "/high",
            "LoCoMo r1: API error rate too high": "/high",
            "LoCoMo r1: accuracy too low": "/medium",
            "LoCoMo r1: long run": "/low",
        }
        low = told["LoCoMo r1: accuracy too low"]["message"]
        assert low.startswith("Expected: at least 100 %.\nFound: ")
        assert "\nwarning: the packaged stand-in was measured, no real service\n" in low
        assert "\nAccuracy of r1: " in low
        assert low.splitlines()[-1].startswith("https://ui.example.org/runs/")
        monkeypatch.setenv("LOCOMO_MIN_ACCURACY_PERCENT", "0")
        job = build_defs(read_settings()).resolve_implicit_global_asset_job_def()
        job.execute_in_process(
            instance=instance,
            asset_selection=[dg.AssetKey("accuracy_metrics")],
            partition_key="r1",
        )
        ticks.tick()
        assert sink.titles()[5:] == ["LoCoMo r1: accuracy too low – recovered"]


def test_settings_give_away_every_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BACKBOARD_API_KEY", BACKBOARD_KEY)
    monkeypatch.setenv("LOCOMO_ALERT_URLS_LOW", "json://host/low")
    assert Settings().held_secrets() == [BACKBOARD_KEY, "json://host/low"]


def test_a_run_that_was_only_marked_as_failed_has_a_cause() -> None:
    event = dg.DagsterEvent(
        dg.DagsterEventType.RUN_FAILURE.value, "job", message="its process is gone"
    )
    assert room._cause(event) == "its process is gone"
