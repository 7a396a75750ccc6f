"""The record of one HTTP request, whoever sent it.

Here: its shape, that of the history's `calls` table, free of any HTTP library, so that the
judge's client can fill it as well; and its line in the log. Filling it for Backboard is
`exchange`; storing it is `history`.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class CallRecord:
    """One attempt at one request; a retried request leaves several.

    `endpoint` is method and path template, `status` None where no answer came, `error` None or
    the kind of failure, `attempt` counts from 1, `latency_ms` begins when the request may be
    sent (waiting for our own limit is not in it), `in_flight` counts the requests at that
    endpoint then, itself included; both are None for a request that the server made itself, out
    of a batch. Tokens and cost are None where unknown.
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


_log = logging.getLogger(__name__)

_LOGGED = ("service", "endpoint", "status", "error", "latency_ms", "attempt", "request_id")


def log_call(call: CallRecord) -> None:
    """One line: at DEBUG where it went well, for a run makes thousands; else at WARNING."""
    level = logging.DEBUG if call.error is None else logging.WARNING
    if not _log.isEnabledFor(level):
        return
    outcome = call.error or f"HTTP {call.status}"
    # A batch tells no request's time.
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
    """What was sent or received, at DEBUG only: a conversation's own words."""
    if _log.isEnabledFor(logging.DEBUG):
        text = body.decode(errors="replace") if isinstance(body, bytes) else body
        extra = {"service": service, "endpoint": endpoint, "body": text}
        _log.debug("%s: %s", endpoint, what, extra=extra)


Record = Callable[[CallRecord], None]
"""Where records go; called in the event loop's thread, so it must be quick."""
