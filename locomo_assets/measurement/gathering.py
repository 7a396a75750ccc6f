"""Many awaitables side by side: the first failure cancels the rest and is raised as itself.

Here: the wrapping of `asyncio.TaskGroup`, whose ExceptionGroup is no error for people.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

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
