"""The local instance's run launcher: it also knows the processes of `locomo-assets run`.

It sees that a run's process is dead, and stops one that Dagster did not start. Without it a killed
run stays "started" for ever, and two of them keep every later run in the queue.
"""

import json
import os
import signal
from collections.abc import Callable
from typing import NamedTuple

import dagster as dg

from locomo_assets.history import lease
from locomo_assets.pipeline.unexported import GRPC_INFO_TAG, CheckRunHealthResult, WorkerStatus

PROCESS_TAG = "locomo/process"


class _Worker(NamedTuple):
    """The process that a run is in; names as in `history.lease`."""

    machine: str | None
    process: str

    def is_gone(self) -> bool:
        # The instance lies in a folder of one machine: another boot is an earlier one.
        here = lease.this_machine()
        rebooted = here is not None and _boot(self.machine) != _boot(here)
        return rebooted or lease.process_is_gone(self.machine, self.process)


def process_tag() -> dict[str, str]:
    """Tags that say that a run is in this process."""
    return {PROCESS_TAG: json.dumps(_Worker(lease.this_machine(), lease.this_process()))}


class LocalRunLauncher(dg.DefaultRunLauncher):
    """Named in `local_dagster.yaml`; run monitoring asks it for a run's health."""

    @property
    def supports_check_run_worker_health(self) -> bool:
        return True

    def check_run_worker_health(self, run: dg.DagsterRun) -> CheckRunHealthResult:
        """Failed where the process is dead for certain, else running."""
        worker = _worker(run)
        if worker is None or not worker.is_gone():
            return CheckRunHealthResult(WorkerStatus.RUNNING)
        return CheckRunHealthResult(
            WorkerStatus.FAILED,
            "its process is gone (killed, or the machine was restarted); what it did is saved, and "
            "the next run of the same partitions goes on",
        )

    def terminate(self, run_id: str) -> bool:
        """As Dagster does; a run of `locomo-assets run` gets SIGTERM."""
        run = self._instance.get_run_by_id(run_id)
        worker = _worker(run) if run and not run.is_finished else None
        if run is None or worker is None or GRPC_INFO_TAG in run.tags:
            dagsters: Callable[[str], bool] = super().terminate
            return dagsters(run_id)
        self._instance.report_run_canceling(run)
        if worker.is_gone():
            self._instance.report_run_canceled(run)
        elif worker.machine is not None and worker.machine == lease.this_machine():
            os.kill(lease.pid_of(worker.process), signal.SIGTERM)
        else:
            return False
        return True


def _worker(run: dg.DagsterRun) -> _Worker | None:
    told = run.tags.get(PROCESS_TAG)
    return _Worker(*json.loads(told)) if told else None


def _boot(machine: str | None) -> str | None:
    return machine.partition(" ")[0] if machine else None
