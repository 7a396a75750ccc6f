"""How much may be under way: requests at an endpoint at once, and USD spent by a run.

A limit on requests follows the service, by TCP's rule: one more after each round of answers, × 0.8
after an episode of 429. The budget reserves what a call may cost. Helpers that run many awaitables
side by side are here too.
"""

import asyncio
import math
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import UTC, datetime
from time import perf_counter
from typing import TypeVar, cast

from anyio import CapacityLimiter

from locomo_assets.errors import LocomoError
from locomo_assets.http.errors import PermanentError, TransientError

_DECREASE = 0.8

# While some tasks wait before a retry, the others keep the limit in use.
_TASKS_PER_REQUEST = 2

_is_low_priority: ContextVar[bool] = ContextVar("is_low_priority", default=False)


@contextmanager
def low_priority() -> Iterator[None]:
    """At each endpoint, at most one of the requests made within the block waits in the queue.

    The hundred questions of one conversation would otherwise stand in the queue together, before
    the next turn of every other conversation.
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


ANSWER, VERDICT, BATCHED_VERDICT = "answer", "verdict", "batched verdict"
"""The kinds of call that are paid for by tokens."""

RecordUsage = Callable[[int | None, int | None], None]
"""Takes input and output tokens, None where unknown."""


class BudgetReachedError(LocomoError):
    """The next call could cost more than is left."""


class Budget:
    """At most `max_cost_usd`, of which `spent_usd` is spent already. Used from one event loop.

    A call may cost as much as the most expensive one of its kind so far; it is sent if that still
    fits beside the calls under way. A call whose cost stays unknown, because its answer was lost,
    counts as the most expensive one. So only a call that costs more than any before it can pass
    the limit, and only by the difference.
    """

    def __init__(self, max_cost_usd: float = math.inf, spent_usd: float = 0.0) -> None:
        self.max_cost_usd = max_cost_usd
        self.spent_usd = spent_usd
        self._reserved_usd = 0.0
        self._prices: dict[str, Callable[[int, int], float | None]] = {}
        self._highest_usd: dict[str, float] = {}
        self._changed = asyncio.Event()

    def price(
        self, kind: str, cost_usd: Callable[[int, int], float | None], expected_usd: float
    ) -> None:
        """Set the price of a kind of call. `expected_usd` is what the first one may cost."""
        self._prices[kind] = cost_usd
        self._highest_usd[kind] = expected_usd

    @asynccontextmanager
    async def reserve(
        self, kind: str, calls: int = 1, *, sent: bool = False
    ) -> AsyncIterator[RecordUsage]:
        """Reserve the cost of a call, or of `calls` calls sent as one; yields `record_usage`.

        Waits while the calls under way could use up the rest. Raises `BudgetReachedError` if it
        would not fit even if they cost nothing. Calls that an earlier run has `sent` are counted,
        but neither wait nor stop.
        """
        if not sent:
            await self._wait_for_room(kind, calls)
        reserved = calls * self._highest_usd.get(kind, 0.0)
        cost: float | None = None

        def record_usage(input_tokens: int | None, output_tokens: int | None) -> None:
            nonlocal cost
            if input_tokens is not None and output_tokens is not None and kind in self._prices:
                cost = self._prices[kind](input_tokens, output_tokens)

        self._reserved_usd += reserved
        try:
            yield record_usage
        except (PermanentError, TransientError):
            cost = 0.0  # certainly not carried out
            raise
        finally:
            self._reserved_usd -= reserved
            self.spent_usd += reserved if cost is None else cost
            self._highest_usd[kind] = max(self._highest_usd.get(kind, 0.0), (cost or 0.0) / calls)
            self._changed.set()
            self._changed = asyncio.Event()

    def check(self, kind: str, calls: int = 1) -> float:
        """USD spent with these calls; `BudgetReachedError` if they do not fit."""
        what = kind if calls == 1 else f"{calls} {kind}s"
        needed = self.spent_usd + calls * self._highest_usd.get(kind, 0.0)
        if needed > self.max_cost_usd:
            raise BudgetReachedError(
                f"cost limit: {self.spent_usd:.4f} of {self.max_cost_usd:g} USD are spent and "
                f"the next {what} may cost {needed - self.spent_usd:.4f}; raise "
                "LOCOMO_MAX_COST_USD and run it again: what is stored is not paid for again"
            )
        return needed

    async def _wait_for_room(self, kind: str, calls: int) -> None:
        while True:
            needed = self.check(kind, calls)
            if needed + self._reserved_usd <= self.max_cost_usd + 1e-9:
                return
            await self._changed.wait()


T = TypeVar("T")
R = TypeVar("R")


@contextmanager
def first_failure() -> Iterator[None]:
    """Raise the first failure of a task group itself instead of the exception group."""
    try:
        yield
    except BaseExceptionGroup as group:
        leaf: BaseException = group
        while isinstance(leaf, BaseExceptionGroup):
            leaf = leaf.exceptions[0]
        raise leaf from leaf.__cause__


async def gather_limited(
    work: Callable[[T], Awaitable[R]], items: Sequence[T], *, limit: int = 64
) -> list[R]:
    """`work` for each item, at most `limit` at once; the results in the order of the items.

    The clients keep the limits of their services; `limit` only bounds the tasks in memory.
    """
    slots = asyncio.Semaphore(limit)

    async def one(item: T) -> R:
        async with slots:
            return await work(item)

    with first_failure():
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one(item)) for item in items]
    return [task.result() for task in tasks]


async def run_in_thread(work: Callable[[], T]) -> T:
    """Run blocking work in a thread. A cancellation is raised only after the work has ended.

    The work may write under a lease, which must not be released before.
    """
    running = asyncio.ensure_future(asyncio.to_thread(work))
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        await asyncio.wait([running])
        if not running.cancelled():
            running.exception()
        raise


def start_in_daemon_thread(work: Callable[[], T]) -> "asyncio.Future[T]":
    """Blocking work that may hang for ever: the process can end all the same.

    A cancellation of the future does not reach the work.
    """
    loop = asyncio.get_running_loop()
    ended: asyncio.Future[T] = loop.create_future()
    # Nobody may be left to ask for it.
    ended.add_done_callback(lambda future: future.cancelled() or future.exception())

    def tell(result: T | None, error: BaseException | None) -> None:
        if ended.cancelled():
            return
        if error is not None:
            ended.set_exception(error)
        else:
            ended.set_result(cast(T, result))

    def run() -> None:
        result, error = None, None
        try:
            result = work()
        except BaseException as raised:
            error = raised
        # The loop may have ended meanwhile.
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(tell, result, error)

    threading.Thread(target=run, daemon=True).start()
    return ended
