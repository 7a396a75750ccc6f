"""Blocking work beside the event loop, so that other conversations' requests go on meanwhile.

Here: a thread that is waited for, whatever happens.
"""

import asyncio
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


async def aside(work: Callable[[], T]) -> T:
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
