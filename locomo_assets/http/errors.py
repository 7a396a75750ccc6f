"""What can go wrong with a paid call, as types, and `RetrySettings`: when it is tried again.

    BackboardError                    (a LocomoError: one line for people, never a key in it)
    ├── PermanentError                asking again would fail again
    │   ├── KeyRefusedError           401, 402, 403: every further call would fail as well
    │   ├── NotFoundError             404: no such assistant, thread or operation
    │   ├── RequestRefusedError       400, 422, redirects and every other status
    │   ├── UnexpectedAnswerError     an answer that is not what the service documents
    │   └── ThreadMismatchError       a thread holds other messages than it should
    │       └── ThreadDamagedError    for good: it holds a message twice, or one that failed
    ├── TransientError                bounded retries are over
    │   ├── UnreachableError          no connection: nothing was sent
    │   ├── RateLimitedError          429: not done, most likely
    │   ├── ServerFailedError         408, 5xx or a page of HTML where repeating is harmless
    │   └── ConnectionBrokenError     the answer was lost where repeating is harmless
    ├── AmbiguousError                sent, and nobody knows whether it was done: read back first
    │   ├── AnswerOverdueError        no answer in time (408, 504): the server may be at work on it
    │   ├── StreamIncompleteError     a stream whose last run has no `run_ended`, or no stream
    │   └── StreamMalformedError      a stream that is not server-sent JSON events
    └── RunFailedError                the service says that the run failed: no answer

A 5xx or 408 after a POST that is not idempotent is ambiguous, not transient: a gateway answers
them for requests that the service has received and may still carry out. Gateways answer 429 for
such requests, too, so after it a POST is read back as well before it is sent again.
"""

import asyncio
import math
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TypeVar

from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type, stop_after_attempt

from locomo_assets.errors import LocomoError


