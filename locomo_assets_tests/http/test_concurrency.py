"""Bounded gathering, and blocking work in a thread."""

import asyncio
import threading

import pytest

from locomo_assets.http.limits import gather_limited, run_in_thread


async def test_results_in_order_and_never_more_than_width() -> None:
    running = most = 0

    async def work(number: int) -> int:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.001 * (5 - number % 5))
        running -= 1
        return number * number

    assert await gather_limited(work, range(20), limit=3) == [n * n for n in range(20)]
    assert most == 3


async def test_first_failure_cancels_the_rest_and_is_no_group() -> None:
    ended: list[int] = []

    async def work(number: int) -> None:
        if number == 0:
            raise LookupError("the first")
        await asyncio.sleep(30)
        ended.append(number)

    with pytest.raises(LookupError, match="the first"):
        await gather_limited(work, range(5))
    assert ended == []


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
