"""The LLM judge over real sockets: the protocol it asks with, and what each failure becomes."""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from locomo_assets.completions import asker
from locomo_assets.history.schema import TABLES
from locomo_assets.http.calls import CallRecord
from locomo_assets.http.limits import Limits
from locomo_assets.judging.judge import JudgeError, Judgement, Verdict
from locomo_assets.judging.llm import LLMJudge
from locomo_assets.prices import PriceTable
from locomo_assets.standin.server import running_standin
from locomo_assets.standin.settings import DEFAULT_KEY, StandinSettings
from locomo_assets_tests.backboard.clients import call_options
from locomo_assets_tests.judging.scripted import (
    KEY,
    Answer,
    ScriptedServer,
    as_json,
    completion,
    failing,
    scripted_server,
)

CASE = ("When did Ada fly?", "7 May 2023", "Ada flew on {May 7th}, 2023.", 2)


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with scripted_server() as running:
        yield running


@asynccontextmanager
async def connected(base_url: str, **how: Any) -> AsyncIterator[LLMJudge]:
    given: dict[str, Any] = {"api_key": KEY, "max_retries": 2, "prices": PriceTable.read()}
    options = call_options(how)
    async with LLMJudge.connect(base_url=base_url, options=options, **(given | how)) as judge:
        yield judge


async def judged(server: ScriptedServer, **how: Any) -> Judgement:
    async with connected(server.base_url, **how) as judge:
        return await judge.judge(*CASE)


async def test_asks_as_the_published_protocol_does(server: ScriptedServer) -> None:
    judgement = await judged(server)
    (body,) = server.bodies
    system, user = body.pop("messages")
    assert body == {
        "model": "gpt-4.1",
        "temperature": 0.1,
        "max_tokens": 300,
        "response_format": {"type": "json_object"},
    }
    assert system["role"] == "system"
    assert "JSON" in system["content"]
    lines = user["content"].splitlines()
    assert "Question: When did Ada fly?" in lines
    assert "Gold answer: 7 May 2023" in lines
    assert "Generated answer: Ada flew on {May 7th}, 2023." in lines
    assert (judgement.verdict, judgement.reasoning) == (Verdict.CORRECT, "Same day.")
    assert (judgement.input_tokens, judgement.output_tokens) == (100, 20)
    assert judgement.cost_usd == pytest.approx(100 * 2e-6 + 20 * 8e-6)
    assert set(judgement.row()) <= set(TABLES["judgements"].names)


async def test_a_wrong_answer_is_wrong(server: ScriptedServer) -> None:
    server.verdicts = [completion('{"label": "WRONG"}')]
    judgement = await judged(server)
    assert (judgement.verdict, judgement.reasoning, judgement.agreement) == ("wrong", None, 1.0)


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (failing(500, "overloaded"), "HTTP 500: overloaded"),
        (failing(429, "slow down"), "HTTP 429: slow down"),
        (failing(400, "bad"), "HTTP 400: bad"),
        (Answer(cut=True), "the answer was lost"),
        (Answer(delay_s=0.5), "no answer in time"),
        (completion(None), "the reply is empty"),
        (completion("  "), "the reply is empty"),
        (completion(None, refusal="I won't"), "the judge refused"),
        (completion(finish_reason="length"), "cut off at 300 tokens"),
        (completion(finish_reason="content_filter"), "content filter"),
        (completion("CORRECT"), "not JSON"),
        (completion('{"label": "right"}'), "neither CORRECT nor WRONG"),
        (as_json({"choices": []}), "holds no choice"),
        (as_json({"choices": [{"message": "hm"}]}), "not a chat completion"),
        (as_json(["CORRECT"]), "not a chat completion"),
        (Answer(200, b"<p>CORRECT</p>", {"content-type": "text/html"}), "not a chat completion"),
        (Answer(200, b"{", {"content-type": "application/json"}), "not a chat completion"),
    ],
)
async def test_a_failed_call_is_unscored_and_says_why(
    server: ScriptedServer, answer: Answer, reason: str
) -> None:
    server.verdicts = [answer]
    judgement = await judged(server, max_retries=0, timeout_s=0.3 if answer.delay_s else 30.0)
    assert judgement.verdict is Verdict.UNSCORED
    assert reason in (judgement.reason or "")
    assert judgement.agreement is None


