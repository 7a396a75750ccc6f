"""What stops tidily at a signal: Ctrl-C, SIGTERM, a cancel in the UI.

Dagster's own handler raises out of whatever the event loop is doing, so that nothing awaited
reaches its `finally`. Here the signal becomes a cancelled task.
"""

import asyncio
import gc
import signal
import threading
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

T = TypeVar("T")
_STOPS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def uninterrupted() -> Iterator[None]:
    """A short block that a signal must not cut in two: signals wait for its end.

    In a thread that gets no signals it is run as it is.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    got: list[int] = []
    before = {number: signal.getsignal(number) for number in _STOPS}
    for number in _STOPS:
        signal.signal(number, lambda number, _: got.append(number))
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if got:
        signal.raise_signal(got[0])


def run_interruptibly(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine to its end; the first SIGINT or SIGTERM cancels it.

    Once it has tidied up, the signal goes to the handler that was there before, which raises. A
    second signal goes to that handler at once. In a thread that gets no signals: just run it.
    """
    if threading.current_thread() is not threading.main_thread():
        return asyncio.run(work)
    before = {number: signal.getsignal(number) for number in _STOPS}
    got: list[int] = []

    async def cancellable() -> T:
        loop, task = asyncio.get_running_loop(), asyncio.ensure_future(work)

        def stop(number: int) -> None:
            got.append(number)
            restore(loop)
            task.cancel()

        for number in _STOPS:
            loop.add_signal_handler(number, stop, number)
        try:
            return await task
        finally:
            if not got:
                restore(loop)

    def restore(loop: asyncio.AbstractEventLoop) -> None:
        for number, handler in before.items():
            loop.remove_signal_handler(number)
            signal.signal(number, handler)

    # A collection would look through all that is loaded, Dagster and its packages above all, and
    # hold up every request for 0.2 s.
    gc.freeze()
    try:
        return asyncio.run(cancellable())
    except asyncio.CancelledError:
        if got:
            signal.raise_signal(got[0])
        raise
    finally:
        gc.unfreeze()
