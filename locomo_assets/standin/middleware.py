"""What applies to every call of the stand-in: the API key, rate limits and faults."""

import asyncio
import random
import time
from collections.abc import Coroutine
from contextlib import suppress
from dataclasses import dataclass, field

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from locomo_assets.standin.settings import CONNECTION_DROPPED, StandinSettings

DROP = "standin.drop"
"""The scope's key for an async function that closes the request's connection."""


class ConnectionDroppedError(Exception):
    """Close the connection now, whatever has been sent."""


class FaultInjector:
    """Draws faults by their share, each kind from its own random sequence."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._sequences: dict[str, random.Random] = {}

    def occurs(self, kind: str, share: float) -> bool:
        """Whether the fault occurs now. Draws nothing for a share of 0."""
        return share > 0 and self.draw(kind) < share

    def draw(self, kind: str) -> float:
        """The next number for this kind, in [0, 1)."""
        sequence = self._sequences.get(kind)
        if sequence is None:
            sequence = self._sequences[kind] = random.Random(f"{self._seed}:{kind}")
        return sequence.random()

    def choose(self, kind: str, statuses: tuple[int, ...]) -> int:
        """One of these statuses."""
        return statuses[int(self.draw(kind) * len(statuses))]


class LateRequests:
    """Requests that were answered with an error and are carried out later, unless stopped."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()

    def add(self, carry_out: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(carry_out)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def stop(self) -> None:
        """Carry out nothing more."""
        for task in self._tasks:
            task.cancel()


SYSTEM_HEADER = "X-Locomo-System"
SYSTEM = "standin"

JUDGE_PREFIX = "/v1"

_SERVER_ERRORS = (500, 502, 503)


def error_response(
    path: str, status: int, detail: str, headers: dict[str, str] | None = None
) -> JSONResponse:
    """An error in the form of the service that `path` belongs to."""
    if path.startswith(JUDGE_PREFIX):
        kind = {401: "authentication_error", 429: "rate_limit_error"}.get(
            status, "server_error" if status >= 500 else "invalid_request_error"
        )
        body: dict[str, object] = {
            "error": {"message": detail, "type": kind, "param": None, "code": None}
        }
    else:
        body = {"detail": detail}
    return JSONResponse(body, status_code=status, headers=headers)


@dataclass(slots=True)
class RateLimiter:
    """One service's concurrent requests, and its token bucket (`left` requests)."""

    in_flight: int = 0
    left: float | None = None
    seen_at: float = field(default_factory=time.monotonic)

    def exceeds(self, requests_per_second: float) -> bool:
        """Take one request from the bucket; whether it was empty."""
        now = time.monotonic()
        burst = max(1.0, requests_per_second)
        left = burst if self.left is None else self.left
        left = min(burst, left + (now - self.seen_at) * requests_per_second)
        self.seen_at = now
        self.left = left - 1.0 if left >= 1.0 else left
        return left < 1.0


class StandinMiddleware:
    """Checks keys and limits, and injects faults. A refused request has no effect, unless the
    fault is that it has one: refused after the work, or late.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        settings: StandinSettings,
        faults: FaultInjector,
        late: LateRequests,
    ) -> None:
        self._app = app
        self._settings = settings
        self._faults = faults
        self._late = late
        self._limiters = {"api": RateLimiter(), "judge": RateLimiter()}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def named(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)[SYSTEM_HEADER] = SYSTEM
            await send(message)

        path: str = scope["path"]
        limiter = self._limiters["judge" if path.startswith(JUDGE_PREFIX) else "api"]
        refusal = self._refusal(scope, path, limiter)
        if refusal:
            await refusal(scope, receive, named)
            return
        limiter.in_flight += 1
        try:
            await self._pass_on(scope, receive, named)
        except ConnectionDroppedError:
            if DROP not in scope:
                raise
            await scope[DROP]()
        finally:
            limiter.in_flight -= 1

    async def _pass_on(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Carry the request out, or let a fault strike that does not prevent its effect."""
        settings, faults = self._settings, self._faults
        is_post = scope["method"] == "POST"
        # Each kind is drawn whether or not another one strikes, so that they stay independent.
        lost = faults.occurs("lost_answer", settings.lost_answer_share)
        refused = is_post and faults.occurs("refused_after", settings.refused_after_share)
        late = is_post and faults.occurs("late", settings.late_share)
        if late:
            self._late.add(self._carry_out_later(scope, await _read_whole(receive)))
            status = faults.choose("late_status", settings.late_statuses)
        elif refused:
            with suppress(ConnectionDroppedError):
                await self._app(scope, receive, _discard)
            status = faults.choose("refused_after_status", settings.refused_after_statuses)
        else:
            await self._app(scope, receive, _discard if lost else send)
            if not lost:
                return
            status = CONNECTION_DROPPED
        if status == CONNECTION_DROPPED:
            raise ConnectionDroppedError
        await self._failure(scope["path"], status)(scope, receive, send)

    async def _carry_out_later(self, scope: Scope, body: Message) -> None:
        least, longest = self._settings.late_s
        await asyncio.sleep(least + self._faults.draw("late_s") * (longest - least))
        left = [body]

        async def receive() -> Message:
            return left.pop() if left else await asyncio.Future[Message]()

        with suppress(ConnectionDroppedError):
            await self._app(scope, receive, _discard)

    def _failure(self, path: str, status: int) -> JSONResponse:
        if status == 429:
            wait = {"Retry-After": str(self._settings.retry_after_s)}
            return error_response(path, status, "Rate limit exceeded", wait)
        return error_response(path, status, "The stand-in fails, as configured")

    def _refusal(self, scope: Scope, path: str, limiter: RateLimiter) -> JSONResponse | None:
        settings, faults = self._settings, self._faults
        if not self._key_is_right(scope, path):
            return error_response(path, 401, "Invalid or missing API key")
        if (
            (settings.max_in_flight is not None and limiter.in_flight >= settings.max_in_flight)
            or (settings.requests_per_second and limiter.exceeds(settings.requests_per_second))
            or faults.occurs("rate_limited", settings.rate_limited_share)
        ):
            return self._failure(path, 429)
        if faults.occurs("server_error", settings.server_error_share):
            return self._failure(path, faults.choose("status", _SERVER_ERRORS))
        return None

    def _key_is_right(self, scope: Scope, path: str) -> bool:
        headers = Headers(scope=scope)
        if path.startswith(JUDGE_PREFIX):
            scheme, _, key = headers.get("authorization", "").partition(" ")
            return scheme.lower() == "bearer" and key.strip() in self._settings.keys
        return headers.get("x-api-key") in self._settings.keys


async def _discard(_message: Message) -> None:
    """Drop a response whose connection will be lost."""


async def _read_whole(receive: Receive) -> Message:
    """The request's body as one message."""
    body, more = b"", True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ConnectionDroppedError
        body += message.get("body", b"")
        more = message.get("more_body", False)
    return {"type": "http.request", "body": body, "more_body": False}
