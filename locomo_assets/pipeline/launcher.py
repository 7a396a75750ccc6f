"""The local instance's run launcher and log files; it knows the processes of `locomo-assets run`.

It sees that a run's process is dead, and stops one that Dagster did not start. Without it a killed
run stays "started" for ever, and two of them keep every later run in the queue. While a run is
here, the instance's files stay open.
"""

import json
import os
import signal
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

import dagster as dg

from locomo_assets.history import lease
from locomo_assets.pipeline.unexported import (
    GRPC_INFO_TAG,
    CapturedLogContext,
    CheckRunHealthResult,
    LocalComputeLogManager,
    WorkerStatus,
)


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


@contextmanager
def run_here(instance: dg.DagsterInstance, run_id: str) -> Iterator[None]:
    """Notes that a run is in this process, and keeps its databases open while the block lasts.

    Dagster opens them for each event, and SQLite syncs the disk at each commit, and half a dozen
    times when the last connection closes and the log is written back.
    """
    import sqlalchemy  # definitions do without it, for 0.2 s

    register_process(instance, run_id)
    history = Path(instance.root_directory, "history")
    with ExitStack() as stack:
        if (history / "runs" / "index.db").exists():  # it may be another kind of database
            sqlalchemy.event.listen(sqlalchemy.Engine, "connect", _sync_less)
            stack.callback(sqlalchemy.event.remove, sqlalchemy.Engine, "connect", _sync_less)
            for name in ("runs.db", "runs/index.db", f"runs/{run_id}.db"):
                with suppress(sqlite3.Error):  # where it is serious, Dagster says so itself
                    held = stack.enter_context(closing(sqlite3.connect(history / name)))
                    # As Dagster has it; the run's own, which is new, takes its tables faster so.
                    held.execute("PRAGMA journal_mode = WAL").fetchall()
                    held.execute("SELECT name FROM sqlite_master").fetchall()  # opens the log
        yield


def _sync_less(connection: object, _record: object) -> None:
    """Only a power failure loses what is not synced: the last events, and never half of one.

    Nothing that was paid for is in there.
    """
    if isinstance(connection, sqlite3.Connection):
        connection.execute("PRAGMA synchronous = NORMAL")


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


class LocalLogs(LocalComputeLogManager):
    """Named in `local_dagster.yaml`: the usual files, in `storage`.

    Dagster's own leaves Ctrl-C to the processes that copy a step's output to the terminal, of
    which one then prints a traceback.
    """

    @classmethod
    def from_config_value(cls, inst_data: Any, config_value: Mapping[str, Any]) -> "LocalLogs":
        folder = os.path.join(config_value["base_dir"], "storage")
        return cls(inst_data=inst_data, **{**config_value, "base_dir": folder})

    @contextmanager
    def capture_logs(self, log_key: Sequence[str]) -> Iterator[CapturedLogContext]:
        with ExitStack() as stack:
            # What is started meanwhile never gets the signal; this process gets it afterwards.
            before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
            try:
                captured = stack.enter_context(super().capture_logs(log_key))
            finally:
                signal.pthread_sigmask(signal.SIG_SETMASK, before)
            yield captured
