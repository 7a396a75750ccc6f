"""How many requests may be under way at an endpoint at once.

Here: counting and waiting. A width is set from outside (`Limits.set_width`), and what it should
follow, every attempt's outcome, is told through the client's `record`: that is the seam for a
width that adapts itself.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from anyio import CapacityLimiter


class Limits:
    """A concurrency limit for each endpoint; one object may serve several clients of one loop.

    `width` is the number of requests at once for each endpoint not named in `widths`.
    """

    def __init__(self, width: int = 8, widths: Mapping[str, int] | None = None) -> None:
        for endpoint, value in ({"every endpoint": width} | dict(widths or {})).items():
            _check(endpoint, value)
        self._width = width
        self._widths = dict(widths or {})
        self._limiters: dict[str, CapacityLimiter] = {}

    def width(self, endpoint: str) -> int:
        """Requests allowed at once."""
        return self._widths.get(endpoint, self._width)

    def set_width(self, endpoint: str, width: int) -> None:
        """Allow `width` at once from now on; requests already under way are left to end."""
        _check(endpoint, width)
        self._widths[endpoint] = width
        self._limiter(endpoint).total_tokens = width

    def in_flight(self, endpoint: str) -> int:
        """Requests under way now."""
        return self._limiter(endpoint).borrowed_tokens

    @asynccontextmanager
    async def slot(self, endpoint: str) -> AsyncIterator[int]:
        """Wait for a place, in order of asking; gives the number in flight, itself included."""
        limiter = self._limiter(endpoint)
        async with limiter:
            yield limiter.borrowed_tokens

    def _limiter(self, endpoint: str) -> CapacityLimiter:
        limiter = self._limiters.get(endpoint)
        if limiter is None:
            limiter = self._limiters[endpoint] = CapacityLimiter(self.width(endpoint))
        return limiter


def _check(endpoint: str, width: int) -> None:
    if width < 1:
        raise ValueError(f"the limit of {endpoint} is {width}; it must be at least 1")
