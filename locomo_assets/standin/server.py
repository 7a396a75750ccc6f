"""The stand-in on a real socket, by uvicorn.

Here: starting, stopping, and closing a connection without an answer, which ASGI has no word for.
What is served is `app`.
"""

import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send

from locomo_assets.errors import LocomoError
from locomo_assets.standin.app import create_app
from locomo_assets.standin.faults import DROP
from locomo_assets.standin.settings import StandinSettings
from locomo_assets.standin.state import StandinState

LOOPBACK = "127.0.0.1"
_START_WITHIN_S = 30
_STOP_WITHIN_S = 5
_BACKLOG = 2048


class StandinServerError(LocomoError):
    """The stand-in can't listen where it should."""


@dataclass(frozen=True, slots=True)
class BaseUrls:
    """What clients are given: the memory service's base URL and the judge's."""

    backboard: str
    openai: str


def serve(
    host: str,
    port: int,
    settings: StandinSettings,
    state_path: Path,
    on_ready: Callable[[int], None] | None = None,
) -> None:
    """Serve until SIGINT or SIGTERM (in the main thread), then return.

    `port` 0 means any free one; `on_ready` is called with the real one once clients may come.
    Requests under way get 5 s to end.

    Raises:
        StandinServerError: the address can't be listened on.
        StandinStateError: the state's file can't be used.
    """
    with StandinState(state_path) as state, _listening(host, port) as listener:
        _Server(create_app(state, settings), on_ready).run([listener])


@contextmanager
def running_standin(settings: StandinSettings, state_path: Path) -> Iterator[BaseUrls]:
    """A stand-in on a free loopback port, in a thread of its own, for as long as the block lasts.

    Raises:
        StandinServerError: it could not be started.
        StandinStateError: the state's file can't be used.
    """
    ready = threading.Event()
    with StandinState(state_path) as state, _listening(LOOPBACK, 0) as listener:
        server = _Server(create_app(state, settings), lambda _port: ready.set())
        thread = threading.Thread(target=server.run, args=([listener],), name="standin")
        root = f"http://{LOOPBACK}:{listener.getsockname()[1]}"
        thread.start()
        try:
            if not ready.wait(_START_WITHIN_S):
                raise StandinServerError(
                    f"the stand-in did not start within {_START_WITHIN_S} s: try again"
                )
            yield BaseUrls(backboard=f"{root}/api", openai=f"{root}/v1")
        finally:
            server.should_exit = True
            thread.join()


def _listening(host: str, port: int) -> socket.socket:
    where = f"{host}:{port}"
    if not 0 <= port <= 65535:
        raise StandinServerError(f"the stand-in can't listen on {where}: ports end at 65535")
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        return socket.create_server((host, port), family=family, backlog=_BACKLOG)
    except OSError as error:
        raise StandinServerError(
            f"the stand-in can't listen on {where} ({error}): give another address or port"
        ) from None


class _Server(uvicorn.Server):
    """Uvicorn, silent, telling when it is ready, and able to close a connection."""

    def __init__(self, app: ASGIApp, on_ready: Callable[[int], None] | None) -> None:
        async def droppable(scope: Scope, receive: Receive, send: Send) -> None:
            async def drop() -> None:
                self._close(scope)
                while (await receive())["type"] != "http.disconnect":
                    pass

            await app({**scope, DROP: drop}, receive, send)

        super().__init__(
            uvicorn.Config(
                droppable,
                log_config=None,
                log_level="critical",
                access_log=False,
                lifespan="off",
                timeout_graceful_shutdown=_STOP_WITHIN_S,
            )
        )
        self._on_ready = on_ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self._on_ready and sockets:
            self._on_ready(sockets[0].getsockname()[1])

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Stop, and at the second SIGINT at once.

        Uvicorn's own would raise the signal again once it has stopped.
        """
        self.force_exit = self.should_exit and sig == signal.SIGINT
        self.should_exit = True

    def _close(self, scope: Scope) -> None:
        for connection in list(self.server_state.connections):
            if getattr(connection, "client", None) == scope["client"]:
                connection.transport.close()
