"""Requests as they reach a server: recorded at the stand-in, and their answers played back.

Run as a module, it serves: `record` the stand-in, with everything it is sent and answers on a
tape; `play` a server that gives the answers on a tape, with the pauses that were in them.
"""

import asyncio
import json
import pickle
import socket
import subprocess
import sys
import time
from collections import defaultdict, deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

import uvicorn
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bench.serving import Served, settings_from, wait_used
from locomo_assets.standin.server import LOOPBACK, create_app
from locomo_assets.standin.settings import StandinSettings
from locomo_assets.standin.state import StandinState

Pairs = list[tuple[bytes, bytes]]


@dataclass
class Exchange:
    """A request and its answer; `at` in seconds since the epoch, `waited_s` before each piece."""

    at: float
    method: str
    target: str
    headers: Pairs
    body: bytes = b""
    status: int = 0
    answer_headers: Pairs = field(default_factory=list)
    pieces: list[tuple[float, bytes]] = field(default_factory=list)

    @property
    def key(self) -> tuple[str, str, bytes]:
        return self.method, self.target, self.body


def write(tape: Path, asked: Iterable[Exchange]) -> None:
    """A tape of these alone."""
    with tape.open("wb") as file:
        for one in asked:
            pickle.dump(vars(one), file)


def exchanges(tape: Path) -> list[Exchange]:
    """What is on a tape, in the order in which the requests came."""
    found: list[Exchange] = []
    with tape.open("rb") as file:
        while file.peek(1):
            found.append(Exchange(**pickle.load(file)))
    return sorted(found, key=lambda one: one.at)


@contextmanager
def recording(settings: StandinSettings, folder: Path, tape: Path) -> Iterator[Served]:
    """A stand-in with a fresh state in `folder`, for as long as the block lasts."""
    with _served("record", json.dumps(asdict(settings)), str(folder), str(tape)) as place:
        yield place


@contextmanager
def playing(tape: Path) -> Iterator[Served]:
    """A server that answers each request as on the tape, equal ones in their order."""
    with _served("play", str(tape)) as place:
        yield place


@contextmanager
def _served(*arguments: str) -> Iterator[Served]:
    command = [sys.executable, "-m", "bench.tape", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        place = Served(f"http://{LOOPBACK}:{process.stdout.readline().strip()}")
        try:
            yield place
        finally:
            process.terminate()
            wait_used(process, place.used)


def _recorder(app: ASGIApp, tape: Path) -> ASGIApp:
    file = tape.open("wb")

    async def record(scope: Scope, receive: Receive, send: Send) -> None:
        one = Exchange(time.time(), scope["method"], _target(scope), list(scope["headers"]))
        since = time.perf_counter()

        async def hear() -> Message:
            message = await receive()
            one.body += message.get("body", b"")
            return message

        async def say(message: Message) -> None:
            nonlocal since
            if message["type"] == "http.response.start":
                one.status, one.answer_headers = message["status"], list(message["headers"])
            elif message["type"] == "http.response.body":
                before, since = since, time.perf_counter()
                one.pieces.append((since - before, message.get("body", b"")))
                if not message.get("more_body", False):
                    pickle.dump(vars(one), file)
                    file.flush()
            await send(message)

        await app(scope, hear, say)

    return record


def _player(tape: Path) -> ASGIApp:
    answers: dict[tuple[str, str, bytes], deque[Exchange]] = defaultdict(deque)
    for one in exchanges(tape):
        answers[one.key].append(one)

    async def play(scope: Scope, receive: Receive, send: Send) -> None:
        since, body, more = time.perf_counter(), b"", True
        while more:
            message = await receive()
            body, more = body + message.get("body", b""), message.get("more_body", False)
        known = answers[scope["method"], _target(scope), body]
        # Who asks again gets the last answer again.
        one = known.popleft() if len(known) > 1 else known[0]
        for number, (waited_s, piece) in enumerate(one.pieces):
            since += waited_s
            # Much of it is work in the stand-in, and no wait: a timer may be late, never early.
            if (left_s := since - time.perf_counter()) > 0:
                await asyncio.sleep(left_s)
            if number == 0:
                start = {"type": "http.response.start", "status": one.status}
                await send({**start, "headers": one.answer_headers})
            more = number + 1 < len(one.pieces)
            await send({"type": "http.response.body", "body": piece, "more_body": more})

    return play


def _target(scope: Scope) -> str:
    query = scope["query_string"].decode()
    return f"{scope['raw_path'].decode()}{'?' if query else ''}{query}"


def _serve(app: ASGIApp) -> None:
    listener = socket.create_server((LOOPBACK, 0), backlog=2048)
    print(listener.getsockname()[1], flush=True)
    config = uvicorn.Config(
        app, log_config=None, log_level="critical", access_log=False, lifespan="off"
    )
    uvicorn.Server(config).run([listener])


def main() -> None:
    """Serves until SIGTERM."""
    if sys.argv[1] == "play":
        _serve(_player(Path(sys.argv[2])))
        return
    settings, folder, tape = sys.argv[2:]
    with StandinState(Path(folder) / "standin.sqlite") as state:
        app = create_app(state, settings_from(settings))
        _serve(_recorder(app, Path(tape)))


if __name__ == "__main__":
    main()
