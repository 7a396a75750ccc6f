"""Leases in a folder, among threads and processes."""

import asyncio
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path

import pytest

from locomo_assets.history import lease
from locomo_assets.history.errors import (
    HistoryUnreachableError,
    LeaseLostError,
    LeaseTakenError,
)
from locomo_assets.history.lease import Lease, acquire, current, leased, release, renew
from locomo_assets.history.storage import LocalStorage
from locomo_assets.http.calls import until_allowed
from locomo_assets_tests.conftest import REPOSITORY
from locomo_assets_tests.history.factories import lineage

MINE, OTHER = lineage("answers", run_id="mine"), lineage("answers", run_id="other")


@pytest.fixture
def storage(tmp_path: Path) -> LocalStorage:
    return LocalStorage(tmp_path)


def test_the_second_run_learns_who_holds_it_and_until_when(storage: LocalStorage) -> None:
    mine = acquire(storage, MINE)
    with pytest.raises(LeaseTakenError) as caught:
        acquire(storage, OTHER)
    for text in ("answers of conv-1, release r1", "run mine", f"{mine.expires_at:%H:%M:%S} UTC"):
        assert text in str(caught.value)
    assert "\n" not in str(caught.value)
    acquire(storage, replace(OTHER, conversation="conv-2"))
    acquire(storage, replace(OTHER, asset="judgements"))
    acquire(storage, replace(OTHER, release="r2"))


def test_released_lease_can_be_acquired_and_leaves_one_object(storage: LocalStorage) -> None:
    for _ in range(3):
        release(storage, acquire(storage, MINE))
    acquire(storage, OTHER)
    assert len(storage.list("leases")) == 1


def test_expired_lease_is_acquired_and_its_old_holder_finds_out(storage: LocalStorage) -> None:
    slow = acquire(storage, MINE, ttl_s=0.0)
    other = acquire(storage, OTHER)
    with pytest.raises(LeaseLostError, match="run other"):
        renew(storage, slow)
    release(storage, slow)
    with pytest.raises(LeaseTakenError, match="run other"):
        acquire(storage, MINE)
    assert renew(storage, other).expires_at > other.expires_at


def test_renewal_keeps_it_from_expiring(storage: LocalStorage) -> None:
    renew(storage, replace(acquire(storage, MINE, ttl_s=0.0), ttl_s=60.0))
    with pytest.raises(LeaseTakenError, match="run mine"):
        acquire(storage, OTHER)


