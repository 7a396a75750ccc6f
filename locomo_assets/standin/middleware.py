"""What applies to every call of the stand-in: the API key, rate limits and faults."""

import random
import time
from dataclasses import dataclass, field

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from locomo_assets.standin.settings import StandinSettings

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
    """Checks keys and limits, and injects faults. A refused request has no effect."""

    def __init__(self, app: ASGIApp, *, settings: StandinSettings, faults: FaultInjector) -> None:
        self._app = app
        self._settings = settings
        self._faults = faults
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
        lost = self._faults.occurs("lost_answer", self._settings.lost_answer_share)
        limiter.in_flight += 1
        try:
            await self._app(scope, receive, _discard if lost else named)
            if lost:
                raise ConnectionDroppedError
        except ConnectionDroppedError:
            if DROP not in scope:
                raise
            await scope[DROP]()
        finally:
            limiter.in_flight -= 1

    def _refusal(self, scope: Scope, path: str, limiter: RateLimiter) -> JSONResponse | None:
        settings, faults = self._settings, self._faults
        if not self._key_is_right(scope, path):
            return error_response(path, 401, "Invalid or missing API key")
        if (
            (settings.max_in_flight is not None and limiter.in_flight >= settings.max_in_flight)
            or (settings.requests_per_second and limiter.exceeds(settings.requests_per_second))
            or faults.occurs("rate_limited", settings.rate_limited_share)
        ):
            wait = {"Retry-After": str(settings.retry_after_s)}
            return error_response(path, 429, "Rate limit exceeded", wait)
        if faults.occurs("server_error", settings.server_error_share):
            status = _SERVER_ERRORS[int(faults.draw("status") * len(_SERVER_ERRORS))]
            return error_response(path, status, "The stand-in fails, as configured")
        return None

    def _key_is_right(self, scope: Scope, path: str) -> bool:
        headers = Headers(scope=scope)
        if path.startswith(JUDGE_PREFIX):
            scheme, _, key = headers.get("authorization", "").partition(" ")
            return scheme.lower() == "bearer" and key.strip() in self._settings.keys
        return headers.get("x-api-key") in self._settings.keys


async def _discard(_message: Message) -> None:
    """Drop a response whose connection will be lost."""
