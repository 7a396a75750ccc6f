"""What can go wrong with a paid call, as types, and `RetrySettings`: when it is tried again.

    BackboardError                    (a LocomoError: one line for people, never a key in it)
    ├── PermanentError                asking again would fail again
    │   ├── KeyRefusedError           401, 402, 403: every further call would fail as well
    │   ├── NotFoundError             404: no such assistant, thread or operation
    │   ├── RequestRefusedError       400, 422, redirects and every other status
    │   ├── UnexpectedAnswerError     an answer that is not what the service documents
    │   └── ThreadMismatchError       a thread holds other turns than it should
    ├── TransientError                not done, or harmless to repeat; bounded retries are over
    │   ├── UnreachableError          no connection: nothing was sent
    │   ├── RateLimitedError          429
    │   ├── ServerFailedError         408, and 5xx where repeating is harmless
    │   └── ConnectionBrokenError     the answer was lost where repeating is harmless
    ├── AmbiguousError                sent, and nobody knows whether it was done: read back first
    │   ├── StreamIncompleteError     a stream that ended without `run_ended`
    │   └── StreamMalformedError      a stream that is not server-sent JSON events
    └── RunFailedError                the service says that the run failed: no answer

A 5xx after a POST that is not idempotent is ambiguous, not transient: a gateway answers 502 or
504 for requests that the service has received and may still carry out.
"""

import asyncio
import math
import random
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
    """A thread holds other turns than it should."""


class TransientError(BackboardError):
    """Not done, or harmless to repeat. It is retried; a caller sees it after the last retry."""


class UnreachableError(TransientError):
    """No connection: nothing was sent."""


class RateLimitedError(TransientError):
    """429, at every attempt."""


class ServerFailedError(TransientError):
    """408, or 5xx where repeating is harmless, at every attempt."""


class ConnectionBrokenError(TransientError):
    """The answer was lost at every attempt, where repeating is harmless."""


class AmbiguousError(BackboardError):
    """Sent, and nobody knows whether it was done. Read back before going on."""

    @property
    def may_be_running(self) -> bool:
        """Whether the server may still work on it, so that reading back once proves nothing."""
        return self.status not in (500, 503)


class StreamIncompleteError(AmbiguousError):
    """The stream ended without `run_ended`: no answer, though one may have been saved."""


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
    failure, `asks` those of an ambiguous one. `read_back_s` are the pauses between readings of a
    thread after an ambiguous failure, while the server may still work on it.
    """

    attempts: int = 8
    base_s: float = 0.5
    longest_s: float = 30.0
    longest_retry_after_s: float = 120.0
    read_back_s: tuple[float, ...] = (0.5, 1.0, 2.0)
    asks: int = 4

    def wait_s(self, attempt: int, retry_after_s: float | None) -> float:
        """The wait after the failed attempt of this number (from 1)."""
        ceiling = min(self.longest_s, self.base_s * 2.0 ** min(attempt - 1, 32))
        if retry_after_s is None:
            return random.uniform(0.0, ceiling)
        # Random on top, so that requests refused together do not come back together.
        return min(retry_after_s, self.longest_retry_after_s) + random.uniform(0.0, ceiling)

    def policy(self, attempts: int | None = None) -> AsyncRetrying:
        """A tenacity policy for one call: transient failures only, bounded, the last re-raised."""
        return AsyncRetrying(
            stop=stop_after_attempt(attempts or self.attempts),
            wait=self._wait,
            retry=retry_if_exception_type(TransientError),
            reraise=True,
        )

    async def until_certain(
        self,
        send: Callable[[int], Awaitable[T]],
        look: Callable[[int, BackboardError], Awaitable[T | None]] | None = None,
        *,
        doubtful: tuple[type[BackboardError], ...] = (AmbiguousError,),
    ) -> T:
        """What `send` gives, or what `look` finds of it at the service after a doubtful failure.

        Both get the number of the attempt (from 1). `look` returns None if nothing was done; it
        is left out where doing it twice is harmless. The last failure is raised.
        """
        for ask in range(1, self.asks + 1):
            try:
                return await send(ask)
            except doubtful as error:
                if look is None and ask == self.asks:
                    raise
                await asyncio.sleep(self.wait_s(ask, error.retry_after_s))
                found = None if look is None else await look(ask, error)
                if found is not None:
                    return found
                if ask == self.asks:
                    raise
        raise AssertionError("at least one attempt is made")

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
