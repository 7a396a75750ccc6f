"""The stand-in without a socket: a transport for `httpx` clients of the same event loop.

Here: `httpx.ASGITransport` with the one thing that it lacks, a connection that closes. A stream
arrives in one piece, at its end.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
from starlette.types import ASGIApp, Receive, Scope, Send

from locomo_assets.standin.app import create_app
from locomo_assets.standin.faults import DROP
from locomo_assets.standin.settings import StandinSettings
from locomo_assets.standin.state import StandinState


def in_process_transport(app: ASGIApp) -> httpx.AsyncBaseTransport:
    """A transport to `app`, in which a lost answer is an `httpx.RemoteProtocolError`."""

    async def droppable(scope: Scope, receive: Receive, send: Send) -> None:
        await app({**scope, DROP: _drop}, receive, send)

    # httpx and Starlette declare the same ASGI callables under different names.
    served: Callable[..., Awaitable[None]] = droppable
    return httpx.ASGITransport(served)


@asynccontextmanager
async def standin_transport(
    state_path: Path, settings: StandinSettings | None = None
) -> AsyncIterator[httpx.AsyncBaseTransport]:
    """A transport to a stand-in over the state in this file; opens and closes it.

    Base URLs are any host's with `/api` (memory service) and `/v1` (judge).

    Raises:
        StandinStateError: the file can't be used.
    """
    with StandinState(state_path) as state:
        yield in_process_transport(create_app(state, settings or StandinSettings()))


async def _drop() -> None:
    raise httpx.RemoteProtocolError("Server disconnected without sending a response.")
