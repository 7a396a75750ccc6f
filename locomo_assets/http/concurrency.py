"""Asyncio helpers: bounded gathering, a group's first failure, blocking work in a thread."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

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
