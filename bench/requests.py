"""What a request costs: the processor time of measuring (`runs.runner.measure`, saves and commits
included) at a stand-in that keeps a tape, and of a bare httpx client that sends the same requests
at the same times, no more of them at once, to a server that answers as on the tape. Each is a
process of its own and warm: imports, Dagster and the data set's reading count for neither.
"""

import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractContextManager, asynccontextmanager, nullcontext
from dataclasses import asdict, dataclass
from itertools import accumulate
from pathlib import Path
from typing import Any

import httpx

from bench.figures import Figure
from bench.serving import LATENCIES, Served
from bench.tape import Exchange, exchanges, playing, recording, write
from bench.work import cut
from locomo_assets.standin.settings import StandinSettings

GOAL_RATIO = 1.5

# The machine may be busy with other things.
_PATIENT_S = 60.0

_OF_THE_WIRE = (b"host", b"content-length", b"connection")
_WIDE = {"LOCOMO_MAX_REQUESTS_IN_FLIGHT": "64", "LOCOMO_MAX_VERDICTS_IN_FLIGHT": "64"}


@dataclass(frozen=True)
class Spent:
    """Processor seconds of a process and of its event loop's thread, between two times."""

    cpu_s: float
    loop_s: float
    began_at: float
    ended_at: float


class _Meter:
    def __init__(self) -> None:
        self._at = time.time()
        self._cpu_s, self._loop_s = time.process_time(), time.thread_time()

    def read(self) -> Spent:
        cpu_s, loop_s = time.process_time(), time.thread_time()
        return Spent(cpu_s - self._cpu_s, loop_s - self._loop_s, self._at, time.time())


def compared(source: Path, *, share: float, latencies: StandinSettings = LATENCIES) -> list[Figure]:
    """Processor seconds of 1,000 requests: ours, bare, and their ratio."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        tape = folder / "tape"
        work = cut(source, folder / "work.json", share=share)
        cut(source, folder / "warm.json", share=0.005)
        with recording(latencies, folder, tape) as server:
            ours = _spent(["ours", name], server, LOCOMO_HOME=f"{name}/home", **_WIDE)
        asked = [one for one in exchanges(tape) if ours.began_at <= one.at <= ours.ended_at]
        write(tape, asked)
        bare = {}
        for way in _WAYS:
            with playing(tape) as server:
                bare[way] = _spent(["bare", way, server.root, str(tape)], server)
    count = len(asked)
    note = f"{work.conversations} conversations, {work.turns:,} turns, {work.questions:,} questions"
    figures = [
        Figure("requests/ours", _per_1000(ours.cpu_s, count), "s", f"{note}, {count:,} requests"),
        Figure(
            "requests/ours, its event loop",
            _per_1000(ours.loop_s, count),
            "s",
            "the rest saves, merges and commits, in threads",
        ),
    ]
    for way, spent in bare.items():
        ratio = ours.cpu_s / spent.cpu_s
        figures += [
            Figure(f"requests/{way}", _per_1000(spent.cpu_s, count), "s"),
            Figure(f"requests/ours ÷ {way}", ratio, "×", _NOTES[way]),
        ]
    return figures


def _per_1000(cpu_s: float, count: int) -> float:
    return 1000 * cpu_s / count


def _spent(arguments: list[str], server: Served, **settings: str) -> Spent:
    said = subprocess.run(
        [sys.executable, "-m", "bench.requests", *arguments],
        env={**os.environ, **server.environment(), **settings},
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    ).stdout
    return Spent(**json.loads(said.splitlines()[-1]))


async def _ours(folder: Path) -> Spent:
    from locomo_assets.locomo.parsing import read_dataset
    from locomo_assets.runs.context import Task
    from locomo_assets.runs.datasets import store_dataset
    from locomo_assets.runs.runner import STAGES, measure
    from locomo_assets.services import Services
    from locomo_assets.settings import Settings

    spent = None
    for name in ("warm", "work"):
        services = Services(Settings())
        dataset = read_dataset(str(folder / f"{name}.json"))
        store_dataset(services.store(), dataset, name)
        tasks = [Task(name, conversation.conversation) for conversation in dataset.conversations]
        async with services.run_context(name, tasks) as run:
            meter = _Meter()
            failures = await measure(run, tasks, STAGES, lambda _task, _report: None)
            spent = meter.read()
        if failures:
            raise AssertionError(failures)
    assert spent is not None
    return spent


Pick = Callable[[], AbstractContextManager[httpx.AsyncClient]]


@asynccontextmanager
async def _one_client() -> AsyncIterator[Pick]:
    async with httpx.AsyncClient(timeout=_PATIENT_S) as client:
        yield lambda: nullcontext(client)


@asynccontextmanager
async def _client_each() -> AsyncIterator[Pick]:
    from locomo_assets.backboard.transport import ConnectionPool

    trust = httpx.create_ssl_context()
    pool = ConnectionPool(lambda: httpx.AsyncClient(verify=trust, timeout=_PATIENT_S))
    yield pool.connection
    await pool.aclose()


_WAYS = {
    "bare httpx, one client": _one_client,
    "bare httpx, a client for each request under way": _client_each,
}

_NOTES = dict(
    zip(
        _WAYS,
        ("varies: its pool looks at all connections for each request", f"goal ≤ {GOAL_RATIO:g}"),
        strict=True,
    )
)


def _most_in_flight(asked: Sequence[Exchange]) -> int:
    changes = [(one.at, 1) for one in asked]
    changes += [(one.at + sum(waited_s for waited_s, _ in one.pieces), -1) for one in asked]
    return max(accumulate(change for _, change in sorted(changes)))


async def _bare(way: str, root: str, tape: Path) -> Spent:
    asked = exchanges(tape)
    # On a busy machine it would fall behind, and its pool is the slower the more are under way.
    slots = asyncio.Semaphore(_most_in_flight(asked))
    async with _WAYS[way]() as pick:

        async def send(one: Exchange) -> None:
            headers: Any = [pair for pair in one.headers if pair[0] not in _OF_THE_WIRE]
            async with slots:
                with pick() as client:
                    response = await client.request(
                        one.method, root + one.target, headers=headers, content=one.body or None
                    )
            if response.status_code != one.status:
                raise AssertionError(f"{one.method} {one.target}: {response.status_code}")

        # The last one again and again: the server keeps its answer.
        for _ in range(20):
            await send(asked[-1])
        meter, start = _Meter(), time.perf_counter() - asked[0].at
        async with asyncio.TaskGroup() as group:
            for one in asked:
                if (wait_s := start + one.at - time.perf_counter()) > 0:
                    await asyncio.sleep(wait_s)
                group.create_task(send(one))
        return meter.read()


def main() -> None:
    """Prints what was spent, as JSON."""
    from locomo_assets.pipeline.interrupt import run_interruptibly

    kind, *given = sys.argv[1:]
    work = _ours(Path(given[0])) if kind == "ours" else _bare(given[0], given[1], Path(given[2]))
    print(json.dumps(asdict(run_interruptibly(work))))


if __name__ == "__main__":
    main()
