"""What every paid call shares: options, URL and key, TLS bound, guards, record, line in the log.

The record has the columns of the history's `calls` table. No HTTP library is known here: the
clients of the memory service and of the judge use different ones.
"""

import logging
import ssl
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from typing import Any

from locomo_assets.http.limits import Budget, Limits
from locomo_assets.network import TlsVersion, network_variables, ssl_context

_VERSIONS = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}
_TOO_OLD = ("PROTOCOL_VERSION", "UNSUPPORTED_PROTOCOL", "NO_PROTOCOLS_AVAILABLE")


def tls_context(least: TlsVersion) -> ssl.SSLContext:
    """As `ssl_context`, refusing any older version.

    All clients of a process share one while the environment stays as it is: reading the
    certificates that it names takes longer than a request, and a run makes several clients.
    """
    return _tls_context(least, network_variables())


@cache
def _tls_context(least: TlsVersion, _: tuple[str | None, ...]) -> ssl.SSLContext:
    context = ssl_context()
    context.minimum_version = _VERSIONS[least]
    return context


def explain_old_tls(error: BaseException) -> str | None:
    """The cause and the way out if the other side's TLS is too old, else None."""
    inner: BaseException | None = error
    while inner is not None:
        if isinstance(inner, ssl.SSLError) and any(
            reason in (inner.reason or "") for reason in _TOO_OLD
        ):
            return (
                "it, or a proxy before it, speaks no TLS version as new as LOCOMO_MIN_TLS; set "
                "that to 1.2 if you trust it all the same"
            )
        inner = inner.__cause__ or inner.__context__
    return None


Guard = Callable[[], Awaitable[bool]]
"""Returns once a call may be sent, whether it had to wait; raises if none may be sent any more."""

_guards: ContextVar[tuple[Guard, ...]] = ContextVar("guards", default=())

# The events of httpx's `trace` extension, behind the HTTP version, after which bytes go out. A
# request whose body is missing is not carried out.
_LAST_MOMENTS = (".send_request_headers.started", ".send_request_body.started")


@contextmanager
def guarded(guard: Guard) -> Iterator[None]:
    """In this block, and in tasks begun in it, `until_allowed` also waits for this guard."""
    before = _guards.set((*_guards.get(), guard))
    try:
        yield
    finally:
        _guards.reset(before)


async def until_allowed() -> None:
    """To be awaited before a call that must not be sent twice."""
    # While one guard is waited for, the time of another may run out.
    while any([await guard() for guard in _guards.get()]):
        pass


async def allow_last_moment(event: str, _info: object) -> None:
    """`until_allowed` as httpx's `trace` extension: right before the bytes go out."""
    if event.endswith(_LAST_MOMENTS):
        await until_allowed()


@dataclass(frozen=True, slots=True)
class CallRecord:
    """One attempt at one request; a retried request leaves several.

    `endpoint` is method and path template. `status` is None where no answer came, `error` where
    nothing failed. `attempt` counts from 1. `latency_ms` excludes waiting for our own limit.
    `in_flight` counts the requests at the endpoint when it was sent, itself included. Both are
    None for a request of a batch, which the server made. Tokens and cost are None where unknown.
    """

    call_id: str
    service: str
    endpoint: str
    status: int | None
    error: str | None
    attempt: int
    latency_ms: float | None
    in_flight: int | None
    input_tokens: int | None
    output_tokens: int | None
    cost_usd: float | None
    started_at: datetime
    request_id: str | None


_LARGEST_COUNT = 2**53


def whole_number(value: object) -> int | None:
    """A count out of a server's JSON: whole, not negative, small enough that sums fit 64 bits."""
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= _LARGEST_COUNT:
        return None
    return value


Record = Callable[[CallRecord], None]
"""Takes the records. It is called in the event loop's thread, so it must be quick."""


def _discard(_: CallRecord) -> None:
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class CallOptions:
    """What a client does around each of its calls.

    `limits` may be shared by clients of one event loop. `budget` is asked before each call that a
    model answers. `record` gets every attempt, even failed and repeated ones. `watch` sees each
    response while its connection is open. TLS older than `min_tls` is refused.
    """

    limits: Limits = field(default_factory=Limits)
    budget: Budget = field(default_factory=Budget)
    record: Record = _discard
    watch: Callable[[Any], None] | None = None
    min_tls: TlsVersion = "1.3"


_log = logging.getLogger(__name__)

_LOGGED = ("service", "endpoint", "status", "error", "latency_ms", "attempt", "request_id")


def log_call(call: CallRecord) -> None:
    """Log the call in a line: at WARNING if it failed, else at DEBUG, for a run makes thousands."""
    level = logging.DEBUG if call.error is None else logging.WARNING
    if not _log.isEnabledFor(level):
        return
    outcome = call.error or f"HTTP {call.status}"
    latency_ms = None if call.latency_ms is None else round(call.latency_ms, 1)
    _log.log(
        level,
        "%s: %s, attempt %d, %s ms",
        call.endpoint,
        outcome,
        call.attempt,
        "?" if latency_ms is None else round(latency_ms),
        extra={**{name: getattr(call, name) for name in _LOGGED}, "latency_ms": latency_ms},
    )


def log_body(service: str, endpoint: str, what: str, body: object) -> None:
    """Log what was sent or received, at DEBUG only: it holds a conversation's own words."""
    if _log.isEnabledFor(logging.DEBUG):
        text = body.decode(errors="replace") if isinstance(body, bytes) else body
        extra = {"service": service, "endpoint": endpoint, "body": text}
        _log.debug("%s: %s", endpoint, what, extra=extra)


API_VERSION = "api-version"
"""The one parameter that a base URL may have: Azure OpenAI wants it in every request."""


def checked_base_url(
    url: str,
    *,
    service: str,
    setting: str,
    error: Callable[[str], Exception],
    may_have_version: bool = False,
) -> str:
    """The URL without a slash at its path's end; `error` where it is no plain http(s) URL.

    It may go on with `?api-version=…` if `may_have_version`.
    What is wrong with it may be a secret in the wrong place, so it is not repeated.
    """
    # heavy, and most commands send nothing
    import httpx

    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL:
        raise error(
            f"{service}'s base URL cannot be read: set {setting} to a full URL, like "
            "https://host/path"
        ) from None
    if parsed.scheme not in ("http", "https") or not parsed.host:
        raise error(
            f"{service}'s base URL must begin with http:// or https:// and name a host: check "
            f"{setting}"
        )
    has_version = may_have_version and set(parsed.params) == {API_VERSION}
    if parsed.userinfo or (parsed.query and not has_version) or parsed.fragment:
        raise error(
            f"{service}'s base URL at {parsed.host} holds more than scheme, host and path: take "
            f"user, password, query and fragment out of {setting}"
        )
    plain, _, version = str(parsed).partition("?")
    return plain.rstrip("/") + (f"?{version}" if has_version else "")


def checked_key(key: str, *, service: str, setting: str, error: Callable[[str], Exception]) -> str:
    """The key; `error`, without it, where no header can carry it."""
    if not key or not key.isascii() or not key.isprintable() or " " in key:
        raise error(
            f"{service}'s key is empty or holds signs that no header can carry: set {setting}"
        )
    return key
