"""Limits: never more than the width at once, in order, and changed while in use."""

import asyncio

import pytest

from locomo_assets.backboard.limits import Limits


async def hold(limits: Limits, endpoint: str, seen: list[int], until: asyncio.Event) -> None:
    async with limits.slot(endpoint) as in_flight:
        seen.append(in_flight)
        await until.wait()


async def test_no_more_than_the_width_at_once() -> None:
    limits, seen, until = Limits(3), list[int](), asyncio.Event()
    async with asyncio.TaskGroup() as group:
        for _ in range(10):
            group.create_task(hold(limits, "A", seen, until))
        await asyncio.sleep(0.01)
        assert len(seen) == 3
        assert limits.in_flight("A") == 3
        assert limits.in_flight("B") == 0
        until.set()
    assert len(seen) == 10
    assert max(seen) == 3
    assert limits.in_flight("A") == 0


async def test_a_wider_limit_lets_the_waiting_in_and_a_narrower_one_holds_them() -> None:
    limits, seen, until = Limits(8, {"A": 1}), list[int](), asyncio.Event()
    async with asyncio.TaskGroup() as group:
        for _ in range(6):
            group.create_task(hold(limits, "A", seen, until))
        await asyncio.sleep(0.01)
        assert len(seen) == 1
        limits.set_width("A", 4)
        await asyncio.sleep(0.01)
        assert len(seen) == 4
        limits.set_width("A", 2)
        assert limits.width("A") == 2
        until.set()
    assert len(seen) == 6


async def test_a_cancelled_waiter_leaves_no_gap() -> None:
    limits, seen, until = Limits(1), list[int](), asyncio.Event()
    first = asyncio.create_task(hold(limits, "A", seen, until))
    second = asyncio.create_task(hold(limits, "A", seen, until))
    await asyncio.sleep(0.01)
    second.cancel()
    until.set()
    await first
    await asyncio.wait_for(hold(limits, "A", seen, until), 1.0)
    assert seen == [1, 1]


@pytest.mark.parametrize("width", [0, -1])
async def test_a_limit_that_lets_nothing_through_is_refused(width: int) -> None:
    with pytest.raises(ValueError, match="at least 1"):
        Limits(width)
    with pytest.raises(ValueError, match="at least 1"):
        Limits().set_width("A", width)
