"""Runs of two machines over one history on S3: the first is disturbed while it holds its lease,
and the second wants its work.
"""

import os
import shlex
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import s3fs

from locomo_assets.history.lease import TTL_S
from locomo_assets.standin.server import LOOPBACK
from locomo_assets.standin.settings import StandinSettings
from locomo_assets_tests.chaos.outcome import read_outcome
from locomo_assets_tests.chaos.place import REPOSITORY, Place, Process, served, until
from locomo_assets_tests.chaos.proxy import Proxy
from locomo_assets_tests.chaos.result import Result
from locomo_assets_tests.chaos.small_dataset import small_dataset

STORE_DELAY_S = 0.05
OTHER_S = 400.0
"""Until the run that takes over must have come to its end."""
_ENDS_WITHIN_S = 120.0
"""How long the disturbed run may take to end by itself, once the other has."""
_TRIES = 8
_TAKEN = 1
_STUCK = -signal.SIGKILL


@dataclass(frozen=True, slots=True)
class Takeover:
    """A row of the table. `disturb` gets the place, the first run, and the proxy before S3; it
    returns the exit codes of the first run and of the other.
    """

    name: str
    disturb: Callable[[Place, Process, Proxy], list[int]]
    turn_ms: float
    question_ms: float
    store_delay_s: float = 0.0


def run_takeover(takeover: Takeover, protocol: str) -> Result:
    """The isolated protocol is disturbed while it tells turns, the published while it asks."""
    asks = protocol == "published"
    settings = StandinSettings(
        message_latency_ms=10.0 if asks else takeover.turn_ms,
        first_chunk_latency_ms=takeover.question_ms if asks else 10.0,
    )
    with (
        tempfile.TemporaryDirectory() as folder,
        _s3(takeover.store_delay_s) as (proxy, environment),
    ):
        home = Path(folder)
        dataset = small_dataset(home)
        with served(home, dataset, "s3://chaos/history", settings=settings) as place:
            direct = {
                **environment,
                "LOCOMO_QUESTION_PROTOCOL": protocol,
                "LOCOMO_RUNS_AT_ONCE": "2",
            }
            place.settings |= direct
            proxied = {"AWS_ENDPOINT_URL": f"http://{LOOPBACK}:{proxy.port}"}
            with place.running(home=home / "first", settings=proxied) as first:
                until(partial(_has_begun, place, asks=asks), first, timeout_s=OTHER_S)
                codes = takeover.disturb(place, first, proxy)
            outcome = read_outcome(place, valid=0 in codes)
    return Result(takeover.name, protocol, 1, outcome, codes)


def _has_begun(place: Place, *, asks: bool) -> bool:
    done = place.done()
    return done.answers >= 2 if asks else done.turns >= 20


def stop_and_wake(place: Place, first: Process, _proxy: Proxy) -> list[int]:
    """Stopped past its lease; woken while the other is at work, a little further than it was."""
    first.send_signal(signal.SIGSTOP)
    done = place.done()
    with _other(place) as other:
        until(lambda: place.done() != done, other, timeout_s=OTHER_S)
        first.send_signal(signal.SIGCONT)
        other.communicate(timeout=OTHER_S)
    return [_end(first), other.returncode]


def hang_the_store(place: Place, first: Process, proxy: Proxy) -> list[int]:
    """The first can't renew its lease any more, and nothing tells it."""
    proxy.swallow()
    with _other(place) as other:
        other.communicate(timeout=OTHER_S)
    return [_end(first), other.returncode]


def hide_processes(place: Place, first: Process, _proxy: Proxy) -> list[int]:
    """The other sees nothing of the first in /proc, as if that were another user's."""
    first.send_signal(signal.SIGSTOP)  # so that it still holds its lease when the other asks
    with place.running(within=_hiding(first, place.home)) as other:
        _, errors = other.communicate(timeout=OTHER_S)
    first.send_signal(signal.SIGCONT)
    assert "is at work on it" in errors or other.returncode == 0, errors
    first.communicate(timeout=OTHER_S)
    return [first.returncode, other.returncode]


TAKEOVERS = (
    Takeover("store hangs past the lease", hang_the_store, turn_ms=6000.0, question_ms=6000.0),
    Takeover(
        "stopped past the lease, then woken", stop_and_wake, turn_ms=500.0, question_ms=1000.0
    ),
    Takeover(
        f"the same, store slow by {STORE_DELAY_S * 1000:g} ms",
        stop_and_wake,
        turn_ms=500.0,
        question_ms=1000.0,
        store_delay_s=STORE_DELAY_S,
    ),
    Takeover("/proc hidden", hide_processes, turn_ms=2000.0, question_ms=4000.0),
)


@contextmanager
def _other(place: Place) -> Iterator[Process]:
    """A run that has got the lease: none does before that is over."""
    time.sleep(TTL_S)
    errors = ""
    for _ in range(_TRIES):
        done = place.done()
        with place.running() as process:
            while process.poll() is None and place.done() == done:
                time.sleep(0.2)
            if process.poll() != _TAKEN:
                yield process
                return
            _, errors = process.communicate()
    raise AssertionError(f"the lease was not to be had long after its end: {errors}")


def _end(process: Process) -> int:
    """The exit code of a run that ends by itself; SIGKILL's of one that does not."""
    try:
        process.communicate(timeout=_ENDS_WITHIN_S)
    except subprocess.TimeoutExpired:
        return _STUCK
    return process.returncode


def _hiding(process: Process, folder: Path) -> list[str]:
    """A command that runs another one where the process and its children are not in /proc."""
    empty = folder / "empty"
    empty.mkdir()
    mounts = [f"mount --bind {shlex.quote(str(empty))} /proc/{pid}" for pid in _tree(process.pid)]
    unshare = ["unshare", "--mount", *([] if os.getuid() == 0 else ["--map-root-user"])]
    return [*unshare, "sh", "-c", f'{" && ".join(mounts)} && exec "$@"', "sh"]


def _tree(pid: int) -> list[int]:
    found = [pid]
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in (task / "children").read_text().split():
            found += _tree(int(child))
    return found


@contextmanager
def _s3(delay_s: float) -> Iterator[tuple[Proxy, Mapping[str, str]]]:
    """An S3 with a bucket, the environment of runs that use it, and a proxy before it."""
    with socket.create_server((LOOPBACK, 0)) as free:
        port = free.getsockname()[1]
    server = subprocess.Popen(
        [sys.executable, "-m", "locomo_assets_tests.object_store", LOOPBACK, str(port)],
        cwd=REPOSITORY,
        stderr=subprocess.DEVNULL,
    )
    try:
        until(lambda: _answers(port), server)
        endpoint = f"http://{LOOPBACK}:{port}"
        s3fs.S3FileSystem(
            key="nobody", secret="none", endpoint_url=endpoint, skip_instance_cache=True
        ).mkdir("chaos")
        environment = {
            "AWS_ACCESS_KEY_ID": "nobody",
            "AWS_SECRET_ACCESS_KEY": "none",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_ENDPOINT_URL": endpoint,
        }
        with Proxy(port, delay_s).serving() as proxy:
            yield proxy, environment
    finally:
        server.kill()
        server.wait()


def _answers(port: int) -> bool:
    try:
        socket.create_connection((LOOPBACK, port), timeout=5).close()
    except OSError:
        return False
    return True