def test_one_of_many_gets_it(storage: LocalStorage) -> None:
    acquire(storage, MINE, ttl_s=0.0)
    got: list[Lease] = []
    barrier = threading.Barrier(8)

    def run(number: int) -> None:
        barrier.wait()
        with suppress(LeaseTakenError):
            got.append(acquire(storage, replace(OTHER, run_id=f"run-{number}")))

    threads = [threading.Thread(target=run, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(got) == 1
    assert renew(storage, got[0]).holder == got[0].holder


ACQUIRING = """
import sys, time
from pathlib import Path
from locomo_assets.history.lease import acquire
from locomo_assets.history.storage import LocalStorage
from locomo_assets_tests.conftest import REPOSITORY
from locomo_assets_tests.history.factories import lineage
acquire(LocalStorage(Path(sys.argv[1])), lineage("answers", run_id="killed"))
print("acquired", flush=True)
time.sleep(60)
"""


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="reads /proc")
def test_killed_process_is_not_waited_for(storage: LocalStorage, tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", ACQUIRING, str(tmp_path)], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "acquired\n"
        with pytest.raises(LeaseTakenError, match="run killed"):
            acquire(storage, MINE)
        process.kill()
        # Dead, and not yet reaped: its id is still in use.
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        acquire(storage, MINE)


def test_process_whose_start_is_not_known_is_gone_only_with_its_id() -> None:
    here = lease.this_machine()
    assert not lease.process_is_gone(here, str(os.getpid()))
    with subprocess.Popen([sys.executable, "-c", ""]) as ended:
        ended.wait()
    # Where the machine can't be named, no process ever counts as gone.
    assert lease.process_is_gone(here, str(ended.pid)) == (here is not None)


LOOKING = """
import os, sys
from locomo_assets.history import lease
machine, *processes = sys.argv[1:]
# The group of root sees all.
os.setgroups([])
os.setgid(65534)
os.setuid(65534)
print([lease.process_is_gone(machine, process) for process in processes])
"""


@pytest.mark.parametrize(
    "mount", ["mount -t proc -o hidepid=2 proc", "mount -t tmpfs tmpfs", "true"]
)
@pytest.mark.skipif(not hasattr(os, "getuid") or os.getuid() != 0, reason="needs root")
def test_process_of_another_user_in_a_hidden_proc_is_not_gone(mount: str) -> None:
    if subprocess.run(["unshare", "-m", "true"], check=False, capture_output=True).returncode:
        pytest.skip("no namespaces here")
    with subprocess.Popen([sys.executable, "-c", ""]) as ended:
        ended.wait()
    machine, living = str(lease.this_machine()), lease.this_process()
    command = f'{mount} /proc && exec "$@"'
    looking = [sys.executable, "-c", LOOKING, machine, living, str(os.getpid()), str(ended.pid)]
    found = subprocess.run(
        ["unshare", "-m", "sh", "-c", command, "sh", *looking],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
    )
    # Without /proc the machine can't be told from others, and the lease's time decides.
    assert found.stdout == f"{[False, False, 'tmpfs' not in mount]}\n"


def test_process_of_another_machine_is_waited_for(
    storage: LocalStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as elsewhere:
        elsewhere.setattr(lease, "this_machine", lambda: "another boot")
        elsewhere.setattr(lease, "process_identity", lambda _: "4194305@1")
        acquire(storage, MINE)
    with pytest.raises(LeaseTakenError, match="run mine"):
        acquire(storage, OTHER)


@pytest.mark.parametrize("older_version", [False, True])
def test_lease_of_another_machine_is_over_once_both_clocks_allow_it(
    storage: LocalStorage, monkeypatch: pytest.MonkeyPatch, older_version: bool
) -> None:
    with monkeypatch.context() as elsewhere:
        elsewhere.setattr(lease, "this_machine", lambda: "another boot")
        mine = acquire(storage, MINE)
    written = storage.get(mine.path)
    if older_version:
        written = written.replace(b' "ttl_s": 60.0,\n', b"")
        assert b"ttl_s" not in written

    def expired_before(seconds: float) -> bytes:
        then = datetime.now(UTC) - timedelta(seconds=seconds)
        return written.replace(mine.expires_at.isoformat().encode(), then.isoformat().encode())

    storage.put(mine.path, expired_before(3.0))
    with pytest.raises(LeaseTakenError, match="run mine"):
        acquire(storage, OTHER)
    storage.put(mine.path, expired_before(6.0))
    acquire(storage, OTHER)


class Interrupted(LocalStorage):
    """A folder in which something else happens right before the first operation of a kind."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.before: dict[str, Callable[[], object]] = {}

    def put(self, path: str, data: bytes) -> None:
        self.before.pop("put", lambda: None)()
        super().put(path, data)

    def put_new(self, path: str, data: bytes) -> None:
        self.before.pop("put_new", lambda: None)()
        super().put_new(path, data)


def test_renewed_after_another_run_found_it_over(storage: LocalStorage, tmp_path: Path) -> None:
    late = replace(acquire(storage, MINE, ttl_s=0.0), ttl_s=60.0)
    others = Interrupted(tmp_path)
    others.before["put_new"] = lambda: renew(storage, late)
    with pytest.raises(LeaseTakenError, match="run mine"):
        acquire(others, OTHER)
    renew(storage, late)
    assert storage.list("leases") == [late.path]


def test_acquired_after_its_holder_looked_for_a_newer_one(
    storage: LocalStorage, tmp_path: Path
) -> None:
    mine = Interrupted(tmp_path)
    late = replace(acquire(mine, MINE, ttl_s=0.0), ttl_s=60.0)
    mine.before["put"] = lambda: acquire(storage, OTHER)
    with pytest.raises(LeaseLostError, match="run other"):
        renew(mine, late)


def test_who_acquires_late_finds_those_that_came_meanwhile(
    storage: LocalStorage, tmp_path: Path
) -> None:
    def others() -> None:
        release(storage, acquire(storage, replace(OTHER, run_id="first")))
        acquire(storage, OTHER)

    late = Interrupted(tmp_path)
    late.before["put_new"] = others
    with pytest.raises(LeaseTakenError, match="run other"):
        acquire(late, MINE)
    assert len(storage.list("leases")) == 1


class Hanging(LocalStorage):
    """A folder that may swallow renewals, or refuse what is written, from a moment on."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.works = threading.Event()
        self.works.set()
        self.refuses = False

    def put(self, path: str, data: bytes) -> None:
        if self.refuses:
            raise HistoryUnreachableError("no network")
        if b'"released": false' in data:
            self.works.wait(30)
        super().put(path, data)


async def test_nothing_is_sent_after_its_time_while_the_store_hangs(tmp_path: Path) -> None:
    storage = Hanging(tmp_path)
    begun, sent_s = time.monotonic(), 0.0

    async def send() -> None:
        nonlocal sent_s
        async with asyncio.timeout(10), leased(storage, MINE, ttl_s=1.2):
            storage.works.clear()
            while True:
                await until_allowed()
                sent_s = time.monotonic() - begun
                await asyncio.sleep(0.01)

    try:
        with pytest.raises(HistoryUnreachableError, match="does not answer: a lease could not"):
            await send()
        assert 0.5 < sent_s < 1.15
    finally:
        storage.works.set()


async def test_late_renewal_does_not_take_the_release_back(tmp_path: Path) -> None:
    storage = Hanging(tmp_path)
    async with leased(storage, MINE, ttl_s=4.0):
        storage.works.clear()
        await asyncio.sleep(1.2)  # a renewal has begun
        asyncio.get_running_loop().call_later(0.2, storage.works.set)
    await asyncio.sleep(0.4)
    lasting = current(storage, MINE)
    assert lasting is not None
    assert lasting.released


@pytest.mark.parametrize("clock", ["sleep included", "wall"])
async def test_who_wakes_up_late_renews_before_it_sends(
    storage: LocalStorage, monkeypatch: pytest.MonkeyPatch, clock: str
) -> None:
    async with leased(storage, MINE):
        before = current(storage, MINE)
        await until_allowed()
        assert current(storage, MINE) == before
        if clock == "wall":
            assert before is not None
            monkeypatch.setattr(lease, "datetime", _Later)
        else:
            uptime_s = time.clock_gettime
            monkeypatch.setattr(time, "clock_gettime", lambda which: uptime_s(which) + 100.0)
        await until_allowed()
        after = current(storage, MINE)
        assert before is not None
        assert after is not None
        assert after.expires_at > before.expires_at


class _Later(datetime):
    @classmethod
    def now(cls, tz: tzinfo | None = None) -> "_Later":
        return cls.fromtimestamp(datetime.now(UTC).timestamp() + 100.0, tz)


async def test_who_wakes_up_before_the_network_does_waits_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    storage, uptime_s = Hanging(tmp_path), time.clock_gettime
    async with asyncio.timeout(10), leased(storage, MINE, ttl_s=2.4):
        storage.refuses = True
        monkeypatch.setattr(time, "clock_gettime", lambda which: uptime_s(which) + 100.0)
        waiting = asyncio.create_task(until_allowed())
        await asyncio.sleep(0.1)
        assert not waiting.done()
        storage.refuses = False
        await waiting


async def test_task_that_outlives_the_lease_sends_nothing(storage: LocalStorage) -> None:
    async with leased(storage, MINE):
        go = asyncio.Event()

        async def late() -> None:
            await go.wait()
            await until_allowed()

        task = asyncio.create_task(late())
    go.set()
    with pytest.raises(LeaseLostError, match="run mine no longer holds its lease"):
        await task