class BackboardError(LocomoError):
    """A failed call to Backboard.

    `endpoint` is method and path template. `status` is the HTTP status, `retry_after_s` what the
    server asked for in seconds; each is None where the server gave none.
    """

    def __init__(
        self,
        message: str,
        *,
        endpoint: str | None = None,
        status: int | None = None,
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(message)
        self.endpoint = endpoint
        self.status = status
        self.retry_after_s = retry_after_s


class PermanentError(BackboardError):
    """Asking again would fail again."""


class KeyRefusedError(PermanentError):
    """The key is missing, wrong, or may not do this: no further call can succeed."""


class NotFoundError(PermanentError):
    """No such assistant, thread or operation."""


class RequestRefusedError(PermanentError):
    """The server understood the request and refuses it."""


class UnexpectedAnswerError(PermanentError):
    """An answer that is not what the service documents."""


class ThreadMismatchError(PermanentError):
    """A thread holds other messages than it should."""


class ThreadDamagedError(ThreadMismatchError):
    """A thread holds a message twice, or one that failed, and can't be put right.

    What is asked of its memory can't count.
    """


class TransientError(BackboardError):
    """It is retried where repeating is harmless; a caller then sees it after the last retry."""


class UnreachableError(TransientError):
    """No connection: nothing was sent."""


class RateLimitedError(TransientError):
    """429."""


class ServerFailedError(TransientError):
    """408, 5xx, or a body that is not JSON where repeating is harmless, at every attempt."""


class ConnectionBrokenError(TransientError):
    """The answer was lost at every attempt, where repeating is harmless."""


class AmbiguousError(BackboardError):
    """Sent, and nobody knows whether it was done. Read back before going on."""


class AnswerOverdueError(AmbiguousError):
    """No answer in time, by our clock or a gateway's: the server may still be at work on it."""


class StreamIncompleteError(AmbiguousError):
    """The last run of the stream has not ended: no answer, though one may have been saved."""


class StreamMalformedError(AmbiguousError):
    """The stream is not server-sent JSON events: no answer, though one may have been saved."""


class RunFailedError(BackboardError):
    """The service itself says that the run failed."""


T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class RetrySettings:
    """Bounds of retrying; times in seconds.

    A wait is random, below `base_s` doubled at each attempt and below `longest_s`. A Retry-After
    is obeyed up to `longest_retry_after_s`. `attempts` bounds the repetitions of a transient
    failure, `asks` those of an ambiguous one. `quiet_s` is for how long nothing new may appear at
    the service before what failed ambiguously is sent again; `quiet_after_overdue_s` where its
    answer was overdue, `quiet_after_429_s` where a rate limit refused it.
    """

    attempts: int = 8
    base_s: float = 0.5
    longest_s: float = 30.0
    longest_retry_after_s: float = 120.0
    asks: int = 4
    quiet_s: float = 4.0
    quiet_after_overdue_s: float = 15.0
    quiet_after_429_s: float = 1.0

    def wait_s(self, attempt: int, retry_after_s: float | None) -> float:
        """The wait after the failed attempt of this number (from 1)."""
        ceiling = min(self.longest_s, self.base_s * 2.0 ** min(attempt - 1, 32))
        if retry_after_s is None:
            return random.uniform(0.0, ceiling)
        # Random on top, so that requests refused together do not come back together.
        return min(retry_after_s, self.longest_retry_after_s) + random.uniform(0.0, ceiling)

    async def retried(
        self,
        send: Callable[[], Awaitable[T]],
        attempts: int | None = None,
        *,
        repeatable: bool = True,
    ) -> T:
        """What `send` gives; after transient failures it is tried again, bounded.

        What is not `repeatable` is sent again only where it was certainly not sent. The last
        failure is raised.
        """
        transient = TransientError if repeatable else UnreachableError
        failures: list[BackboardError] = []
        try:
            return await send()
        except transient as error:
            failures.append(error)

        async def send_again() -> T:
            # The policy is made only now, as nearly every call succeeds at once; it is told of the
            # first failure.
            if failures:
                raise failures.pop()
            return await send()

        policy = AsyncRetrying(
            stop=stop_after_attempt(attempts or self.attempts),
            wait=self._wait,
            retry=retry_if_exception_type(transient),
            reraise=True,
        )
        return await policy(send_again)

    def quiet_for_s(self, error: BackboardError) -> float:
        """How long to look for what failed so before it is sent again."""
        if isinstance(error, AnswerOverdueError):
            return self.quiet_after_overdue_s
        return self.quiet_after_429_s if error.status == 429 else self.quiet_s

    async def until_certain(
        self,
        send: Callable[[int], Awaitable[T]],
        look: Callable[[int, BackboardError], Awaitable[T | None]] | None = None,
        *,
        doubtful: tuple[type[BackboardError], ...] = (AmbiguousError, RateLimitedError),
    ) -> T:
        """What `send` gives, or what `look` finds of it at the service after a doubtful failure.

        Both get the number of the attempt (from 1). `look` returns None if nothing was done; it
        is left out where doing it twice is harmless. The last failure is raised.
        """
        ask = 0
        while True:
            ask += 1
            try:
                return await send(ask)
            except doubtful as error:
                is_last = ask >= (self.attempts if error.status == 429 else self.asks)
                if look is None and is_last:
                    raise
                found = await self._look_until_quiet(ask, error, look)
                if found is not None:
                    return found
                if is_last:
                    raise

    async def _look_until_quiet(
        self,
        ask: int,
        error: BackboardError,
        look: Callable[[int, BackboardError], Awaitable[T | None]] | None,
    ) -> T | None:
        """What `look` finds; it looks last when all waits are over."""
        wait_s = self.wait_s(ask, error.retry_after_s)
        if look is None:
            await asyncio.sleep(wait_s)
            return None
        quiet_at = time.monotonic() + max(wait_s, self.quiet_for_s(error))
        pause_s = wait_s
        while True:
            await asyncio.sleep(min(pause_s, max(0.0, quiet_at - time.monotonic())))
            is_quiet = time.monotonic() >= quiet_at
            found = await look(ask, error)
            if found is not None or is_quiet:
                return found
            pause_s = min(max(self.base_s, 2 * pause_s), self.longest_s)

    def _wait(self, state: RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome is not None else None
        after = error.retry_after_s if isinstance(error, BackboardError) else None
        return self.wait_s(state.attempt_number, after)


def parse_retry_after(value: str | None, now: datetime | None = None) -> float | None:
    """The seconds that a Retry-After header asks for, as a number or an HTTP date.

    0 for a past date, None for what can't be read. `now` is for tests.
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
