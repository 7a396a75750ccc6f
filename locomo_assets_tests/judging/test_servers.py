"""Verdicts by the re-created servers: what is sent in the end, and what ends the judging."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest

from locomo_assets.http.calls import CallRecord
from locomo_assets.http.limits import Budget
from locomo_assets.judging.judge import JudgeError, Judgement
from locomo_assets.judging.llm import LLMJudge
from locomo_assets.judging.verdict_request import VerdictParameters
from locomo_assets.prices import PriceTable
from locomo_assets_tests.backboard.clients import call_options
from locomo_assets_tests.conftest import REPOSITORY
from locomo_assets_tests.judging.scripted import (
    KEY,
    Answer,
    ScriptedServer,
    as_json,
    completion,
    failing,
    scripted_server,
)
from locomo_assets_tests.judging.servers import (
    SERVERS,
    AzureOpenAI,
    Gemini,
    LMStudio,
    Ollama,
    OpenAI,
    OpenAIReasoning,
    OpenRouter,
    Server,
    Vllm,
    error,
)

CASE = ("When did Ada fly?", "7 May 2023", "Ada flew on May 7th, 2023.", 2)
PUBLISHED = VerdictParameters().row()

NO_QUOTA = error(
    429,
    "You exceeded your current quota, please check your plan and billing details.",
    type="insufficient_quota",
    code="insufficient_quota",
)


@pytest.fixture
def running() -> Iterator[ScriptedServer]:
    with scripted_server() as script:
        yield script


def address(running: ScriptedServer, server: Server) -> str:
    return running.base_url.removesuffix("/v1") + server.base_path + server.query


@asynccontextmanager
async def judge_at(running: ScriptedServer, server: Server, **how: Any) -> AsyncIterator[LLMJudge]:
    running.recreated = server
    given: dict[str, Any] = {"base_url": address(running, server), "model": server.model}
    options = call_options(how)
    async with LLMJudge.connect(
        api_key=KEY, prices=PriceTable.read(), options=options, **(given | how)
    ) as judge:
        yield judge


async def verdicts(judge: LLMJudge, count: int = 12) -> list[Judgement]:
    return await asyncio.gather(*(judge.judge(*CASE) for _ in range(count)))


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("openai._base_client.INITIAL_RETRY_DELAY", 0.001)


@pytest.mark.parametrize("make", SERVERS)
@pytest.mark.parametrize("learns_first", [True, False])
async def test_a_server_gives_verdicts_once_it_is_known_what_it_takes(
    running: ScriptedServer, make: Callable[[], Server], learns_first: bool
) -> None:
    server = make()
    expected = PUBLISHED | server.parameters
    async with judge_at(running, server) as judge:
        if learns_first:
            await judge.learn_parameters()
            known = judge.identity
        judgements = await verdicts(judge)
        identity = judge.identity
    assert {str(one.verdict) for one in judgements} == {"correct"}, judgements[0].reason
    assert {one.reasoning for one in judgements} == {"Same day."}
    assert server.requests == server.refusals + len(server.bodies)
    assert len(server.bodies) == 12 + learns_first + 2 * isinstance(server, OpenRouter)
    if learns_first:
        assert known == identity
    assert identity.parameters == {name: one for name, one in expected.items() if one is not None}
    # What was really sent, and the same in every verdict.
    bodies = [{**body, "messages": body["messages"][:-1]} for body in server.bodies]
    assert all(body == bodies[0] for body in bodies)
    for name in ("max_tokens", "max_completion_tokens", "temperature"):
        assert bodies[0].get(name) == identity.parameters.get(name)
    sent_format = bodies[0].get("response_format", {}).get("type")
    assert sent_format == identity.parameters.get("response_format")
    json.dumps(identity.row())


async def test_published_parameters_are_the_judge_they_always_were(
    running: ScriptedServer,
) -> None:
    async with judge_at(running, OpenAI()) as judge:
        await judge.learn_parameters()
        identity = replace(judge.identity, name="gpt-4.1/generous", system="openai")
    assert identity.parameters == {
        "temperature": 0.1,
        "max_tokens": 300,
        "response_format": "json_object",
        "system_message": PUBLISHED["system_message"],
    }


async def test_other_parameters_are_another_judge(running: ScriptedServer) -> None:
    digests = set()
    for limit in (None, 1000, 4000):
        async with judge_at(running, OpenAIReasoning(), max_tokens=limit) as judge:
            await judge.learn_parameters()
            digests.add(judge.identity.digest())
    assert len(digests) == 2


async def test_batches_send_what_was_learned(running: ScriptedServer) -> None:
    async with judge_at(running, OpenAIReasoning()) as judge:
        await judge.learn_parameters()
        batches = judge.batches(3)
        assert batches.identity.parameters == judge.identity.parameters
        body = batches._parameters.body("gpt-5", "x")
    assert body["max_completion_tokens"] == 4000
    assert not {"max_tokens", "temperature"} & set(body)


async def test_thinking_that_eats_the_limit_names_the_setting(running: ScriptedServer) -> None:
    async with judge_at(running, OpenAIReasoning(), max_tokens=300) as judge:
        await judge.learn_parameters()
        judgement = await judge.judge(*CASE)
    assert judgement.reason == "the reply was cut off at 300 tokens; raise LOCOMO_JUDGE_MAX_TOKENS"
    assert judgement.output_tokens == 300


async def test_a_limit_that_is_too_low_is_no_other_parameter(running: ScriptedServer) -> None:
    """OpenAI's words for it name `max_tokens` too."""
    words = (
        "Could not finish the message because max_tokens or model output limit was reached. "
        "Please try again with higher max_tokens."
    )
    running.verdicts = [error(400, words)]
    async with LLMJudge.connect(
        api_key=KEY, base_url=running.base_url, prices=PriceTable.read()
    ) as judge:
        await judge.learn_parameters()
        judgement = await judge.judge(*CASE)
    assert "raise LOCOMO_JUDGE_MAX_TOKENS" in str(judgement.reason)
    assert [body["max_tokens"] for body in running.bodies] == [300, 300]


