"""When a call is repeated, how often, and after which wait.

A transient failure is repeated as it is. After an ambiguous one the caller looks at the service
first, so that nothing is done twice.
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

from locomo_assets.http.errors import AmbiguousError, BackboardError, TransientError

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
