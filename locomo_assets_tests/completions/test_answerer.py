"""An answering model by the real `openai` client: answers, failures, what each call costs."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest

from locomo_assets.completions.answer_request import AnswererError, AnswererIdentity, read_prompt
from locomo_assets.completions.answerer import Answerer
from locomo_assets.http.calls import CallOptions, CallRecord
from locomo_assets.http.limits import ANSWER, Budget, BudgetReachedError, Limits
from locomo_assets.prices import PriceTable
from locomo_assets_tests.judging.scripted import (
    KEY,
    Answer,
    ScriptedServer,
    as_json,
    completion,
    failing,
    scripted_server,
)

PRICES = PriceTable.read()
LIMITED_AS = "answerer: POST /chat/completions"


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with scripted_server() as running:
        running.verdicts = [completion("In Lisbon.")]
        yield running


@asynccontextmanager
async def connected(
    server: ScriptedServer, calls: list[CallRecord] | None = None, budget: Budget | None = None
) -> AsyncIterator[Answerer]:
    prompt = read_prompt("plain")
    options = CallOptions(
        limits=Limits(4),
        budget=budget or Budget(),
        record=(calls if calls is not None else []).append,
    )
    async with Answerer.connect(
        AnswererIdentity.at(server.base_url, "gpt-4.1-mini", prompt),
        prompt,
        api_key=KEY,
        base_url=server.base_url,
        prices=PRICES,
        options=options,
        max_retries=2,
    ) as answerer:
        yield answerer


async def test_an_answer_with_its_tokens_and_cost(server: ScriptedServer) -> None:
    calls: list[CallRecord] = []
    async with connected(server, calls) as answerer:
        given = await answerer.answer("Where?", ["[2023-05-08] Ann lives in Lisbon."] * 20)
        assert answerer.system == "127.0.0.1"
    assert (given.text, given.reason, given.model) == ("In Lisbon.", None, "gpt-4.1-2025-04-14")
    assert (given.input_tokens, given.output_tokens) == (100, 20)
    assert given.memory_tokens is not None
    assert 0 < given.memory_tokens < 100
    assert given.cost_usd == PRICES.cost_usd("gpt-4.1-mini", 100, 20)
    asked = [call for call in calls if call.endpoint == "POST /chat/completions"]
    assert [(call.service, call.status, call.cost_usd) for call in asked] == [
        ("answerer", 200, given.cost_usd)
    ]
    (body,) = server.bodies
    assert body["temperature"] == 0.0
    assert body["messages"][0]["content"].rstrip().endswith("Question: Where?")


async def test_a_silent_reply_is_an_answer_and_a_refusal_is_none(server: ScriptedServer) -> None:
    server.verdicts = [completion(" "), completion(refusal="I can't."), completion("x")]
    async with connected(server) as answerer:
        silent = await answerer.answer("Where?", [])
        refused = await answerer.answer("Where?", [])
    assert (silent.text, silent.reason) == ("", None)
    assert (refused.text, refused.reason) == (None, "the answerer refused")


@pytest.mark.parametrize("fault", [failing(429), failing(503), Answer(cut=True)])
async def test_what_may_pass_is_asked_again(server: ScriptedServer, fault: Answer) -> None:
    server.verdicts = [fault, completion("In Lisbon.")]
    calls: list[CallRecord] = []
    async with connected(server, calls) as answerer:
        assert (await answerer.answer("Where?", [])).text == "In Lisbon."
    assert [call.attempt for call in calls if call.endpoint.startswith("POST")] == [1, 2]


async def test_a_429_lowers_the_answerers_own_limit(server: ScriptedServer) -> None:
    server.verdicts = [failing(429), completion("In Lisbon.")]
    async with connected(server) as answerer:
        limits = answerer._caller._options.limits
        await answerer.answer("Where?", [])
        assert limits.limit(LIMITED_AS) == 3
        assert limits.limit("POST /chat/completions") == 4


async def test_a_failure_that_stays_is_no_answer(server: ScriptedServer) -> None:
    server.verdicts = [failing(500, "worn out")]
    async with connected(server) as answerer:
        given = await answerer.answer("Where?", [])
    assert (given.text, given.reason, given.cost_usd) == (None, "HTTP 500: worn out", None)


async def test_a_refused_temperature_is_left_out_from_then_on(server: ScriptedServer) -> None:
    refused = as_json({"error": {"message": "temperature is not supported"}}, 400)
    server.verdicts = [refused, completion("In Lisbon.")]
    async with connected(server) as answerer:
        await answerer.answer("Where?", [])
        await answerer.answer("Where?", [])
    assert ["temperature" in body for body in server.bodies] == [True, False, False]


@pytest.mark.parametrize(
    ("status", "told", "why"),
    [
        (401, "bad key", "the key is refused .* check LOCOMO_ANSWER_API_KEY"),
        (402, "pay", "credit or quota is used up .* LOCOMO_ANSWER_API_KEY of another"),
        (404, "gone", "no such model or address .* LOCOMO_ANSWER_MODEL and LOCOMO_ANSWER_BASE_URL"),
    ],
)
async def test_what_ends_the_asking_names_the_answerer(
    server: ScriptedServer, status: int, told: str, why: str
) -> None:
    server.verdicts = [failing(status, f"{told} {KEY}")]
    async with connected(server) as answerer:
        with pytest.raises(AnswererError, match=f"^answerer at 127.0.0.1: .*{why}") as caught:
            await answerer.answer("Where?", [])
    assert "judge" not in str(caught.value).lower()
    assert KEY not in str(caught.value)


async def test_nothing_is_asked_beyond_the_budget(server: ScriptedServer) -> None:
    budget = Budget(0.001)
    budget.price(ANSWER, lambda _read, _written: 0.0008, 0.0008)
    async with connected(server, budget=budget) as answerer:
        await answerer.answer("Where?", [])
        with pytest.raises(BudgetReachedError, match="the next answer may cost"):
            await answerer.answer("Where?", [])
    assert len(server.bodies) == 1
