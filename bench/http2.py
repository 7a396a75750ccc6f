"""HTTP/1.1 on kept connections against HTTP/2 on one: the client's processor time and the wall.

Here: the same small requests over TLS to a server (hypercorn) that speaks both, in a process of
its own; run as a module, it serves. The way of HTTP/1.1 is the project's own, `ConnectionPool`.
"""

import asyncio
import resource
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import (
    AbstractAsyncContextManager,
    AbstractContextManager,
    asynccontextmanager,
    contextmanager,
    nullcontext,
)
from pathlib import Path
from typing import Any

import httpx
from hypercorn.asyncio import serve
from hypercorn.config import Config
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from bench.figures import Figure
from locomo_assets.backboard.transport import ConnectionPool
from locomo_assets.standin.server import LOOPBACK
from locomo_assets_tests.doctor.serving import make_certificate

REQUESTS, IN_FLIGHT, LATENCY_S, WARM = 3000, 16, 0.02, 200
_SENT = b"content=" + b"A turn as people write them, with a date before it. " * 4
_ANSWERED = {"message": _SENT.decode(), "status": "COMPLETED", "memory_operation_id": "0" * 32}

Pick = Callable[[], AbstractContextManager[httpx.AsyncClient]]
Way = Callable[[ssl.SSLContext], AbstractAsyncContextManager[Pick]]


def compared() -> list[Figure]:
    """Both ways, one after the other, twice; the quicker of each."""
    ways = {"HTTP/1.1": _kept_connections, "HTTP/2": _one_connection}
    with tempfile.TemporaryDirectory() as folder, _served(Path(folder)) as (url, trust):
        runs = [(way, asyncio.run(_asked(ways[way], url, trust, way))) for way in [*ways, *ways]]
    best = {way: tuple(map(min, *(run for name, run in runs if name == way))) for way in ways}
    figures = []
    for way, (wall_s, cpu_s) in best.items():
        note = f"{REQUESTS:,} requests over TLS, {IN_FLIGHT} at once, {1000 * LATENCY_S:g} ms each"
        figures += [
            Figure(f"{way}/wall", wall_s, "s", note),
            Figure(f"{way}/CPU per 1,000 requests", 1000 * cpu_s / REQUESTS, "s"),
        ]
    (wall_1, cpu_1), (wall_2, cpu_2) = best.values()
    return [
        *figures,
        Figure("HTTP/2 ÷ HTTP/1.1/wall", wall_2 / wall_1, "×"),
        Figure("HTTP/2 ÷ HTTP/1.1/CPU", cpu_2 / cpu_1, "×"),
    ]


async def _asked(way: Way, url: str, trust: ssl.SSLContext, name: str) -> tuple[float, float]:
    """Seconds of wall and of this process's processor, once all connections are there."""
    waiting = iter(range(WARM + REQUESTS))
    began = [0.0, 0.0]

    async def ask(pick: Pick) -> None:
        for number in waiting:
            if number == WARM:
                began[:] = [time.perf_counter(), _cpu_s()]
            with pick() as client:
                response = await client.post(url, content=_SENT)
            if response.status_code != 200 or response.http_version != name:
                raise AssertionError(f"{response.status_code} by {response.http_version}")

    async with way(trust) as pick, asyncio.TaskGroup() as group:
        for _ in range(IN_FLIGHT):
            group.create_task(ask(pick))
    return time.perf_counter() - began[0], _cpu_s() - began[1]


def _cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


@asynccontextmanager
async def _kept_connections(trust: ssl.SSLContext) -> AsyncIterator[Pick]:
    pool = ConnectionPool(lambda: httpx.AsyncClient(verify=trust))
    yield pool.connection
    await pool.aclose()


@asynccontextmanager
async def _one_connection(trust: ssl.SSLContext) -> AsyncIterator[Pick]:
    async with httpx.AsyncClient(verify=trust, http1=False, http2=True) as client:
        yield lambda: nullcontext(client)


@contextmanager
def _served(folder: Path) -> Iterator[tuple[str, ssl.SSLContext]]:
    certificate = make_certificate(folder)
    with socket.create_server((LOOPBACK, 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "bench.http2", str(certificate), str(port)]
    with subprocess.Popen(command) as server:
        try:
            _wait_for(port)
            trust = ssl.create_default_context(cafile=str(certificate))
            yield f"https://{LOOPBACK}:{port}/", trust
        finally:
            server.send_signal(signal.SIGTERM)


def _wait_for(port: int) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            socket.create_connection((LOOPBACK, port)).close()
            return
        except OSError:
            time.sleep(0.05)
    raise AssertionError("the server did not start")


async def _message(request: Request) -> JSONResponse:
    await request.body()
    await asyncio.sleep(LATENCY_S)
    return JSONResponse(_ANSWERED)


def _serve(certificate: str, port: str) -> None:
    config = Config()
    config.bind = [f"{LOOPBACK}:{port}"]
    config.certfile = config.keyfile = certificate
    config.errorlog = None
    # Where the server ends a connection of HTTP/2, httpx fails every request under way on it.
    config.keep_alive_max_requests = WARM + REQUESTS + 1
    # Each package types ASGI in its own words.
    app: Any = Starlette(routes=[Route("/", _message, methods=["POST"])])
    asyncio.run(serve(app, config))


if __name__ == "__main__":
    _serve(*sys.argv[1:])