async def test_tokens_of_an_unscored_reply_are_counted(server: ScriptedServer) -> None:
    server.verdicts = [completion("hm")]
    judgement = await judged(server)
    assert (judgement.input_tokens, judgement.verdict) == (100, "unscored")
    assert judgement.cost_usd


async def test_an_unknown_price_is_no_price(server: ScriptedServer) -> None:
    judgement = await judged(server, model="some-model")
    assert (judgement.input_tokens, judgement.cost_usd) == (100, None)


async def test_every_attempt_is_recorded(server: ScriptedServer) -> None:
    server.verdicts = [failing(503), failing(429), completion()]
    calls: list[CallRecord] = []
    judgement = await judged(server, record=calls.append)
    assert judgement.verdict is Verdict.CORRECT
    assert [(call.endpoint, call.status, call.attempt, call.error) for call in calls] == [
        ("GET /models/{model}", 200, 1, None),
        ("POST /chat/completions", 503, 1, "HTTP 503"),
        ("POST /chat/completions", 429, 2, "HTTP 429"),
        ("POST /chat/completions", 200, 3, None),
    ]
    last = calls[-1]
    assert (last.service, last.in_flight, last.request_id) == ("judge", 1, "req-1")
    assert (last.input_tokens, last.output_tokens) == (100, 20)
    assert last.cost_usd == pytest.approx(judgement.cost_usd)
    assert [call.input_tokens for call in calls[:-1]] == [None] * 3
    assert 0 < (last.latency_ms or 0) <= (judgement.latency_ms or 0)
    assert set(asdict(last)) <= set(TABLES["calls"].names)


async def test_a_lost_answer_is_recorded_without_status(server: ScriptedServer) -> None:
    server.verdicts = [Answer(cut=True)]
    calls: list[CallRecord] = []
    await judged(server, record=calls.append, max_retries=0)
    assert (calls[-1].status, calls[-1].error) == (None, "RemoteProtocolError")


async def test_no_more_are_in_flight_than_allowed(server: ScriptedServer) -> None:
    slow = completion()
    slow.delay_s = 0.05
    server.verdicts = [slow]
    calls: list[CallRecord] = []
    async with connected(server.base_url, limits=Limits(3), record=calls.append) as judge:
        judgements = await asyncio.gather(*(judge.judge(*CASE) for _ in range(12)))
    assert {judgement.verdict for judgement in judgements} == {Verdict.CORRECT}
    assert server.most_at_once == 3
    assert max(call.in_flight or 0 for call in calls) == 3


async def test_a_429_narrows_the_judge_once_an_episode(server: ScriptedServer) -> None:
    server.verdicts = [Answer(status=429, headers={"retry-after": "0.05"}), completion()]
    limits = Limits(16)
    async with connected(server.base_url, limits=limits) as judge:
        judgement = await judge.judge(*CASE)
    assert judgement.verdict is Verdict.CORRECT
    changes = [(change.limit, change.why) for change in limits.history]
    assert [change for change in changes if change[1] == "429"] == [(3, "429")]


@pytest.mark.parametrize("status", [401, 403])
async def test_a_refused_key_ends_before_anything_is_asked(
    server: ScriptedServer, status: int
) -> None:
    server.probe = failing(status, f"Incorrect API key provided: {KEY}")
    with pytest.raises(JudgeError, match=rf"the key is refused \({status}\)") as caught:
        await judged(server)
    assert KEY not in str(caught.value)
    assert server.bodies == []


async def test_a_key_refused_later_ends_too(server: ScriptedServer) -> None:
    server.verdicts = [failing(401)]
    with pytest.raises(JudgeError, match="the key is refused"):
        await judged(server)
    assert len(server.bodies) == 1


