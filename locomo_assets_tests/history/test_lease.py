"""Leases in a folder, among threads and processes."""

import os
import subprocess
import sys
import threading
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from locomo_assets.history import lease
from locomo_assets.history.errors import LeaseLostError, LeaseTakenError
from locomo_assets.history.lease import Lease, acquire, release, renew
from locomo_assets.history.storage import LocalStorage
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
os.setuid(65534)
print([lease.process_is_gone(machine, process) for process in processes])
"""


@pytest.mark.parametrize(
    "mount", ["mount -t proc -o hidepid=2 proc", "mount -t tmpfs tmpfs", "true"]
)
@pytest.mark.skipif(not hasattr(os, "getuid") or os.getuid() != 0, reason="needs root")
def test_process_of_another_user_in_a_hidden_proc_is_not_gone(mount: str) -> None:
    if subprocess.run(["unshare", "-m", "true"], capture_output=True).returncode:
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
