"""Asyncio helpers: bounded gathering, the first failure of a group, blocking work in a thread."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar


@contextmanager
def first_failure() -> Iterator[None]:
    """Raise the first failure of a task group itself, instead of a group around it."""
    try:
        yield
    except BaseExceptionGroup as group:
        leaf: BaseException = group
        while isinstance(leaf, BaseExceptionGroup):
            leaf = leaf.exceptions[0]
        raise leaf from leaf.__cause__


T = TypeVar("T")
R = TypeVar("R")


async def gather_limited(
    work: Callable[[T], Awaitable[R]], items: Sequence[T], *, width: int = 64
) -> list[R]:
    """`work` for each item, at most `width` at once; results in the items' order.

    The services' own limits are the clients'; `width` only bounds the tasks in memory.
    """
    gate = asyncio.Semaphore(width)

    async def one(item: T) -> R:
        async with gate:
            return await work(item)

    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one(item)) for item in items]
    except BaseExceptionGroup as failures:
        raise failures.exceptions[0] from None
    return [task.result() for task in tasks]


async def run_in_thread(work: Callable[[], T]) -> T:
    """Run it in a thread; if cancelled meanwhile, only once it has ended.

    What it writes is written under a lease, and that must not be given back before.
    """
    running = asyncio.ensure_future(asyncio.to_thread(work))
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        await asyncio.wait([running])
        if not running.cancelled():
            running.exception()
        raise
