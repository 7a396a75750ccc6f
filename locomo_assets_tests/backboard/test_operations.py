"""Polling by the learnt schedule; a status that can't be had is no news."""

import asyncio
from collections.abc import Iterator
from itertools import accumulate, islice
from random import Random
from time import perf_counter

import httpx
import pytest

from locomo_assets.backboard import operations
from locomo_assets.backboard.operations import OpenOperation, OperationWatch, PollSchedule
from locomo_assets.backboard.reconcile import EndedOperation, IngestedTurn
from locomo_assets.http.errors import KeyRefusedError
from locomo_assets_tests.backboard.clients import quick_client

TURN = IngestedTurn(1, 0, "D1:1", "t1", "m1", "op1", None, 1.0)
RUNNING = httpx.Response(200, json={"status": "IN_PROGRESS"})
DONE = httpx.Response(200, json={"status": "COMPLETED", "memory_ids": ["a"]})


async def waited(answers: Iterator[httpx.Response], time_out_s: float = 1.0) -> EndedOperation:
    ended: list[EndedOperation] = []

    async def keep(operation: EndedOperation) -> None:
        ended.append(operation)

    transport = httpx.MockTransport(lambda _: next(answers))
    async with quick_client("http://standin.invalid/api", transport=transport) as client:
        watch = OperationWatch(client, time_out_s, keep)
        await watch.wait(OpenOperation("op1", TURN, perf_counter()))
    (operation,) = ended
    return operation


def forever(answer: httpx.Response) -> Iterator[httpx.Response]:
    while True:
        yield answer


async def test_an_operation_that_is_done_is_not_waited_for() -> None:
    start = perf_counter()
    operation = await waited(iter([DONE]))
    assert (operation.status, operation.memory_ids) == ("completed", ("a",))
    assert perf_counter() - start < 0.2


@pytest.mark.parametrize("status", [404, 429, 500])
async def test_a_status_that_cannot_be_had_is_no_news(status: int) -> None:
    trouble = [httpx.Response(status)] * 6
    operation = await waited(iter([RUNNING, *trouble, RUNNING, DONE]))
    assert operation.status == "completed"


@pytest.mark.parametrize("answer", [RUNNING, httpx.Response(404), httpx.Response(500)])
async def test_one_that_does_not_end_is_given_up_in_time(answer: httpx.Response) -> None:
    start = perf_counter()
    operation = await waited(forever(answer), time_out_s=0.1)
    assert operation.status == "timed_out"
    assert 0.1 <= perf_counter() - start < 0.5
    assert operation.wait_ms is not None
    assert operation.wait_ms >= 100.0


async def test_a_refused_key_is_raised() -> None:
    with pytest.raises(KeyRefusedError):
        await waited(forever(httpx.Response(401)))


async def test_operations_left_to_the_sweep_are_polled_once_more() -> None:
    """The time-out is over before the sweep begins: what has ended meanwhile still counts."""
    ended: list[EndedOperation] = []

    async def keep(operation: EndedOperation) -> None:
        await asyncio.sleep(0)
        ended.append(operation)

    def answer(request: httpx.Request) -> httpx.Response:
        return RUNNING if request.url.path.endswith("op2") else DONE

    transport = httpx.MockTransport(answer)
    async with quick_client("http://standin.invalid/api", transport=transport) as client:
        watch = OperationWatch(client, 0.0, keep)
        for name in ("op1", "op2", "op3"):
            watch.add(OpenOperation(name, TURN, None))
        await watch.finish()
        await watch.give_up()
    assert {one.memory_operation_id: one.status for one in ended} == {
        "op1": "completed",
        "op2": "timed_out",
        "op3": "completed",
    }
    assert len(ended) == 3


def test_pauses_are_those_of_the_published_measurement(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    pauses = [operations._pause(waited_s) for waited_s in (0.0, 1.9, 2.1, 9.0)]
    assert pauses == [0.2, 0.2, 1.0, 1.0]


def polls_until_seen(duration_s: float, schedule: PollSchedule) -> tuple[int, float]:
    """How many polls it takes to see the end, and how many seconds too late it is seen."""
    before_s = 0.0
    for count, seen_s in enumerate(accumulate(schedule.pauses()), start=1):
        if seen_s >= duration_s:
            schedule.ended(seen_s, seen_s - before_s)
            return count, seen_s - duration_s
        before_s = seen_s
    raise AssertionError("pauses end")


@pytest.mark.parametrize("duration_s", [0.02, 0.1, 0.7, 3.0])
def test_the_schedule_learns_how_long_operations_take(
    duration_s: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()
    schedule = PollSchedule()
    late = [polls_until_seen(duration_s, schedule) for _ in range(100)][20:]
    assert sum(seconds for _, seconds in late) / len(late) < 0.006
    assert sum(polls for polls, _ in late) / len(late) < 2.0


def mean_of_turns(poll_s: float, is_told: bool) -> tuple[float, float]:
    """Polls, and seconds too late, for operations of about 100 ms and polls of so long."""
    schedule, random, seen = PollSchedule(), Random(7), []
    for _ in range(1000):
        end_s, now_s, polled_s = 0.1 + random.uniform(0.0, 0.004), 0.0, 0.0
        for count, pause_s in enumerate(schedule.pauses(), start=1):
            before_s, polled_s = polled_s, now_s + pause_s
            now_s = polled_s + poll_s
            if is_told:
                schedule.polled(poll_s)
            if polled_s + poll_s / 2 >= end_s:
                schedule.ended(polled_s, polled_s - before_s)
                seen.append((count, now_s - end_s))
                break
    return sum(count for count, _ in seen) / 1000, sum(late for _, late in seen) / 1000


@pytest.mark.parametrize("poll_s", [0.005, 0.02, 0.08])
def test_where_a_poll_takes_time_fewer_are_made_and_the_end_is_seen_sooner(
    poll_s: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()
    polls, late_s = mean_of_turns(poll_s, is_told=True)
    polls_untold, late_untold_s = mean_of_turns(poll_s, is_told=False)
    assert polls < 0.97 * polls_untold
    assert late_s < late_untold_s


def test_where_they_vary_it_is_late_by_a_part_of_their_deviation(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.undo()
    schedule, random = PollSchedule(), Random(7)
    late = [polls_until_seen(random.uniform(0.5, 1.5), schedule) for _ in range(1000)]
    assert sum(seconds for _, seconds in late) / len(late) < 0.25
    assert sum(polls for polls, _ in late) / len(late) < 2.7


def test_the_schedule_follows_operations_that_become_quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    schedule = PollSchedule()
    # As many as the longest conversations have: no number may overflow.
    for duration_s in [1.0] * 50 + [0.0] * 1500:
        _, late_s = polls_until_seen(duration_s, schedule)
    assert late_s < 0.01


def test_one_that_takes_longer_than_expected_is_polled_ever_more_seldom(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.undo()
    schedule = PollSchedule()
    for _ in range(50):
        polls_until_seen(0.1, schedule)
    polls = list(accumulate(islice(schedule.pauses(), 20)))
    assert len([at for at in polls if at < 2.0]) <= 15
    assert polls[-1] - polls[-2] == pytest.approx(1.0)
