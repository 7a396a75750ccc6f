"""The stand-in as one application: `/api` is the memory service, `/v1` the judge and answerer.

Serves it over a socket, or within this process without one.
"""

import signal
import socket
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

import httpx
import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Mount
from starlette.types import ASGIApp, Receive, Scope, Send

from locomo_assets.errors import LocomoError
from locomo_assets.standin.assistants import AssistantCalls, MemoryCalls
from locomo_assets.standin.facts import Extract, extract
from locomo_assets.standin.judging.batches import BatchCalls
from locomo_assets.standin.judging.completions import CompletionCalls
from locomo_assets.standin.messages import MessageCalls
from locomo_assets.standin.middleware import (
    DROP,
    JUDGE_PREFIX,
    FaultInjector,
    LateRequests,
    StandinMiddleware,
    error_response,
)
from locomo_assets.standin.models import ModelCalls
from locomo_assets.standin.retrieval import ContextReader, Retriever, Tokenizer
from locomo_assets.standin.service import Service
from locomo_assets.standin.settings import StandinSettings
from locomo_assets.standin.state import StandinState

if TYPE_CHECKING:
    import httpx2

API_PREFIX = "/api"


def create_app(
    state: StandinState,
    settings: StandinSettings,
    late: LateRequests | None = None,
    extract: Extract = extract,
) -> Starlette:
    """The application over `state`, which the caller closes.

    Late requests end with the event loop; a caller whose loop goes on stops `late` itself.
    """
    faults = FaultInjector(settings.seed)
    tokenizer = Tokenizer()
    service = Service(
        state,
        settings,
        faults,
        tokenizer,
        Retriever(state, tokenizer),
        ContextReader(tokenizer),
        extract,
    )
    api = [
        # The calls that a run makes most often come first.
        *MessageCalls(service).routes(),
        *MemoryCalls(service).routes(),
        *AssistantCalls(service).routes(),
        *ModelCalls(service).routes(),
    ]
    return Starlette(
        routes=[
            Mount(API_PREFIX, routes=api),
            Mount(
                JUDGE_PREFIX,
                routes=[*CompletionCalls(service).routes(), *BatchCalls(service).routes()],
            ),
        ],
        middleware=[
            Middleware(
                StandinMiddleware, settings=settings, faults=faults, late=late or LateRequests()
            )
        ],
        exception_handlers={HTTPException: _error, Exception: _defect},
    )


def _error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)  # noqa: S101  # registered for nothing else
    headers = dict(error.headers) if error.headers else None
    return error_response(request.url.path, error.status_code, error.detail, headers)


def _defect(request: Request, _error: Exception) -> JSONResponse:
    return error_response(request.url.path, 500, HTTPStatus(500).phrase)


def in_process_transport(app: ASGIApp) -> httpx.AsyncBaseTransport:
    """A transport to `app`, in which a lost response is an `httpx.RemoteProtocolError`."""

    return httpx.ASGITransport(_droppable(app, httpx.RemoteProtocolError))


# httpx and Starlette use different types for the same ASGI callables.
def _droppable(app: ASGIApp, lost: Callable[[str], Exception]) -> Callable[..., Awaitable[None]]:
    async def drop() -> None:
        raise lost("Server disconnected without sending a response.")

    async def droppable(scope: Scope, receive: Receive, send: Send) -> None:
        await app({**scope, DROP: drop}, receive, send)

    return droppable


@asynccontextmanager
async def standin_openai_transport(
    state_path: Path, settings: StandinSettings | None = None
) -> AsyncIterator["httpx2.AsyncBaseTransport"]:
    """`standin_transport` for the `openai` client, which speaks through httpx2.

    Raises:
        StandinStateError: the file can't be used.
    """
    import httpx2

    async with _opened_app(state_path, settings) as app:
        yield httpx2.ASGITransport(_droppable(app, httpx2.RemoteProtocolError))


@asynccontextmanager
async def standin_transport(
    state_path: Path, settings: StandinSettings | None = None
) -> AsyncIterator[httpx.AsyncBaseTransport]:
    """A transport to a stand-in over the state in this file, which it opens and closes.

    Base URLs are `/api` (memory service) and `/v1` (judge and answerer) of any host.

    Raises:
        StandinStateError: the file can't be used.
    """
    async with _opened_app(state_path, settings) as app:
        yield in_process_transport(app)


@asynccontextmanager
async def _opened_app(
    state_path: Path, settings: StandinSettings | None
) -> AsyncIterator[Starlette]:
    with StandinState(state_path) as state:
        late = LateRequests()
        try:
            yield create_app(state, settings or StandinSettings(), late)
        finally:
            late.stop()


LOOPBACK = "127.0.0.1"
_START_WITHIN_S = 30
_STOP_WITHIN_S = 5
_BACKLOG = 2048


class StandinServerError(LocomoError):
    """The stand-in can't listen on its address."""


@dataclass(frozen=True, slots=True)
class BaseUrls:
    """The base URLs for clients of the memory service, and of the judge and answerer."""

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

    Port 0 means any free one; `on_ready` is called with the actual port once clients may connect.
    Running requests get 5 s to finish.

    Raises:
        StandinServerError: the address can't be used.
        StandinStateError: the state's file can't be used.
    """
    with StandinState(state_path) as state, _listening(host, port) as listener:
        _Server(create_app(state, settings), on_ready).run([listener])


@contextmanager
def running_standin(
    settings: StandinSettings, state_path: Path, extract: Extract = extract
) -> Iterator[BaseUrls]:
    """A stand-in on a free loopback port, in its own thread, while the block runs.

    `extract` gives the memories where they are extracted.

    Raises:
        StandinServerError: it could not be started.
        StandinStateError: the state's file can't be used.
    """
    ready = threading.Event()
    with StandinState(state_path) as state, _listening(LOOPBACK, 0) as listener:
        app = create_app(state, settings, extract=extract)
        server = _Server(app, lambda _port: ready.set())
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
    """Uvicorn without logs, with a callback when it is ready, and able to close a connection."""

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
        """Stop; at a second SIGINT, stop at once.

        Uvicorn's own handler would raise the signal again after it has stopped.
        """
        self.force_exit = self.should_exit and sig == signal.SIGINT
        self.should_exit = True

    def _close(self, scope: Scope) -> None:
        for connection in list(self.server_state.connections):
            if getattr(connection, "client", None) == scope["client"]:
                connection.transport.close()
