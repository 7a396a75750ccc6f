"""A budget: calls stop before one would pass it, those under way are waited for."""

import asyncio
from pathlib import Path

import pytest

from locomo_assets.http.errors import AmbiguousError, RateLimitedError
from locomo_assets.http.limits import ANSWER, Budget, BudgetReachedError, Limits
from locomo_assets.standin.server import running_standin
from locomo_assets.standin.settings import StandinSettings
from locomo_assets_tests.backboard.clients import KEY, quick_client


def budget(limit: float, spent: float = 0.0) -> Budget:
    """A token costs 1 USD; the first call is expected to cost 10."""
    made = Budget(limit, spent)
    made.price(ANSWER, lambda tokens_in, tokens_out: float(tokens_in + tokens_out), 10.0)
    return made


async def call(it: Budget, tokens: int | None) -> None:
    async with it.reserve(ANSWER) as told:
        await asyncio.sleep(0)
        told(tokens, 0 if tokens is not None else None)


async def test_stops_before_a_call_would_pass_the_limit() -> None:
    it = budget(35)
    for _ in range(3):
        await call(it, 10)
    with pytest.raises(BudgetReachedError, match=r"30\.0000 of 35 USD.*LOCOMO_MAX_COST_USD"):
        await call(it, 1)
    assert it.spent_usd == 30


async def test_what_was_spent_before_counts() -> None:
    with pytest.raises(BudgetReachedError):
        await call(budget(35, spent=26), 1)


async def test_the_dearest_so_far_is_what_the_next_may_cost() -> None:
    it = budget(55)
    await call(it, 25)
    await call(it, 5)
    await call(it, 1)
    with pytest.raises(BudgetReachedError):
        await call(it, 1)
    assert it.spent_usd == 31


async def test_many_at_once_never_pass_it_and_use_what_is_there() -> None:
    it = budget(100)
    done = await asyncio.gather(*(call(it, 10) for _ in range(40)), return_exceptions=True)
    assert done.count(None) == 10
    assert it.spent_usd == 100


@pytest.mark.parametrize(
    ("error", "cost"), [(AmbiguousError("lost"), 10.0), (RateLimitedError("429"), 0.0)]
)
async def test_a_lost_answer_counts_as_the_dearest_a_refused_call_as_nothing(
    error: Exception, cost: float
) -> None:
    it = budget(100)
    with pytest.raises(type(error)):
        async with it.reserve(ANSWER):
            raise error
    assert it.spent_usd == cost


async def test_the_client_asks_before_questions_and_not_before_turns(tmp_path: Path) -> None:
    it = budget(1000.0)
    it.price(ANSWER, lambda tokens_in, tokens_out: 400.0, 400.0)
    with running_standin(StandinSettings(keys=(KEY,)), tmp_path / "state.sqlite") as urls:
        async with quick_client(urls.backboard, limits=Limits(4), budget=it) as client:
            made = await client.create_assistant("Ann", description="A test.")
            thread = await client.create_thread(made.assistant_id)
            for _ in range(2):
                await client.ask(thread.thread_id, "Who?", memory="Readonly")
            with pytest.raises(BudgetReachedError):
                await client.ask(thread.thread_id, "Who?", memory="Readonly")
            left = await client.get_thread(thread.thread_id)
    assert it.spent_usd == 800
    assert [message.role for message in left.messages].count("user") == 2
