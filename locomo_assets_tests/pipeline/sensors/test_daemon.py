"""The sensor `alerts` by the daemon's own loop, evaluated in a code server of its own, which is
started anew between two ticks: nothing is forgotten, nothing told twice.
"""

import logging
import time
from collections.abc import Callable
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.test_utils import freeze_time
from dagster._core.workspace.context import WorkspaceProcessContext
from dagster._core.workspace.load_target import ModuleTarget
from dagster._daemon.sensor import execute_sensor_iteration

from locomo_assets.errors import LocomoError
from locomo_assets.pipeline.launch import prepare_home
from locomo_assets_tests.reporting.alerts.sink import served_sink

CODE = ModuleTarget(
    module_name="locomo_assets.definitions",
    attribute=None,
    working_directory=None,
    location_name="locomo_assets",
)


@dg.asset
def paid_work(config: dict[str, bool]) -> None:
    """Fails where told to."""
    if config["fails"]:
        raise LocomoError("no credit left")


def run(instance: dg.DagsterInstance, *, fails: bool) -> None:
    """A real run of this process, recorded where the daemon reads."""
    done = dg.materialize(
        [paid_work],
        instance=instance,
        run_config={"ops": {"paid_work": {"config": {"fails": fails}}}},
        raise_on_error=False,
    )
    assert done.success is not fails


def test_through_restarts_of_daemon_and_code_server(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = prepare_home(home)
    with (folder / "dagster.yaml").open("a") as more:
        # No code server outlives this test.
        more.write("code_servers: {wait_for_local_processes_on_shutdown: true}\n")
    monkeypatch.setenv("DAGSTER_HOME", str(folder))
    now = time.time()

    def ticks(instance: dg.DagsterInstance, between: Callable[[], None] | None = None) -> None:
        """A daemon's life: a tick, something that happens, and another tick half a minute later."""
        nonlocal now
        with WorkspaceProcessContext(instance, CODE) as workspace:
            for happens in (between, None):
                now += 31
                with freeze_time(now):
                    log = logging.getLogger("daemon")
                    for error in execute_sensor_iteration(workspace, log, None, None):
                        assert error is None, error
                if happens:
                    happens()

    with served_sink() as sink, dg.DagsterInstance.get() as instance:
        monkeypatch.setenv("LOCOMO_ALERT_URLS_HIGH", sink.url())
        run(instance, fails=True)  # of before the alerts were on
        ticks(instance, lambda: run(instance, fails=True))
        assert sink.titles() == ["LoCoMo paid_work: run failed"]
        run(instance, fails=True)  # while no daemon is there
        ticks(instance, lambda: run(instance, fails=False))
        assert sink.titles()[1:] == ["LoCoMo paid_work: run failed – recovered"]
        (state,) = [
            one for one in instance.all_instigator_state() if one.instigator_name == "alerts"
        ]
        assert len(instance.get_ticks(state.instigator_origin_id, state.selector_id)) == 4
