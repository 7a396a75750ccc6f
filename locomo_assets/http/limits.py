"""How many requests may be under way at an endpoint at once.

A limit follows the service, by TCP's rule: one more after each round of answers, × 0.8 after an
episode of 429. A 5xx says nothing about load and changes none. No request starts before a
Retry-After is over. Sending and repeating requests belong to the clients.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import UTC, datetime
from time import perf_counter

from anyio import CapacityLimiter

_DECREASE = 0.8

# While some tasks wait before a retry, the others keep the limit in use.
_TASKS_PER_REQUEST = 2

_is_low_priority: ContextVar[bool] = ContextVar("is_low_priority", default=False)


@contextmanager
def low_priority() -> Iterator[None]:
    """At each endpoint, at most one of the requests made within the block waits in the queue.

    So any other request waits behind one of them at most. The rest of a conversation waits for
    its next turn, but nothing waits for another conversation's hundred questions.
    """
    before = _is_low_priority.set(True)
    try:
        yield
    finally:
        _is_low_priority.reset(before)


@dataclass(frozen=True, slots=True)
class LimitChange:
    """The `limit` at an endpoint from `changed_at` (UTC) on; `why` is `start`, `grew` or `429`."""

    changed_at: datetime
    endpoint: str
    limit: int
    why: str


class Limits:
    """A limit for each endpoint. One object may serve several clients of one event loop.

    An endpoint is whatever shares a limit: a single endpoint of a judge, or a whole service that
    may count all requests of a key together. `maximum` is the highest limit of each endpoint that
    `maxima` does not name. A limit begins at `start`, or at its maximum if that is lower.
    """

    def __init__(
        self, maximum: int = 8, maxima: Mapping[str, int] | None = None, *, start: int = 4
    ) -> None:
        checked = {"every endpoint": maximum, "the start": start} | dict(maxima or {})
        for name, value in checked.items():
            if value < 1:
                raise ValueError(f"the limit of {name} is {value}; it must be at least 1")
        self._maximum = maximum
        self._maxima = dict(maxima or {})
        self._start = start
        self._endpoints: dict[str, _Endpoint] = {}
        self._history: list[LimitChange] = []

    @property
    def history(self) -> tuple[LimitChange, ...]:
        """Every change, oldest first; the first of each endpoint is its `start`."""
        return tuple(self._history)

    def limit(self, endpoint: str) -> int:
        """Requests allowed at once now."""
        return int(self._state(endpoint).requests.total_tokens)

    def in_flight(self, endpoint: str) -> int:
        """Requests under way now, including those that wait for a Retry-After."""
        return self._state(endpoint).requests.borrowed_tokens

    @asynccontextmanager
    async def slot(self, endpoint: str) -> AsyncIterator[int]:
        """Wait in the queue for a request's slot, and until a Retry-After is over.

        Yields the number of requests in flight, this one included.
        """
        state = self._state(endpoint)
        if _is_low_priority.get():
            async with state.low_priority_queue:
                await state.requests.acquire()
        else:
            await state.requests.acquire()
        try:
            await _until_resumed(state)
            yield state.requests.borrowed_tokens
        finally:
            state.requests.release()

    async def acquire_task_slot(self, endpoint: str) -> Callable[[object], None]:
        """Wait until a task of several requests may begin; returns the task's done callback.

        Twice as many tasks as requests may run at once. Without this bound, a task's second
        request would wait behind the first requests of all tasks.
        """
        tasks, task = self._state(endpoint).tasks, object()
        await tasks.acquire_on_behalf_of(task)
        return lambda _task: tasks.release_on_behalf_of(task)

    def succeeded(self, endpoint: str, in_flight: int) -> None:
        """Note an answer to a request that was sent as one of `in_flight`.

        It counts only if more than half of the limit was in use: an idle limit proves nothing.
        """
        state = self._state(endpoint)
        limit = self.limit(endpoint)
        if limit >= state.maximum or 2 * in_flight <= limit:
            return
        state.answers += 1
        if state.answers >= limit:
            self._change(endpoint, limit + 1, "grew")

    def throttled(self, endpoint: str, sent_at: float, retry_after_s: float | None) -> None:
        """Note a 429 to a request sent at `sent_at` (on the `perf_counter` clock).

        A request sent before the last decrease belongs to the same episode and lowers nothing.
        No request starts within the next `retry_after_s` seconds.
        """
        state = self._state(endpoint)
        now = perf_counter()
        state.resume_at = max(state.resume_at, now + (retry_after_s or 0.0))
        if sent_at <= state.decreased_at:
            return
        state.decreased_at = now
        self._change(endpoint, max(1, int(self.limit(endpoint) * _DECREASE)), "429")

    def _change(self, endpoint: str, limit: int, why: str) -> None:
        state = self._state(endpoint)
        state.requests.total_tokens, state.tasks.total_tokens = limit, _TASKS_PER_REQUEST * limit
        state.answers = 0
        self._history.append(LimitChange(datetime.now(UTC), endpoint, limit, why))

    def _state(self, endpoint: str) -> "_Endpoint":
        state = self._endpoints.get(endpoint)
        if state is None:
            maximum = self._maxima.get(endpoint, self._maximum)
            limit = min(self._start, maximum)
            state = _Endpoint(
                CapacityLimiter(limit), CapacityLimiter(_TASKS_PER_REQUEST * limit), maximum
            )
            self._endpoints[endpoint] = state
            self._history.append(LimitChange(datetime.now(UTC), endpoint, limit, "start"))
        return state


@dataclass(slots=True)
class _Endpoint:
    """`answers` counts those since the last change; times are on the `perf_counter` clock."""

    requests: CapacityLimiter
    tasks: CapacityLimiter
    maximum: int
    low_priority_queue: asyncio.Lock = field(default_factory=asyncio.Lock)
    answers: int = 0
    decreased_at: float = float("-inf")
    resume_at: float = float("-inf")


async def _until_resumed(state: _Endpoint) -> None:
    while True:
        # Read anew after each wait, because another 429 may have moved it.
        wait_s = state.resume_at - perf_counter()
        if wait_s <= 0:
            return
        await asyncio.sleep(wait_s)
