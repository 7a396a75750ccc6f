"""How many requests may be under way at a service at once, and how that follows the service.

Here: counting, waiting, letting others go first, and the width: it starts low, grows while it goes
well, shrinks once an episode of 429, and nobody starts before a Retry-After is over. Sending, and
telling what came of it, is the clients' (`exchange`, `judging.recording`); trying again is
`retrying`.

A line is what shares one width: the memory service as a whole, because it tells of no limits and so
may count all of a key's requests together, and each endpoint of a judge.

The rule is TCP's: one more a round of answers, × 0.8 when refused. A 5xx says nothing about the
width and changes none.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import UTC, datetime
from time import perf_counter

from anyio import CapacityLimiter

SHRINK = 0.8

# Twice: while some wait before they try again, others keep the places busy.
_WORKS = 2


_is_patient: ContextVar[bool] = ContextVar("is_patient", default=False)


@contextmanager
def patiently() -> Iterator[None]:
    """Of all requests made within, at most one stands in a line's queue at a time.

    So nobody else waits behind more than one of them: a turn, which the rest of its conversation
    waits for, not behind another conversation's hundred questions, which nothing waits for.
    """
    before = _is_patient.set(True)
    try:
        yield
    finally:
        _is_patient.reset(before)


@dataclass(frozen=True, slots=True)
class WidthChange:
    """From `changed_at` (UTC) on, `width` requests may be under way in `line`; `why`: `start`,
    `grew` or `429`.
    """

    changed_at: datetime
    line: str
    width: int
    why: str


@dataclass(slots=True)
class _Line:
    """`answers` counts those since the last change; the times are on the `perf_counter` clock."""

    limiter: CapacityLimiter
    works: CapacityLimiter
    largest: int
    door: asyncio.Lock = field(default_factory=asyncio.Lock)
    answers: int = 0
    shrunk_at: float = field(default=float("-inf"))
    resume_at: float = field(default=float("-inf"))


class Limits:
    """A limit for each line; one object may serve several clients of one loop.

    `largest` is the most requests at once in each line not named in `widths`, `start` how many are
    allowed at first (never more than the largest).
    """

    def __init__(
        self, largest: int = 8, widths: Mapping[str, int] | None = None, *, start: int = 4
    ) -> None:
        checked = {"every line": largest, "the start": start} | dict(widths or {})
        for name, value in checked.items():
            if value < 1:
                raise ValueError(f"the limit of {name} is {value}; it must be at least 1")
        self._largest = largest
        self._widths = dict(widths or {})
        self._start = start
        self._lines: dict[str, _Line] = {}
        self._history: list[WidthChange] = []

    @property
    def history(self) -> tuple[WidthChange, ...]:
        """Every change, oldest first; a line begins with its `start`."""
        return tuple(self._history)

    def width(self, line: str) -> int:
        """Requests allowed at once now."""
        return int(self._line(line).limiter.total_tokens)

    def in_flight(self, line: str) -> int:
        """Requests under way now, those that wait for a Retry-After included."""
        return self._line(line).limiter.borrowed_tokens

    @asynccontextmanager
    async def slot(self, line: str) -> AsyncIterator[int]:
        """Wait for a place, in order of asking, and until the service may be asked again.

        Gives the number in flight, itself included. `patiently`: see there.
        """
        state = self._line(line)
        if _is_patient.get():
            async with state.door:
                await state.limiter.acquire()
        else:
            await state.limiter.acquire()
        try:
            await _may_go(state)
            yield state.limiter.borrowed_tokens
        finally:
            state.limiter.release()

    async def begin(self, line: str) -> Callable[[object], None]:
        """Wait until a piece of work of several requests may begin; to be called at its end: what
        this gives, which takes the ended task.

        Only twice as many of them as requests may be under way, so that nobody's next request waits
        behind the first ones of all that is still to do.
        """
        works, work = self._line(line).works, object()
        await works.acquire_on_behalf_of(work)
        return lambda _task: works.release_on_behalf_of(work)

    def went_well(self, line: str, in_flight: int) -> None:
        """An answer came, to a request that was sent with so many in flight.

        Counts only where the width was about used: an idle limit learns nothing.
        """
        state = self._line(line)
        width = self.width(line)
        if width >= state.largest or 2 * in_flight <= width:
            return
        state.answers += 1
        if state.answers >= width:
            self._change(line, width + 1, "grew")

    def throttled(self, line: str, sent_at: float, retry_after_s: float | None) -> None:
        """A 429 came, to a request sent at `sent_at` (`perf_counter`).

        Requests that were sent before the last shrinking belong to its episode. Nobody starts
        before `retry_after_s` seconds from now.
        """
        state = self._line(line)
        now = perf_counter()
        state.resume_at = max(state.resume_at, now + (retry_after_s or 0.0))
        if sent_at <= state.shrunk_at:
            return
        state.shrunk_at = now
        self._change(line, max(1, int(self.width(line) * SHRINK)), "429")

    def _change(self, line: str, width: int, why: str) -> None:
        state = self._line(line)
        state.limiter.total_tokens, state.works.total_tokens = width, _WORKS * width
        state.answers = 0
        self._history.append(WidthChange(datetime.now(UTC), line, width, why))

    def _line(self, line: str) -> _Line:
        state = self._lines.get(line)
        if state is None:
            largest = self._widths.get(line, self._largest)
            width = min(self._start, largest)
            state = _Line(CapacityLimiter(width), CapacityLimiter(_WORKS * width), largest)
            self._lines[line] = state
            self._history.append(WidthChange(datetime.now(UTC), line, width, "start"))
        return state


async def _may_go(state: _Line) -> None:
    while True:
        # Read anew after each wait: another 429 may have moved it.
        wait_s = state.resume_at - perf_counter()
        if wait_s <= 0:
            return
        await asyncio.sleep(wait_s)
