"""What every paid call shares: its options, its record, its line in the log.

The record has the columns of the history's `calls` table. Nothing here depends on an HTTP library,
because the clients of the memory service and of the judge use different ones.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from locomo_assets.http.budget import Budget
from locomo_assets.http.limits import Limits
from locomo_assets.http.tls import TlsVersion


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