class Broken(OpenAI):
    """Answers `answer` from the given request on."""

    def __init__(self, answer: Answer, *, after: int = 0) -> None:
        super().__init__()
        self.answer = answer
        self.after = after

    def reply(self, body: dict[str, Any]) -> Answer:
        return self.answer if len(self.bodies) > self.after else super().reply(body)


NO_CREDIT = as_json({"error": {"code": 402, "message": "Insufficient credits, add more"}}, 402)
IN_A_200 = as_json({"error": {"code": 402, "message": "Insufficient credits, add more"}})
NO_KEY = as_json({"error": {"code": 401, "message": "User not found."}}, 401)
NO_MODEL = error(400, "openai/gpt-9 is not a valid model ID", code="model_not_found")
NO_MODEL_BY_WORDS = as_json({"error": {"message": "The model is not available"}}, 400)
AS_VLLM_IN_A_200 = as_json({"object": "error", "code": 404, "message": "The model is not there"})
NO_PARAMETER = error(400, "Unsupported value: 'n'", param="n", code="unsupported_value")


@pytest.mark.parametrize("after", [0, 3])
@pytest.mark.parametrize(
    ("answer", "line"),
    [
        (NO_QUOTA, r"credit or quota is used up \(429\): You exceeded your .* add credit"),
        (NO_CREDIT, r"credit or quota is used up \(402\): Insufficient credits, add more; add"),
        (IN_A_200, r"credit or quota is used up \(402\): Insufficient credits, add more; add"),
        (NO_KEY, r"the key is refused \(401\): User not found\.; check OPENAI_API_KEY"),
        (NO_MODEL, r"no such model or address \(400\): .* check LOCOMO_JUDGE_MODEL"),
        (NO_MODEL_BY_WORDS, r"no such model or address \(400\): The model is not available"),
        (AS_VLLM_IN_A_200, r"no such model or address \(404\): The model is not there"),
        (NO_PARAMETER, r"does not take what a verdict is asked with \(400\): Unsupported value"),
    ],
)
async def test_what_repeating_cannot_help_ends_the_judging_at_once(
    running: ScriptedServer, answer: Answer, line: str, after: int
) -> None:
    server = Broken(answer, after=after)
    async with judge_at(running, server) as judge:

        async def measure() -> None:
            await judge.learn_parameters()
            for _ in range(42):
                await judge.judge(*CASE)

        with pytest.raises(JudgeError, match=line) as caught:
            await measure()
    assert "\n" not in str(caught.value)
    assert server.requests == after + 1


@pytest.mark.parametrize(
    ("server", "how", "words"),
    [
        (Gemini(), {"model": "gemini-9"}, "models/gemini-9 is not found"),
        (Gemini(), {"api_key": "sk-other-0123"}, "API key not valid"),
        (Vllm(), {"model": "m"}, "The model `m` does not exist"),
        (LMStudio(), {"model": "m"}, "Load it first"),
        (Ollama(), {"model": "m"}, "model 'm' not found"),
        (AzureOpenAI(), {"api_key": "sk-other-0123"}, "Incorrect API key"),
    ],
)
async def test_an_unknown_model_or_key_is_told_in_the_words_of_each_server(
    running: ScriptedServer, server: Server, how: dict[str, str], words: str
) -> None:
    running.recreated = server
    given = {"api_key": KEY, "base_url": address(running, server), "model": server.model} | how
    with pytest.raises(JudgeError) as caught:
        async with LLMJudge.connect(prices=PriceTable.read(), **given) as judge:  # type: ignore[arg-type]
            await judge.learn_parameters()
    assert words in str(caught.value)
    assert server.requests <= 1
    assert "sk-other" not in str(caught.value)


