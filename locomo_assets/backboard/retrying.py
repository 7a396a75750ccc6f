"""When to try again, and after how long.

Here: the settings, Retry-After, and a tenacity policy for errors that are already typed. Which
failure is which is decided in `failures`: only a `TransientError` is repeated.
"""

import math
import random
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type, stop_after_attempt

from locomo_assets.backboard.errors import BackboardError, TransientError


@dataclass(frozen=True, slots=True)
class RetrySettings:
    """Bounds of trying again; times in seconds.

    A wait is drawn between 0 and `base_s` doubled at each attempt, at most `longest_s`; a
    Retry-After is obeyed up to `longest_retry_after_s`. `read_back_s` are the pauses between
    looks at a thread after an ambiguous failure, while the server may still be at it.
    `asks` is how often one question may be asked in a fresh thread, or one lost turn resent.
    """

    attempts: int = 8
    base_s: float = 0.5
    longest_s: float = 30.0
    longest_retry_after_s: float = 120.0
    read_back_s: tuple[float, ...] = (0.5, 1.0, 2.0)
    asks: int = 4

    def wait_s(self, attempt: int, retry_after_s: float | None) -> float:
        """How long to wait after the failed attempt of this number (from 1)."""
        ceiling = min(self.longest_s, self.base_s * 2.0 ** min(attempt - 1, 32))
        if retry_after_s is None:
            return random.uniform(0.0, ceiling)
        # The jitter on top keeps all who were refused together from coming back together.
        return min(retry_after_s, self.longest_retry_after_s) + random.uniform(0.0, ceiling)

    def policy(self, attempts: int | None = None) -> AsyncRetrying:
        """A tenacity policy for one call: transient failures only, bounded, the last re-raised."""
        return AsyncRetrying(
            stop=stop_after_attempt(attempts or self.attempts),
            wait=self._wait,
            retry=retry_if_exception_type(TransientError),
            reraise=True,
        )

    def _wait(self, state: RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome is not None else None
        after = error.retry_after_s if isinstance(error, BackboardError) else None
        return self.wait_s(state.attempt_number, after)


def parse_retry_after(value: str | None, now: datetime | None = None) -> float | None:
    """Seconds to wait by a Retry-After header: a number or an HTTP date; None where unreadable.

    A past date gives 0. `now` is for tests.
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
