"""Side by side: order kept, width kept, the first failure as itself."""

import asyncio

import pytest

from locomo_assets.http.concurrency import gather_limited


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
