"""The record of one HTTP request, whoever sent it.

Here: its shape, that of the history's `calls` table, free of any HTTP library, so that the
judge's client can fill it as well. Filling it for Backboard is `exchange`; storing it is
`history`.
"""

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


Record = Callable[[CallRecord], None]
"""Where records go; called in the event loop's thread, so it must be quick."""
