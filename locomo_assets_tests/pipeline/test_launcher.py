"""Runs that Dagster did not start: seen when they are dead, and stopped like any other."""

import errno
import json
import logging
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.launcher import WorkerStatus
from dagster._core.storage.event_log import SqliteEventLogStorage
from dagster._core.test_utils import create_test_daemon_workspace_context
from dagster._core.workspace.load_target import EmptyWorkspaceTarget
from dagster._daemon.monitoring import execute_run_monitoring_iteration

from locomo_assets.history import lease
from locomo_assets.pipeline.launch import prepare_home
from locomo_assets.pipeline.launcher import register_process, registered_process, run_here

pytestmark = pytest.mark.skipif(
    not Path("/proc/self/stat").exists(), reason="processes are told apart through /proc only"
)


@pytest.fixture
def instance(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dg.DagsterInstance]:
    monkeypatch.setenv("DAGSTER_HOME", str(prepare_home(home)))
    with dg.DagsterInstance.get() as opened:
        yield opened


@contextmanager
def _process() -> Iterator["subprocess.Popen[bytes]"]:
    # Whoever runs the tests may ignore SIGTERM, which a process inherits.
    sleeps = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_DFL); print(flush=True)"
    command = [sys.executable, "-c", f"{sleeps}; time.sleep(60)"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        try:
            process.stdout.readline()
            yield process
        finally:
            process.kill()


def _started(
    instance: dg.DagsterInstance,
    machine: str | None,
    process: str | None,
    tags: dict[str, str] | None = None,
) -> str:
    """A run at work in a process; its id."""
    run = dg.DagsterRun(job_name="__ASSET_JOB", status=dg.DagsterRunStatus.STARTED, tags=tags or {})
    if process is not None:
        with pytest.MonkeyPatch.context() as there:
            there.setattr(lease, "this_machine", lambda: machine)
            there.setattr(lease, "this_process", lambda: process)
            register_process(instance, run.run_id)
        assert registered_process(instance, run.run_id) == process
    return instance.add_run(run).run_id


def _monitored(instance: dg.DagsterInstance, run_id: str) -> dg.DagsterRunStatus:
    """Its status after the daemon has looked at all runs."""
    with create_test_daemon_workspace_context(EmptyWorkspaceTarget(), instance) as context:
        errors = list(execute_run_monitoring_iteration(context, logging.getLogger("test")))
    assert errors == [None] * len(errors)
    return _run(instance, run_id).status


def _run(instance: dg.DagsterInstance, run_id: str) -> dg.DagsterRun:
    run = instance.get_run_by_id(run_id)
    assert run is not None
    return run


def test_run_of_a_killed_process_has_failed(instance: dg.DagsterInstance) -> None:
    with _process() as process:
        run_id = _started(instance, lease.this_machine(), lease.process_identity(process.pid))
        assert _monitored(instance, run_id) == dg.DagsterRunStatus.STARTED
        process.kill()
        process.wait()
        assert _monitored(instance, run_id) == dg.DagsterRunStatus.FAILURE


def test_run_from_before_a_restart_has_failed(instance: dg.DagsterInstance) -> None:
    run_id = _started(instance, "earlier-boot pid:[1]", lease.this_process())
    assert _monitored(instance, run_id) == dg.DagsterRunStatus.FAILURE


@pytest.mark.parametrize("unreadable", ["stat", "boot_id"])
def test_run_of_a_process_that_can_not_be_looked_at_is_left_alone(
    instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch, unreadable: str
) -> None:
    whole = Path.read_text

    def exhausted(path: Path, **how: str) -> str:
        if path.name == unreadable:
            raise OSError(errno.EMFILE, "Too many open files", str(path))
        return whole(path, **how)

    with _process() as process:
        run_id = _started(instance, lease.this_machine(), lease.process_identity(process.pid))
        monkeypatch.setattr(Path, "read_text", exhausted)
        health = instance.run_launcher.check_run_worker_health(_run(instance, run_id))
    assert health.status == WorkerStatus.RUNNING


def test_run_that_can_not_be_seen_is_left_alone(instance: dg.DagsterInstance) -> None:
    boot = str(lease.this_machine()).partition(" ")[0]
    elsewhere = _started(instance, f"{boot} pid:[1]", "1@1")
    unknown = _started(instance, None, None)
    for run_id in (elsewhere, unknown):
        assert _monitored(instance, run_id) == dg.DagsterRunStatus.STARTED
    assert not instance.run_launcher.terminate(elsewhere)


def test_cancel_reaches_the_process(instance: dg.DagsterInstance) -> None:
    with _process() as process:
        run_id = _started(instance, lease.this_machine(), lease.process_identity(process.pid))
        assert instance.run_launcher.terminate(run_id)
        assert _run(instance, run_id).status == dg.DagsterRunStatus.CANCELING
        assert process.wait(10) == -signal.SIGTERM


def test_cancel_of_a_dead_run_ends_it(instance: dg.DagsterInstance) -> None:
    with _process() as process:
        run_id = _started(instance, lease.this_machine(), lease.process_identity(process.pid))
        process.kill()
    assert instance.run_launcher.terminate(run_id)
    assert _run(instance, run_id).status == dg.DagsterRunStatus.CANCELED
    assert not instance.run_launcher.terminate(run_id)


def test_process_that_only_a_tag_names_gets_no_signal(instance: dg.DagsterInstance) -> None:
    with _process() as another:
        worker = json.dumps([lease.this_machine(), lease.process_identity(another.pid)])
        run_id = _started(instance, None, None, {"locomo/process": worker})
        assert not instance.run_launcher.terminate(run_id)
        assert another.poll() is None


@pytest.mark.parametrize("process", ["{pid}", "{pid}@1"])
def test_process_of_which_only_the_id_is_known_gets_no_signal(
    instance: dg.DagsterInstance, process: str
) -> None:
    with _process() as another:
        run_id = _started(instance, lease.this_machine(), process.format(pid=another.pid))
        ended = instance.run_launcher.terminate(run_id)
        assert another.poll() is None
    # Another start proves that the run's own process is gone.
    assert ended == ("@" in process)
    expected = dg.DagsterRunStatus.CANCELED if ended else dg.DagsterRunStatus.STARTED
    assert _run(instance, run_id).status == expected


def test_databases_stay_open_while_a_run_is_here(instance: dg.DagsterInstance) -> None:
    run = instance.add_run(dg.DagsterRun(job_name="__ASSET_JOB"))
    history = Path(instance.root_directory, "history")

    def logs() -> set[str]:
        """SQLite's logs: the last connection that closes writes them back and removes them."""
        return {str(one.relative_to(history)) for one in history.rglob("*.db-wal")}

    with run_here(instance, run.run_id):
        instance.report_engine_event("at work", run)
        instance.add_dynamic_partitions("release", ["r1"])
        kept, within = logs(), _synchronous(instance, run.run_id)
        another = [sys.executable, "-c", _WRITES, str(history / "runs.db")]
        subprocess.run(another, check=True, timeout=60)
    assert kept == {"runs.db-wal", "runs/index.db-wal", f"runs/{run.run_id}.db-wal"}
    assert not logs()
    assert (within, _synchronous(instance, run.run_id)) == (_NORMAL, _FULL)
    assert [one.message for one in instance.all_logs(run.run_id)] == ["at work"]


def test_run_is_here_whatever_the_instance_keeps_its_events_in() -> None:
    with dg.DagsterInstance.ephemeral() as instance, run_here(instance, "a-run"):
        assert registered_process(instance, "a-run") == lease.this_process()
    assert not list(Path(instance.root_directory).rglob("*.db"))


_NORMAL, _FULL = 1, 2


def _synchronous(instance: dg.DagsterInstance, run_id: str) -> int:
    """How a connection of Dagster's syncs the disk, as SQLite numbers it."""
    storage = instance.event_log_storage
    assert isinstance(storage, SqliteEventLogStorage)
    with storage.run_connection(run_id) as connection:
        return int(connection.exec_driver_sql("PRAGMA synchronous").scalar_one())


_WRITES = """
import sqlite3, sys
with sqlite3.connect(sys.argv[1], timeout=0) as connection:
    connection.execute("INSERT INTO kvs (key, value) VALUES ('by another process', '')")
"""