async def test_a_reason_never_holds_the_key(server: ScriptedServer) -> None:
    server.verdicts = [failing(400, f"bad request by {KEY}")]
    judgement = await judged(server)
    assert KEY not in repr(judgement)
    assert set(server.keys) == {f"Bearer {KEY}"}


async def test_a_server_that_is_away_is_named() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/v1"
        with pytest.raises(JudgeError, match=r"judge at 127\.0\.0\.1: cannot be reached"):
            async with connected(url, max_retries=0):
                pass


async def test_a_server_that_fails_the_probe_is_named(server: ScriptedServer) -> None:
    server.probe = failing(503, "maintenance")
    with pytest.raises(JudgeError, match="HTTP 503: maintenance; try again later"):
        await judged(server)


@pytest.mark.parametrize(
    "probe", [failing(404), failing(405), Answer(200, b"<html>"), as_json({"owned_by": "acme"})]
)
async def test_another_server_is_named_by_its_host(server: ScriptedServer, probe: Answer) -> None:
    server.probe = probe
    async with connected(server.base_url) as judge:
        identity = judge.identity
    assert identity.system == "127.0.0.1"
    assert identity.name.startswith("127.0.0.1:gpt-4.1/generous@")


async def test_openai_itself_gives_the_plain_name(
    server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asker, "OPENAI_URL", server.base_url)
    async with LLMJudge.connect(api_key=KEY, prices=PriceTable.read()) as judge:
        identity = judge.identity
    assert identity.system == "openai"
    assert identity.name == f"gpt-4.1/generous@{(identity.prompt_sha256 or '')[:8]}"
    server.probe = failing(404)
    with pytest.raises(JudgeError, match="there is no such model"):
        async with LLMJudge.connect(api_key=KEY, prices=PriceTable.read()):
            pass


async def test_the_identity_depends_on_all_that_a_verdict_does(
    server: ScriptedServer, tmp_path: Path
) -> None:
    other = tmp_path / "generous.txt"
    other.write_text("{question} {gold_answer} {generated_answer}")
    digests = set()
    for how in ({}, {"model": "gpt-4o"}, {"prompt": "strict"}, {"prompt": str(other)}):
        async with connected(server.base_url, **how) as judge:
            digests.add(judge.identity.digest())
            assert set(judge.identity.row()) <= set(TABLES["judgements"].names)
    assert len(digests) == 4


@pytest.mark.parametrize(
    ("how", "text"),
    [
        ({"base_url": "ftp://x/v1"}, "must begin with http"),
        ({"base_url": "http://"}, "must begin with http"),
        ({"base_url": f"https://me:{KEY}@x/v1"}, "at x holds more than scheme, host and path"),
        ({"api_key": ""}, "key is empty"),
        ({"api_key": f"{KEY}\n"}, "no header can carry"),
        ({"prompt": "nothing"}, "judge prompt nothing: there is no such file"),
    ],
)
async def test_unusable_settings_end_with_one_line(how: dict[str, str], text: str) -> None:
    given: dict[str, Any] = {"api_key": KEY, "prices": PriceTable.read()} | how
    with pytest.raises(JudgeError, match=text) as caught:
        async with LLMJudge.connect(**given):
            pass
    assert KEY not in str(caught.value)


async def test_the_stand_in_names_itself_and_costs_nothing(tmp_path: Path) -> None:
    calls: list[CallRecord] = []
    with running_standin(StandinSettings(), tmp_path / "state.sqlite") as urls:
        async with connected(urls.openai, api_key=DEFAULT_KEY, record=calls.append) as judge:
            right = await judge.judge(*CASE)
            wrong = await judge.judge(CASE[0], CASE[1], "She walked her dog.", 2)
            identity = judge.identity
    assert identity.system == "standin"
    assert identity.name.startswith("standin:gpt-4.1/generous@")
    assert (right.verdict, wrong.verdict) == (Verdict.CORRECT, Verdict.WRONG)
    assert (right.cost_usd, calls[-1].cost_usd) == (0.0, 0.0)
    assert right.input_tokens
