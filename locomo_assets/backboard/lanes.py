"""Kept connections, found without searching.

Here: a stack of `httpx` clients, each used by one request at a time. httpx's own pool looks at
every connection, and for each at every other one, before and after each request: with 25 of
them that was more than half of a run's processor time.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import httpx


class Lanes:
    """As many clients as requests were ever under way at once; the last one used goes first."""

    def __init__(self, make: Callable[[], httpx.AsyncClient]) -> None:
        self._make = make
        self._free: list[httpx.AsyncClient] = []
        self._all: list[httpx.AsyncClient] = []

    @contextmanager
    def lane(self) -> Iterator[httpx.AsyncClient]:
        """A client of one's own until the block ends; the response must be closed within it."""
        if self._free:
            client = self._free.pop()
        else:
            client = self._make()
            self._all.append(client)
        try:
            yield client
        finally:
            self._free.append(client)

    async def aclose(self) -> None:
        """Close every connection."""
        for client in self._all:
            await client.aclose()
