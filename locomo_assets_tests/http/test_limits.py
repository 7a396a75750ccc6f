"""Never more requests at once than the limit, in order; and a limit that follows the service."""

import asyncio
from datetime import UTC, datetime, timedelta
from itertools import accumulate
from pathlib import Path
from time import perf_counter

import pytest

from locomo_assets.backboard.answers import AskProtocol
from locomo_assets.backboard.ask import ask_all
from locomo_assets.backboard.transport import SERVICE
from locomo_assets.http.errors import ServerFailedError
from locomo_assets.http.limits import Limits, low_priority
from locomo_assets.standin.server import running_standin
from locomo_assets.standin.settings import StandinSettings
from locomo_assets_tests.backboard.clients import KEY, Records, quick_client
from locomo_assets_tests.backboard.factories import question


async def hold(limits: Limits, endpoint: str, seen: list[int], until: asyncio.Event) -> None:
    async with limits.slot(endpoint) as in_flight:
        seen.append(in_flight)
        await until.wait()


def limits_of(limits: Limits, endpoint: str) -> list[tuple[int, str]]:
    return [(change.limit, change.why) for change in limits.history if change.endpoint == endpoint]


async def test_no_more_than_the_limit_at_once() -> None:
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


async def test_a_higher_limit_lets_waiting_requests_in_and_a_lower_one_holds_them() -> None:
    limits, seen, until = Limits(8, start=1), list[int](), asyncio.Event()
    async with asyncio.TaskGroup() as group:
        for _ in range(6):
            group.create_task(hold(limits, "A", seen, until))
        await asyncio.sleep(0.01)
        assert len(seen) == 1
        limits.succeeded("A", 1)
        await asyncio.sleep(0.01)
        assert len(seen) == 2
        limits.throttled("A", perf_counter(), None)
        assert limits.limit("A") == 1
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


async def test_a_request_waits_behind_one_of_low_priority_at_most() -> None:
    limits, order = Limits(1), list[str]()

    async def take(name: str) -> None:
        async with limits.slot("A"):
            order.append(name)
            await asyncio.sleep(0.001)

    async def question(number: int) -> None:
        with low_priority():
            await take(f"question {number}")

    async with asyncio.TaskGroup() as group:
        for number in range(5):
            group.create_task(question(number))
        await asyncio.sleep(0)
        group.create_task(take("turn"))
    # One has the slot and one is in the queue; the others let the turn go first.
    assert order.index("turn") <= 2
    assert [name for name in order if name != "turn"] == [f"question {n}" for n in range(5)]
    assert limits.in_flight("A") == 0


async def test_a_cancelled_waiter_of_low_priority_leaves_no_gap() -> None:
    limits, seen, until = Limits(1), list[int](), asyncio.Event()

    async def hold_at_low_priority() -> None:
        with low_priority():
            await hold(limits, "A", seen, until)

    tasks = [asyncio.create_task(hold_at_low_priority()) for _ in range(4)]
    await asyncio.sleep(0.01)
    tasks[1].cancel()  # in the queue
    tasks[2].cancel()  # waits to enter it
    until.set()
    await asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), 1.0)
    assert seen == [1, 1]
    assert limits.in_flight("A") == 0


@pytest.mark.parametrize("limit", [0, -1])
def test_a_limit_that_lets_nothing_through_is_refused(limit: int) -> None:
    with pytest.raises(ValueError, match="at least 1"):
        Limits(limit)
    with pytest.raises(ValueError, match="the limit of A"):
        Limits(8, {"A": limit})
    with pytest.raises(ValueError, match="at least 1"):
        Limits(start=limit)


async def test_one_more_a_round_of_answers_up_to_the_largest() -> None:
    limits = Limits(8, {"A": 6})
    for _ in range(4 + 5 - 1):
        limits.succeeded("A", limits.limit("A"))
    assert limits.limit("A") == 5
    for _ in range(100):
        limits.succeeded("A", limits.limit("A"))
    assert limits_of(limits, "A") == [(4, "start"), (5, "grew"), (6, "grew")]
    assert limits.limit("B") == 4


async def test_a_limit_that_is_not_used_does_not_grow() -> None:
    limits = Limits(16)
    for _ in range(100):
        limits.succeeded("A", 2)
    assert limits.limit("A") == 4


async def test_an_episode_lowers_the_limit_once_and_the_next_again() -> None:
    limits = Limits(20, start=20)
    sent_at = perf_counter()
    for _ in range(7):
        limits.throttled("A", sent_at, None)
    assert limits.limit("A") == 16
    limits.throttled("A", perf_counter(), None)
    assert limits_of(limits, "A") == [(20, "start"), (16, "429"), (12, "429")]
    for _ in range(20):
        limits.throttled("A", perf_counter(), None)
    assert limits.limit("A") == 1