@pytest.mark.parametrize(
    ("server", "wrong", "line"),
    [
        (LMStudio(), "/v0", "Unexpected endpoint or method"),
        (AzureOpenAI(), "/openai/deployments/x?api-version=2024-12-01-preview", "does not exist"),
        (AzureOpenAI(), "/openai/deployments/judge?api-version=1", "Resource not found"),
        (OpenAI(), "/", "no such model or address"),
    ],
)
async def test_a_wrong_address_is_told(
    running: ScriptedServer, server: Server, wrong: str, line: str
) -> None:
    running.recreated = server
    with pytest.raises(JudgeError, match=line):
        async with LLMJudge.connect(
            api_key=KEY,
            base_url=running.base_url.removesuffix("/v1") + wrong,
            model=server.model,
            prices=PriceTable.read(),
        ) as judge:
            await judge.learn_parameters()
    assert server.requests <= 1


async def test_a_page_in_place_of_an_api_is_told(running: ScriptedServer) -> None:
    running.verdicts = [Answer(200, b"<html>Welcome</html>", {"content-type": "text/html"})]
    async with LLMJudge.connect(
        api_key=KEY, base_url=running.base_url, prices=PriceTable.read()
    ) as judge:
        with pytest.raises(JudgeError, match=r"not a chat completion.*check OPENAI_BASE_URL"):
            await judge.learn_parameters()


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (as_json({"error": {"code": 502, "message": "down"}}), "HTTP 502: down"),
        (as_json({"error": {"code": 429, "message": "slow\n down"}}), "HTTP 429: slow down"),
        (as_json({"error": {"code": "server_error", "message": "m"}}), "HTTP 500: m"),
        (as_json({"error": "hm"}), "HTTP 400: hm"),
        (as_json({"error": {"code": 10**30}}), "HTTP 400: "),
        (as_json({"error": {"message": f"sent {KEY} " + "x" * 999}}, 400), "HTTP 400: sent *** x"),
        (as_json({"error": {"code": "content_filter", "message": "filtered"}}, 400), "filtered"),
        (as_json({"error": {"message": "input was flagged"}}, 403), "HTTP 403: input was flagged"),
        (Answer(503, b"<h1>Busy</h1>", {"content-type": "text/html"}), "HTTP 503: <h1>Busy</h1>"),
        (Answer(500, b"", {}), "HTTP 500: no reason given"),
    ],
)
async def test_the_servers_own_words_are_the_reason(
    running: ScriptedServer, answer: Answer, reason: str
) -> None:
    calls: list[CallRecord] = []
    async with judge_at(
        running, Broken(answer, after=1), max_retries=0, record=calls.append
    ) as judge:
        await judge.learn_parameters()
        judgement = await judge.judge(*CASE)
    assert judgement.verdict == "unscored"
    assert reason in str(judgement.reason)
    assert "\n" not in str(judgement.reason)
    assert KEY not in str(judgement.reason)
    assert len(str(judgement.reason)) < 400
    assert (calls[-1].status, calls[-1].error is None) == (answer.status, False)


async def test_an_error_in_a_200_is_tried_again_by_its_code(running: ScriptedServer) -> None:
    busy = as_json({"error": {"code": 502, "message": "down"}}, headers={"retry-after-ms": "1"})
    running.verdicts = [completion(), busy, busy, completion()]
    async with LLMJudge.connect(
        api_key=KEY, base_url=running.base_url, prices=PriceTable.read()
    ) as judge:
        await judge.learn_parameters()
        assert (await judge.judge(*CASE)).verdict == "correct"
    assert len(running.bodies) == 4


async def test_a_server_that_is_down_is_told_before_anything_is_paid_for(
    running: ScriptedServer,
) -> None:
    running.verdicts = [failing(503, "maintenance")]
    async with LLMJudge.connect(
        api_key=KEY, base_url=running.base_url, prices=PriceTable.read(), max_retries=1
    ) as judge:
        with pytest.raises(JudgeError, match=r"HTTP 503: maintenance.*try again later"):
            await judge.learn_parameters()


async def test_with_the_budget_used_up_nothing_is_asked(running: ScriptedServer) -> None:
    budget = Budget(1.0, spent_usd=1.0)
    budget.price("verdict", lambda _input, _output: 0.5, 0.5)
    server = OpenAI()
    async with judge_at(running, server, budget=budget) as judge:
        await judge.learn_parameters()
        assert judge.identity.parameters == PUBLISHED
    assert server.requests == 0


async def test_odd_counts_of_tokens_cost_no_verdict(running: ScriptedServer) -> None:
    calls: list[CallRecord] = []
    counts: list[Any] = ["10", -1, 10**30, 1.5, None, [], {}, True, float("nan"), float("inf")]
    async with LLMJudge.connect(
        api_key=KEY,
        base_url=running.base_url,
        prices=PriceTable.read(),
        options=call_options({"record": calls.append}),
    ) as judge:
        for odd in counts:
            running.verdicts = [completion(usage={"prompt_tokens": odd, "completion_tokens": 20})]
            judgement = await judge.judge(*CASE)
            assert judgement.verdict == "correct"
            assert (judgement.input_tokens, judgement.cost_usd) == (None, None)
            assert (calls[-1].input_tokens, calls[-1].output_tokens) == (None, 20)


def test_every_re_created_server_is_in_the_docs() -> None:
    text = (REPOSITORY / "docs" / "judges.md").read_text()
    for make in SERVERS:
        assert f"`{make.__name__}`" in text
