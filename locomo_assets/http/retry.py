"""Which failure is permanent, transient or ambiguous, and when a call is tried again.

Pure decisions: from what happened to the exception to raise, and from that to a wait. Only a
`TransientError` is repeated.
"""

import math
import random
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import httpx
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type, stop_after_attempt

from locomo_assets.http.errors import (
    AmbiguousError,
    BackboardError,
    ConnectionBrokenError,
    KeyRefusedError,
    NotFoundError,
    RateLimitedError,
    RequestRefusedError,
    ServerFailedError,
    TransientError,
    UnexpectedAnswerError,
    UnreachableError,
    too_old,
)


@dataclass(frozen=True, slots=True)
class RetrySettings:
    """Bounds of trying again; times in seconds.

    A wait is drawn between 0 and `base_s` doubled at each attempt, at most `longest_s`; a
    Retry-After is obeyed up to `longest_retry_after_s`. `read_back_s` are the pauses between
    looks at a thread after an ambiguous failure, while the server may still be at it.
    `asks` is how often one question may be asked in a fresh thread, or one lost turn resent.
    """

    attempts: int = 8
    base_s: float = 0.5
    longest_s: float = 30.0
    longest_retry_after_s: float = 120.0
    read_back_s: tuple[float, ...] = (0.5, 1.0, 2.0)
    asks: int = 4

    def wait_s(self, attempt: int, retry_after_s: float | None) -> float:
        """How long to wait after the failed attempt of this number (from 1)."""
        ceiling = min(self.longest_s, self.base_s * 2.0 ** min(attempt - 1, 32))
        if retry_after_s is None:
            return random.uniform(0.0, ceiling)
        # The jitter on top keeps all who were refused together from coming back together.
        return min(retry_after_s, self.longest_retry_after_s) + random.uniform(0.0, ceiling)

    def policy(self, attempts: int | None = None) -> AsyncRetrying:
        """A tenacity policy for one call: transient failures only, bounded, the last re-raised."""
        return AsyncRetrying(
            stop=stop_after_attempt(attempts or self.attempts),
            wait=self._wait,
            retry=retry_if_exception_type(TransientError),
            reraise=True,
        )

    def _wait(self, state: RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome is not None else None
        after = error.retry_after_s if isinstance(error, BackboardError) else None
        return self.wait_s(state.attempt_number, after)


def parse_retry_after(value: str | None, now: datetime | None = None) -> float | None:
    """Seconds to wait by a Retry-After header: a number or an HTTP date; None where unreadable.

    A past date gives 0. `now` is for tests.
    """
    if value is None:
        return None
    try:
        seconds = float(value.strip())
    except ValueError:
        try:
            date = parsedate_to_datetime(value)
            if date.tzinfo is None:
                date = date.replace(tzinfo=UTC)
            seconds = max(0.0, (date - (now or datetime.now(UTC))).total_seconds())
        except (ValueError, TypeError, OverflowError, IndexError):
            return None
    return seconds if math.isfinite(seconds) and seconds >= 0.0 else None


LOST = (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, OSError)
"""What a transport raises where no whole answer came."""

SENSELESS = (KeyRefusedError, UnreachableError)
"""After these every further call would fail as well."""

_NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError)
_NEVER_SENDABLE = (httpx.UnsupportedProtocol, httpx.InvalidURL, httpx.LocalProtocolError)


@dataclass(frozen=True, slots=True)
class Call:
    """What is to be sent. `repeatable`: sending it twice does no harm."""

    method: str
    template: str
    path: str
    repeatable: bool
    params: dict[str, Any] | None = None
    json: Any = None
    form: dict[str, str] | None = None

    @property
    def endpoint(self) -> str:
        return f"{self.method} {self.template}"

    @property
    def asks_model(self) -> bool:
        """Whether a model answers, which is what tokens are paid for."""
        return (self.form or {}).get("send_to_llm") == "true"


