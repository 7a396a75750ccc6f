"""A Dagster daemon over a home of the test's own, and what its instance says.

Whatever else is to hear of a run (an alert sink, say) gets its address through `environment`, and
is looked at where the test asserts.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import dagster as dg
from dagster._core.scheduler.instigation import InstigatorTick

from locomo_assets.pipeline.build import build_defs
from locomo_assets.pipeline.launch import prepare_home
from locomo_assets.services import Services
from locomo_assets.settings import read_settings
from locomo_assets_tests.daemon import hurried
from locomo_assets_tests.locomo.factories import encoded, small_file

REPOSITORY = Path(__file__).resolve().parents[2]
MODULE = "locomo_assets.definitions"
CONVERSATIONS = [f"talk-{number}" for number in range(10)]
PATIENCE_S = 400.0
"""For a machine that has other things to do; nothing is measured by it."""

T = TypeVar("T")


@dataclass
class Loop:
    """The instance that the daemon works on."""

    instance: dg.DagsterInstance
    services: Services
    log: Path
    daemon: "subprocess.Popen[bytes] | None" = None
    found: dict[str, int] = field(default_factory=dict)
    """Sensor → the newest tick that was waited for."""

    def until(self, what: str, look: Callable[[], T | None]) -> T:
        """The first thing that `look` returns and that is something."""
        end = time.monotonic() + PATIENCE_S
        while time.monotonic() < end:
            assert self.daemon is None or self.daemon.poll() is None, self.log.read_text()[-3000:]
            found = look()
            if found:
                return found
            time.sleep(0.1)
        raise AssertionError(f"never came: {what}\n{self.log.read_text()[-6000:]}")

    def ticks(self, sensor: str) -> list[InstigatorTick]:
        """Newest first."""
        for state in self.instance.all_instigator_state():
            if state.instigator_name == sensor:
                origin, selector = state.instigator_origin_id, state.selector_id
                return list(self.instance.get_ticks(origin, selector, limit=50))
        return []

    def skipped(self, sensor: str, because: str) -> bool:
        """Whether a tick after the one that was waited for last was skipped for this reason."""
        for tick in reversed(self.ticks(sensor)):
            is_new = tick.tick_id > self.found.get(sensor, 0)
            if is_new and tick.skip_reason and because in str(tick.skip_reason):
                self.found[sensor] = tick.tick_id
                return True
        return False

    def runs(self, **tags: str) -> list[dg.DagsterRun]:
        wanted = {name.replace("_", "/", 1): value for name, value in tags.items()}
        return list(self.instance.get_runs(dg.RunsFilter(tags=wanted)))

    def ended(self, release: str) -> dg.DagsterRun | None:
        """The one run that measures a release, once it is over."""
        runs = self.runs(locomo_release=release, locomo_source="json")
        assert len(runs) <= 1
        return runs[0] if runs and runs[0].is_finished else None

    def materialized(self, asset: str) -> set[str]:
        return set(self.instance.get_materialized_partitions(dg.AssetKey(asset)))


def ten_conversations(path: Path) -> Path:
    """A data set of ten tiny conversations."""
    file: list[dict[str, Any]] = []
    for name in CONVERSATIONS:
        file += [{**json.loads(encoded(small_file()[0])), "sample_id": name}]
    path.write_bytes(encoded(file))
    return path


@contextmanager
def running_loop(
    home: Path, environment: Mapping[str, str], sensors: tuple[str, ...]
) -> Iterator[Loop]:
    """A daemon with these sensors started, over a history that has the data set; ended at the end.

    `environment` is this process's already, as are the settings read from it.
    """
    os.environ.setdefault("DAGSTER_HOME", str(prepare_home(home)))
    services = Services(read_settings())
    job = build_defs(services=services).resolve_implicit_global_asset_job_def()
    log = home / "daemon.log"
    with dg.DagsterInstance.get() as instance:
        dataset = [dg.AssetKey("locomo_dataset")]
        assert job.execute_in_process(instance=instance, asset_selection=dataset).success
        loop = Loop(instance, services, log)
        with log.open("wb") as file:
            # Started without a shell's job control, a child would ignore SIGINT: `env` restores it.
            loop.daemon = subprocess.Popen(
                ["env", "--default-signal=INT,TERM", sys.executable, "-m", "dagster._daemon", "run",
                 "-m", MODULE],
                cwd=REPOSITORY,
                env={**os.environ, **environment, **hurried()},
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )  # fmt: skip
        try:
            for sensor in sensors:
                _start(sensor, environment)
            yield loop
        finally:
            _end(loop.daemon)


def _start(sensor: str, environment: Mapping[str, str]) -> None:
    """As a user switches it on."""
    subprocess.run(
        [sys.executable, "-m", "dagster", "sensor", "start", sensor, "-m", MODULE],
        cwd=REPOSITORY,
        env={**os.environ, **environment},
        check=True,
        capture_output=True,
    )


def _end(daemon: "subprocess.Popen[bytes]") -> None:
    daemon.send_signal(signal.SIGINT)
    with suppress(subprocess.TimeoutExpired):
        daemon.wait(3)
    with suppress(ProcessLookupError):
        # the code server and runs, which are of the daemon's session
        os.killpg(daemon.pid, signal.SIGKILL)
    daemon.wait()
