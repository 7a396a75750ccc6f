"""Waiting for memory to form: polling memory operations until they end or time out.

A failed operation is an outcome that is counted and kept, not an error.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from time import perf_counter

from locomo_assets.backboard.client import BackboardClient
from locomo_assets.backboard.reconcile import EndedOperation, IngestedTurn
from locomo_assets.http.errors import (
    ConnectionBrokenError,
    NotFoundError,
    RateLimitedError,
    ServerFailedError,
)

# The published measurement polls every 0.2 s, later every 1 s.
_EAGER_S, _EAGER_PAUSE_S, _LATER_PAUSE_S = 2.0, 0.2, 1.0
_SHORTEST_PAUSE_S = 0.004

# The weight of the newest operation in the running means.
_WEIGHT = 0.2

# Hours already: further ones would only overflow.
_MOST_DOUBLINGS = 20

# These say nothing about an operation. One that is too new may be 404.
_NO_NEWS = (RateLimitedError, ServerFailedError, ConnectionBrokenError, NotFoundError)


@dataclass(frozen=True, slots=True)
class OpenOperation:
    """An operation that is waited for.

    `since` is on the `perf_counter` clock, and None if an earlier process began it.
    """

    memory_operation_id: str
    turn: IngestedTurn
    since: float | None

    def ended(self, status: str, memory_ids: tuple[str, ...] = ()) -> EndedOperation:
        """Its row, if it ends now."""
        return EndedOperation(
            memory_operation_id=self.memory_operation_id,
            session_index=self.turn.session_index,
            turn_index=self.turn.turn_index,
            dia_id=self.turn.dia_id,
            status=status,
            memory_ids=memory_ids,
            wait_ms=None if self.since is None else (perf_counter() - self.since) * 1000.0,
            ended_at=datetime.now(UTC),
        )


class OperationWatch:
    """Polls the operations of one ingestion; `on_ended` gets each once, ended or timed out.

    `on_ended` may be cancelled while it waits, so it must note the operation before.
    """

    def __init__(
        self,
        client: BackboardClient,
        time_out_s: float,
        on_ended: Callable[[EndedOperation], Awaitable[None]],
    ) -> None:
        self._client = client
        self._time_out_s = time_out_s
        self._on_ended = on_ended
        self._schedule = PollSchedule()
        self._open: dict[str, OpenOperation] = {}
        self._idle = asyncio.Event()
        self._idle.set()

    def add(self, operation: OpenOperation) -> None:
        """Leave the operation to `sweep`."""
        self._open[operation.memory_operation_id] = operation
        self._idle.clear()

    async def wait(self, operation: OpenOperation) -> None:
        """Wait until it ends or times out; polled as learnt from the operations before it."""
        ended: EndedOperation | None = None
        with suppress(TimeoutError):
            async with asyncio.timeout(self._time_out_s):
                start = polled = perf_counter()
                for pause_s in self._schedule.pauses():
                    await asyncio.sleep(pause_s)
                    before, polled = polled, perf_counter()
                    ended = await self._poll(operation)
                    self._schedule.polled(perf_counter() - polled)
                    if ended is not None:
                        self._schedule.ended(polled - start, polled - before)
                        break
        await self._on_ended(ended or operation.ended("timed_out"))

    async def sweep(self) -> None:
        """Poll all open operations, round after round, until cancelled."""
        quiet_since = perf_counter()
        while True:
            before = len(self._open)
            await self._poll_all()
            if len(self._open) < before:
                quiet_since = perf_counter()
            await asyncio.sleep(_pause(perf_counter() - quiet_since))

    async def finish(self) -> None:
        """Wait until `sweep` has seen all of them end, or until the time-out."""
        with suppress(TimeoutError):
            async with asyncio.timeout(self._time_out_s):
                await self._idle.wait()

    async def give_up(self) -> None:
        """After `sweep` was cancelled: poll each once more, then mark it `timed_out`.

        Once more, because a long queue of polls is our own delay.
        """
        await self._poll_all()
        for operation in list(self._open.values()):
            await self._end(operation, operation.ended("timed_out"))

    async def _poll_all(self) -> None:
        async with asyncio.TaskGroup() as group:
            for operation in list(self._open.values()):
                group.create_task(self._poll_and_end(operation))

    async def _poll_and_end(self, operation: OpenOperation) -> None:
        ended = await self._poll(operation)
        if ended is not None:
            await self._end(operation, ended)

    async def _end(self, operation: OpenOperation, ended: EndedOperation) -> None:
        if self._open.pop(operation.memory_operation_id, None) is None:
            return
        await self._on_ended(ended)
        if not self._open:
            self._idle.set()

    async def _poll(self, operation: OpenOperation) -> EndedOperation | None:
        try:
            seen = await self._client.memory_operation(operation.memory_operation_id)
        except _NO_NEWS:
            return None
        return None if seen.state == "running" else operation.ended(seen.state, seen.memory_ids)


class PollSchedule:
    """When to poll an operation: shortly before its expected end, then at pauses that double.

    The next turn waits for the memory of the one before. So a late poll costs time hundreds of
    times in a conversation, and an early one is a request for nothing. Mean and mean deviation of
    the times to the end are learnt as TCP learns its round trips (V. Jacobson, Congestion
    Avoidance and Control, 1988). The first poll is half a deviation before the mean, or by half a
    poll's own time later, at most at the mean: one in vain holds up the next by so much. No pause
    is longer than the published measurement's. The first operation is polled immediately.
    """

    def __init__(self) -> None:
        self._expected_s = self._deviation_s = self._poll_s = 0.0
        self._is_first = True
        self._at_first_poll = 0

    def pauses(self) -> Iterator[float]:
        """Seconds before each poll of one operation; never ends."""
        early_s = max(0.0, self._deviation_s - self._poll_s) / 2
        waited_s = max(0.0, self._expected_s - early_s)
        yield waited_s
        step_s = self._step_s()
        while True:
            pause_s = min(step_s, _pause(waited_s))
            yield pause_s
            waited_s += pause_s
            step_s *= 2

    def polled(self, seconds: float) -> None:
        """Learn how long a poll takes, its wait for our own limit included."""
        self._poll_s += _WEIGHT * (seconds - self._poll_s)

    def ended(self, waited_s: float, unseen_s: float) -> None:
        """Learn that one had ended after `waited_s`, and had not yet `unseen_s` before."""
        if unseen_s < waited_s:
            self._at_first_poll = 0
        else:
            # It may have ended long before. Assume twice as long each time in a row.
            self._at_first_poll = min(self._at_first_poll + 1, _MOST_DOUBLINGS)
            unseen_s = min(waited_s, self._step_s() * 2.0**self._at_first_poll)
        off_s = waited_s - unseen_s / 2 - self._expected_s
        if self._is_first:
            self._is_first = False
            self._expected_s, self._deviation_s = off_s, unseen_s / 2
        else:
            self._expected_s += _WEIGHT * off_s
            self._deviation_s += _WEIGHT * (abs(off_s) - self._deviation_s)

    def _step_s(self) -> float:
        return max(_SHORTEST_PAUSE_S, self._deviation_s / 2)


def _pause(waited_s: float) -> float:
    return _EAGER_PAUSE_S if waited_s < _EAGER_S else _LATER_PAUSE_S
