"""Work beside the loop: the loop goes on, and nobody who waits for it leaves before its end."""

import asyncio
import threading

import pytest

from locomo_assets.http.concurrency import run_in_thread


async def test_the_loop_goes_on_meanwhile() -> None:
    go = threading.Event()
    waiting = asyncio.ensure_future(run_in_thread(lambda: go.wait(5.0)))
    await asyncio.sleep(0.01)
    go.set()
    assert await waiting


async def test_cancelled_it_ends_only_with_the_work() -> None:
    go, ended = threading.Event(), threading.Event()

    def work() -> None:
        go.wait(5.0)
        ended.set()

    waiting = asyncio.ensure_future(run_in_thread(work))
    await asyncio.sleep(0.01)
    waiting.cancel()
    await asyncio.sleep(0.01)
    assert not waiting.done()
    go.set()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert ended.is_set()


@pytest.mark.parametrize("cancelled", [False, True])
async def test_a_failure_is_the_waiter_s_unless_it_was_cancelled(cancelled: bool) -> None:
    go = threading.Event()

    def fail() -> None:
        go.wait(5.0)
        raise OSError("no space left")

    waiting = asyncio.ensure_future(run_in_thread(fail))
    await asyncio.sleep(0.01)
    if cancelled:
        waiting.cancel()
        await asyncio.sleep(0)
    go.set()
    with pytest.raises(asyncio.CancelledError if cancelled else OSError):
        await waiting