def lost(call: Call, base_url: str, error: Exception) -> BackboardError:
    """For an exception of the transport: not sendable, not sent, or sent and the answer lost."""
    where = f"{call.endpoint} at {base_url}"
    if isinstance(error, _NEVER_SENDABLE):
        return RequestRefusedError(
            f"{where} cannot be sent ({_cause(error)}): check the base URL", endpoint=call.endpoint
        )
    if isinstance(error, _NOT_SENT):
        return UnreachableError(
            f"{base_url} can't be reached ({_cause(error)}): check that it is up, that the base "
            "URL is right and that the network lets it through",
            endpoint=call.endpoint,
        )
    return _answer_lost(call, base_url, _cause(error))


def overdue(call: Call, base_url: str, limit_s: float) -> BackboardError:
    """For an exchange that was given up after `limit_s` seconds."""
    return _answer_lost(call, base_url, f"not finished after {limit_s:g} s")


def unreadable(call: Call, base_url: str) -> BackboardError:
    """For a success whose body is not JSON."""
    kind = UnexpectedAnswerError if call.repeatable else AmbiguousError
    return kind(
        f"{call.endpoint} at {base_url} answered with something that is not JSON: check that the "
        "base URL is Backboard's API",
        endpoint=call.endpoint,
    )


def refused(
    call: Call, base_url: str, response: httpx.Response, clean: Callable[[str], str]
) -> BackboardError:
    """For a status that is no success; the response's body must have been read.

    `clean` takes keys out of what the server says.
    """
    status = response.status_code
    kind: type[BackboardError]
    if status in (401, 402, 403):
        kind, way = KeyRefusedError, "check BACKBOARD_API_KEY and what its account may do"
    elif status == 404:
        kind, way = NotFoundError, "it may have been deleted, or the base URL is wrong"
    elif status == 429:
        kind, way = RateLimitedError, "lower the concurrency or run it again later"
    elif status == 408 or status >= 500:
        kind = ServerFailedError if call.repeatable or status == 408 else AmbiguousError
        way = "run it again later to go on from what was saved"
    elif response.has_redirect_location:
        kind, way = RequestRefusedError, "it redirects; set the base URL to where it leads"
    else:
        kind, way = RequestRefusedError, "the request does not suit this version of the service"
    return kind(
        f"{call.endpoint} at {base_url} answered {status}{_detail(response, clean)}: {way}",
        endpoint=call.endpoint,
        status=status,
        retry_after_s=parse_retry_after(response.headers.get("retry-after")),
    )


def _answer_lost(call: Call, base_url: str, cause: str) -> BackboardError:
    kind = ConnectionBrokenError if call.repeatable else AmbiguousError
    return kind(
        f"{call.endpoint} at {base_url}: the answer was lost ({cause}): run it again to go on "
        "from what was saved",
        endpoint=call.endpoint,
    )


def _detail(response: httpx.Response, clean: Callable[[str], str]) -> str:
    """What the server says is wrong, in a few words, without what we sent (`input` of a 422)."""
    try:
        raw = response.json()
    except (ValueError, RecursionError):
        return ""
    detail = raw.get("detail") or raw.get("message") if isinstance(raw, dict) else None
    if isinstance(detail, list):
        parts = [item for item in detail if isinstance(item, dict)]
        detail = "; ".join(f"{item.get('loc')}: {item.get('msg')}" for item in parts)
    if not isinstance(detail, str) or not detail:
        return ""
    return f" ({clean(' '.join(detail.split()))[:200]})"


def _cause(error: Exception) -> str:
    inner: BaseException | None = error
    while inner is not None:
        if isinstance(inner, ssl.SSLCertVerificationError):
            return f"its certificate was not accepted: {inner.verify_message}"
        inner = inner.__cause__ or inner.__context__
    if old := too_old(error):
        return old
    return ": ".join(part for part in (type(error).__name__, str(error)) if part)
