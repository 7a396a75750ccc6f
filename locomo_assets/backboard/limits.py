"""How many requests may be under way at an endpoint at once, and how that follows the service.

Here: counting, waiting, and the width: it starts low, grows while it goes well, shrinks once an
episode of 429, and nobody starts before a Retry-After is over. Sending, and telling what came of
it, is the clients' (`exchange`, `judging.recording`); trying again is `retrying`.

The rule is TCP's: one more a round of answers, × 0.8 when refused. A 5xx says nothing about the
width and changes none.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from time import perf_counter

from anyio import CapacityLimiter

SHRINK = 0.8


@dataclass(frozen=True, slots=True)
class WidthChange:
    """From `changed_at` (UTC) on, `width` requests may be under way at `endpoint`; `why`:
    `start`, `grew` or `429`.
    """

    changed_at: datetime
    endpoint: str
    width: int
    why: str


@dataclass(slots=True)
class _Endpoint:
    """`answers` counts those since the last change; the times are on the `perf_counter` clock."""

    limiter: CapacityLimiter
    largest: int
    answers: int = 0
    shrunk_at: float = field(default=float("-inf"))
    resume_at: float = field(default=float("-inf"))


class Limits:
    """A limit for each endpoint; one object may serve several clients of one loop.

    `largest` is the most requests at once for each endpoint not named in `widths`, `start` how
    many are allowed at first (never more than the largest).
    """

    def __init__(
        self, largest: int = 8, widths: Mapping[str, int] | None = None, *, start: int = 4
    ) -> None:
        checked = {"every endpoint": largest, "the start": start} | dict(widths or {})
        for endpoint, value in checked.items():
            if value < 1:
                raise ValueError(f"the limit of {endpoint} is {value}; it must be at least 1")
        self._largest = largest
        self._widths = dict(widths or {})
        self._start = start
        self._endpoints: dict[str, _Endpoint] = {}
        self._history: list[WidthChange] = []

    @property
    def history(self) -> tuple[WidthChange, ...]:
        """Every change, oldest first; an endpoint begins with its `start`."""
        return tuple(self._history)

    def width(self, endpoint: str) -> int:
        """Requests allowed at once now."""
        return int(self._endpoint(endpoint).limiter.total_tokens)

    def in_flight(self, endpoint: str) -> int:
        """Requests under way now, those that wait for a Retry-After included."""
        return self._endpoint(endpoint).limiter.borrowed_tokens

    @asynccontextmanager
    async def slot(self, endpoint: str) -> AsyncIterator[int]:
        """Wait for a place, in order of asking, and until the endpoint may be asked again.

        Gives the number in flight, itself included.
        """
        state = self._endpoint(endpoint)
        async with state.limiter:
            await _may_go(state)
            yield state.limiter.borrowed_tokens

    def went_well(self, endpoint: str, in_flight: int) -> None:
        """An answer came, to a request that was sent with so many in flight.

        Counts only where the width was about used: an idle limit learns nothing.
        """
        state = self._endpoint(endpoint)
        width = self.width(endpoint)
        if width >= state.largest or 2 * in_flight <= width:
            return
        state.answers += 1
        if state.answers >= width:
            self._change(endpoint, width + 1, "grew")

    def throttled(self, endpoint: str, sent_at: float, retry_after_s: float | None) -> None:
        """A 429 came, to a request sent at `sent_at` (`perf_counter`).

        Requests that were sent before the last shrinking belong to its episode. Nobody starts
        before `retry_after_s` seconds from now.
        """
        state = self._endpoint(endpoint)
        now = perf_counter()
        state.resume_at = max(state.resume_at, now + (retry_after_s or 0.0))
        if sent_at <= state.shrunk_at:
            return
        state.shrunk_at = now
        self._change(endpoint, max(1, int(self.width(endpoint) * SHRINK)), "429")

    def _change(self, endpoint: str, width: int, why: str) -> None:
        state = self._endpoint(endpoint)
        state.limiter.total_tokens = width
        state.answers = 0
        self._history.append(WidthChange(datetime.now(UTC), endpoint, width, why))

    def _endpoint(self, endpoint: str) -> _Endpoint:
        state = self._endpoints.get(endpoint)
        if state is None:
            largest = self._widths.get(endpoint, self._largest)
            width = min(self._start, largest)
            state = _Endpoint(CapacityLimiter(width), largest)
            self._endpoints[endpoint] = state
            self._history.append(WidthChange(datetime.now(UTC), endpoint, width, "start"))
        return state


async def _may_go(state: _Endpoint) -> None:
    while True:
        # Read anew after each wait: another 429 may have moved it.
        wait_s = state.resume_at - perf_counter()
        if wait_s <= 0:
            return
        await asyncio.sleep(wait_s)
