"""The local instance's run launcher: it also knows the processes of `locomo-assets run`.

It sees that a run's process is dead, and stops one that Dagster did not start. Without it a killed
run stays "started" for ever, and two of them keep every later run in the queue.
"""

import json
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

import dagster as dg

from locomo_assets.history import lease
from locomo_assets.pipeline.unexported import GRPC_INFO_TAG, CheckRunHealthResult, WorkerStatus


class _Worker(NamedTuple):
    """The process that a run is in; names as in `history.lease`."""

    machine: str | None
    process: str

    def is_gone(self) -> bool:
        # The instance lies in a folder of one machine: another boot is an earlier one.
        here = lease.this_machine()
        rebooted = here is not None and _boot(self.machine) != _boot(here)
        return rebooted or lease.process_is_gone(self.machine, self.process)

    @contextmanager
    def opened(self) -> Iterator[int | None]:
        """A file descriptor that stands for this very process, whose id may be reused meanwhile.

        None where it is not certain that the process with this id is the run's.
        """
        here = lease.this_machine()
        if here is None or self.machine != here:
            yield None
            return
        pid, opened = lease.pid_of(self.process), None
        try:
            opened = os.pidfd_open(pid)
            signal.pidfd_send_signal(opened, 0)
            is_it = lease.process_identity(pid) == self.process
        except (AttributeError, OSError):  # not on this system, gone, hidden, or another user's
            is_it = False
        try:
            yield opened if is_it else None
        finally:
            if opened is not None:
                os.close(opened)


def register_process(instance: dg.DagsterInstance, run_id: str) -> None:
    """Note that a run is in this process.

    Not as a tag of the run: whoever launches a run chooses its tags, and could name any process.
    """
    worker = _Worker(lease.this_machine(), lease.this_process())
    instance.daemon_cursor_storage.set_cursor_values({_key(run_id): json.dumps(worker)})


def registered_process(instance: dg.DagsterInstance, run_id: str) -> str | None:
    """The process that a run is in, as in `lease.process_identity`."""
    worker = _worker(instance, run_id)
    return worker and worker.process


class LocalRunLauncher(dg.DefaultRunLauncher):
    """Named in `local_dagster.yaml`; run monitoring asks it for a run's health."""

    @property
    def supports_check_run_worker_health(self) -> bool:
        return True

    def check_run_worker_health(self, run: dg.DagsterRun) -> CheckRunHealthResult:
        """Failed where the process is dead for certain, else running."""
        worker = _worker(self._instance, run.run_id)
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
        worker = _worker(self._instance, run_id) if run and not run.is_finished else None
        if run is None or worker is None or GRPC_INFO_TAG in run.tags:
            dagsters: Callable[[str], bool] = super().terminate
            return dagsters(run_id)
        if worker.is_gone():
            self._instance.report_run_canceling(run)
            self._instance.report_run_canceled(run)
            return True
        with worker.opened() as process:
            if process is None:
                return False
            self._instance.report_run_canceling(run)
            signal.pidfd_send_signal(process, signal.SIGTERM)
        return True


def _worker(instance: dg.DagsterInstance, run_id: str) -> _Worker | None:
    key = _key(run_id)
    told = instance.daemon_cursor_storage.get_cursor_values({key}).get(key)
    return _Worker(*json.loads(told)) if told else None


def _key(run_id: str) -> str:
    return f"locomo/process/{run_id}"


def _boot(machine: str | None) -> str | None:
    return machine.partition(" ")[0] if machine else None