async def test_nobody_starts_before_retry_after_and_other_endpoints_go_on() -> None:
    limits, seen, until = Limits(8), list[int](), asyncio.Event()
    until.set()
    limits.throttled("A", perf_counter(), 0.15)
    begun = perf_counter()
    await hold(limits, "B", seen, until)
    assert perf_counter() - begun < 0.1
    await hold(limits, "A", seen, until)
    assert perf_counter() - begun >= 0.14


async def test_no_more_tasks_than_twice_the_limit_and_each_end_lets_one_in() -> None:
    limits = Limits(3, start=1)
    ends = [await limits.acquire_task_slot("A") for _ in range(2)]
    third = asyncio.create_task(limits.acquire_task_slot("A"))
    await asyncio.sleep(0.01)
    assert not third.done()
    assert limits.in_flight("A") == 0
    ends[0](None)
    ends.append(await asyncio.wait_for(third, 1.0))
    fourth = asyncio.create_task(limits.acquire_task_slot("A"))
    limits.succeeded("A", 1)
    ends.append(await asyncio.wait_for(fourth, 1.0))
    for end in ends[1:]:
        end(None)


async def nothing(_: object) -> None:
    pass


async def test_the_service_counts_all_requests_together(tmp_path: Path) -> None:
    """Creating threads was refused without end while messages took all its capacity."""
    records = Records()
    slow = StandinSettings(keys=(KEY,), first_chunk_latency_ms=20.0, other_latency_ms=20.0)
    with running_standin(slow, tmp_path / "state.sqlite") as urls:
        async with quick_client(urls.backboard, limits=Limits(4), record=records) as client:
            assistant = await client.create_assistant("one", description="")
            questions = [question(number, f"Which {number}?") for number in range(40)]
            await ask_all(client, assistant.assistant_id, questions, AskProtocol(), nothing)
    asked = records.all[1:]
    assert len(asked) == 2 * len(questions)
    begun = [(one.started_at, 1) for one in asked]
    ended = [(one.started_at + timedelta(milliseconds=one.latency_ms or 0.0), -1) for one in asked]
    changes = [change for _, change in sorted(begun + ended)]
    assert max(accumulate(changes)) == 4


async def test_others_go_before_the_questions_that_wait(tmp_path: Path) -> None:
    records = Records()
    slow = StandinSettings(keys=(KEY,), first_chunk_latency_ms=40.0, other_latency_ms=40.0)
    with running_standin(slow, tmp_path / "state.sqlite") as urls:
        async with quick_client(
            urls.backboard, limits=Limits(8, start=8), record=records
        ) as client:
            assistant = await client.create_assistant("one", description="")
            questions = [question(number, f"Which {number}?") for number in range(40)]
            asking = asyncio.create_task(
                ask_all(client, assistant.assistant_id, questions, AskProtocol(), nothing)
            )
            await asyncio.sleep(0.1)
            called_at = datetime.now(UTC)
            await client.list_assistants()
            await asking
    begun_at = next(one.started_at for one in records.all if one.endpoint == "GET /assistants")
    assert sum(called_at < one.started_at < begun_at for one in records.all) <= 2


async def test_the_client_finds_the_limit_that_the_service_takes(tmp_path: Path) -> None:
    records, limits = Records(), Limits(16)
    strict = StandinSettings(keys=(KEY,), max_in_flight=6, other_latency_ms=50.0, retry_after_s=0)
    with running_standin(strict, tmp_path / "state.sqlite") as urls:
        async with (
            quick_client(urls.backboard, limits=limits, record=records) as client,
            asyncio.TaskGroup() as group,
        ):
            for _ in range(200):
                group.create_task(client.list_assistants())
    refused = records.errors().count("RateLimitedError")
    episodes = [limit for limit, why in limits_of(limits, SERVICE) if why == "429"]
    assert 1 <= len(episodes) <= refused < 60
    assert max(limit for limit, _ in limits_of(limits, SERVICE)) <= 10


async def test_a_server_error_lowers_no_limit(tmp_path: Path) -> None:
    limits = Limits(8)
    with running_standin(
        StandinSettings(keys=(KEY,), server_error_share=1.0), tmp_path / "s.sqlite"
    ) as urls:
        async with quick_client(urls.backboard, limits=limits) as client:
            with pytest.raises(ServerFailedError):
                await client.list_assistants()
    assert limits_of(limits, SERVICE) == [(4, "start")]
