"""The judge asked in batches at the stand-in, over a real socket; and a server's odd answers."""

import asyncio
import json
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, closing
from datetime import UTC, datetime
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from locomo_assets.http.calls import CallOptions, CallRecord
from locomo_assets.http.limits import BATCHED_VERDICT, Budget, BudgetReachedError
from locomo_assets.judging import batch as batch_module
from locomo_assets.judging.batch import NAME_KEY, BatchJudge, read_time
from locomo_assets.judging.batch_files import custom_id
from locomo_assets.judging.judge import (
    BATCHED,
    BatchState,
    Case,
    JudgeError,
    JudgeIdentity,
)
from locomo_assets.judging.llm import LLMJudge
from locomo_assets.prices import PriceTable
from locomo_assets.standin.judging import completions as standin_completions
from locomo_assets.standin.middleware import FaultInjector
from locomo_assets.standin.server import running_standin
from locomo_assets.standin.settings import DEFAULT_KEY, StandinSettings
from locomo_assets_tests.judging.scripted import (
    KEY,
    Answer,
    ScriptedServer,
    as_json,
    completion,
    failing,
    scripted_server,
)

CASES = {
    "a" * 64: Case("When?", "7 May 2023", "On 7 May 2023."),
    "b" * 64: Case("Where?", "In Paris", "No idea."),
}
BEGAN = datetime.now(UTC)


@asynccontextmanager
async def at_standin(
    folder: Path, votes: int = 1, *, budget: Budget | None = None, **knobs: Any
) -> AsyncIterator[tuple[BatchJudge, list[CallRecord], JudgeIdentity]]:
    calls: list[CallRecord] = []
    with running_standin(StandinSettings(**knobs), folder / "served.sqlite") as urls:
        async with LLMJudge.connect(
            api_key=DEFAULT_KEY,
            base_url=urls.openai,
            prices=PriceTable.read(),
            options=CallOptions(record=calls.append, budget=budget or Budget()),
        ) as judge:
            yield judge.batches(votes), calls, judge.identity


def batches(folder: Path) -> int:
    with closing(sqlite3.connect(folder / "served.sqlite")) as db:
        return int(db.execute("SELECT count(*) FROM batches").fetchone()[0])


async def test_a_batch_gives_the_verdicts_of_the_same_judge(tmp_path: Path) -> None:
    async with at_standin(tmp_path) as (judge, calls, direct):
        assert judge.identity == direct
        calls.clear()
        batch_id = await judge.send("t1", CASES, {"release": "r1", "long": "x" * 999})
        assert await judge.find("t1", BEGAN) == batch_id
        state = await judge.state(batch_id)
        assert (state.is_over, state.done, state.total) == (True, 2, 2)
        collected = await judge.results(state, CASES)
    verdicts = [str(one.verdict) for one in collected.judgements.values()]
    assert verdicts == ["correct", "wrong"]
    assert {one.latency_ms for one in collected.judgements.values()} == {None}
    of_batch = [call for call in calls if call.endpoint == BATCHED]
    assert [call.status for call in of_batch] == [200, 200]
    assert sum(call.input_tokens or 0 for call in of_batch) == collected.input_tokens > 0
    assert [call.endpoint for call in calls if call.endpoint != BATCHED] == [
        "POST /files",
        "POST /batches",
        "GET /batches",
        "GET /batches/{batch}",
        "GET /files/{file}/content",
    ]


async def test_a_batch_costs_half(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(standin_completions, "OWNER", "pretended")
    budget = Budget(1.0)
    prices = PriceTable.read()
    budget.price(BATCHED_VERDICT, lambda i, o: prices.cost_usd("gpt-4.1", i, o, batch=True), 0.01)
    async with at_standin(tmp_path, budget=budget) as (judge, calls, _):
        async with judge.reserve(len(CASES)) as told:
            state = await judge.state(await judge.send("t1", CASES, {}))
            collected = await judge.results(state, CASES)
            told(collected.input_tokens, collected.output_tokens)
        whole = prices.cost_usd("gpt-4.1", collected.input_tokens, collected.output_tokens)
        costs = [one.cost_usd or 0 for one in collected.judgements.values()]
        assert whole
        assert sum(costs) == pytest.approx(whole / 2)
        assert sum(call.cost_usd or 0 for call in calls) == pytest.approx(whole / 2)
        assert budget.spent_usd == pytest.approx(whole / 2)
        budget.max_cost_usd = budget.spent_usd + 99 * max(costs)
        with pytest.raises(BudgetReachedError, match="the next 100 batched verdicts may cost"):
            async with judge.reserve(100):
                pass
        async with judge.reserve(100, sent=True):
            pass


async def test_votes_are_requests_of_their_own(tmp_path: Path) -> None:
    async with at_standin(tmp_path, votes=3) as (judge, calls, direct):
        assert (judge.identity.votes, judge.identity.name) == (3, f"{direct.name} ×3")
        state = await judge.state(await judge.send("t1", CASES, {}))
        collected = await judge.results(state, CASES)
    assert state.total == 6
    assert [(j.votes, j.agreement) for j in collected.judgements.values()] == [(3, 1.0)] * 2
    assert len([call for call in calls if call.endpoint == BATCHED]) == 6


async def test_a_lost_answer_makes_no_second_batch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lose = iter([False, False, True])  # the model, the file, the batch

    def occurs(_faults: object, kind: str, _share: float) -> bool:
        return kind == "lost_answer" and next(lose, False)

    monkeypatch.setattr(FaultInjector, "occurs", occurs)
    async with at_standin(tmp_path) as (judge, calls, _):
        batch_id = await judge.send("t1", CASES, {})
        assert await judge.find("t1", BEGAN) == batch_id
    assert batches(tmp_path) == 1
    assert [call.status for call in calls if call.endpoint == "POST /batches"] == [None]


async def test_what_was_never_created_is_not_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch_module, "_FIND_PAUSES_S", (0.0, 0.01))
    async with at_standin(tmp_path) as (judge, calls, _):
        await judge.send("t1", CASES, {})
        assert await judge.find("t2", BEGAN) is None
        assert [call.endpoint for call in calls].count("GET /batches") == 2


@pytest.mark.parametrize(
    ("knobs", "reasons", "cost"),
    [
        ({"batch_failed_share": 1.0}, ["failed before it was judged (token_limit_exceeded"] * 2, 0),
        ({"batch_expired_share": 1.0}, [None, "batch_expired: "], 0),
        ({"batch_request_failed_share": 1.0}, ["HTTP 500: "] * 2, 0),
    ],
)
async def test_what_a_batch_does_not_judge_is_unscored_and_the_rest_is_kept(
    tmp_path: Path, knobs: dict[str, Any], reasons: list[str | None], cost: float
) -> None:
    async with at_standin(tmp_path, **knobs) as (judge, _, _):
        state = await judge.state(await judge.send("t1", CASES, {}))
        assert state.is_over
        collected = await judge.results(state, CASES)
    for judgement, reason in zip(collected.judgements.values(), reasons, strict=True):
        assert (judgement.verdict == "unscored") == (reason is not None)
        assert (reason or "") in (judgement.reason or "")
        assert judgement.cost_usd == cost


@pytest.mark.parametrize("torn", [lambda body: body[:-30], lambda body: body.split(b"\n")[0]])
async def test_results_that_arrive_garbled_are_read_again(
    monkeypatch: pytest.MonkeyPatch, torn: Callable[[bytes], bytes]
) -> None:
    """Before a second batch is bought; without a whole answer in the end they are unscored."""
    monkeypatch.setattr(batch_module, "_READ_PAUSES_S", (0.0, 0.0, 0.0))
    body = json.loads(completion().body)
    lines = [
        json.dumps({"custom_id": custom_id(one, 1), "response": {"status_code": 200, "body": body}})
        for one in CASES
    ]
    whole = "\n".join(lines).encode()
    state = BatchState("b1", "completed", files=("file-1",))
    calls: list[CallRecord] = []
    with scripted_server() as server:
        async with LLMJudge.connect(
            api_key=KEY,
            base_url=server.base_url,
            prices=PriceTable.read(),
            options=CallOptions(record=calls.append),
        ) as judge:
            server.gets = [Answer(body=torn(whole)), Answer(body=whole)]
            read = await judge.batches().results(state, CASES)
            assert [str(one.verdict) for one in read.judgements.values()] == ["correct"] * 2
            assert server.gets == []
            server.gets = [Answer(body=torn(whole))] * 4
            read = await judge.batches().results(state, CASES)
            assert "unscored" in {str(one.verdict) for one in read.judgements.values()}
            assert len(server.gets) == 1
    assert sum(call.endpoint == BATCHED for call in calls) == 3


async def test_a_batch_the_server_does_not_know_is_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch_module, "_READ_PAUSES_S", (0.0,))
    async with at_standin(tmp_path) as (judge, _, _):
        state = await judge.state("batch_x")
        assert state.is_over
        collected = await judge.results(state, CASES)
        assert "is not known to the server" in str(collected.judgements["a" * 64].reason)
        no_file = BatchState("batch_y", "completed", files=("file-x",))
        collected = await judge.results(no_file, CASES)
        assert "one of its files is gone" in str(collected.judgements["a" * 64].reason)
        assert collected.judgements["a" * 64].cost_usd is None


async def test_a_server_without_batches_is_named() -> None:
    with scripted_server() as server:
        async with LLMJudge.connect(
            api_key=KEY, base_url=server.base_url, prices=PriceTable.read(), max_retries=0
        ) as judge:
            for answer, line in (
                (failing(404), "has no Batch API; set LOCOMO_JUDGE_MODE=direct"),
                (failing(401), "the key is refused"),
                (failing(400, f"bad {KEY}"), r"a batch can't be made \(HTTP 400: bad \*\*\*\)"),
            ):
                server.fixed = answer
                with pytest.raises(JudgeError, match=line):
                    await asyncio.wait_for(judge.batches().send("t1", CASES, {}), 10)


@pytest.mark.parametrize(
    "sent",
    [
        1_767_225_600,
        1_767_225_600.5,
        "1767225600",
        1_767_225_600_000,
        1_767_225_600_000_000,
        1_767_225_600_000_000_000,
    ],
)
def test_a_time_is_read_in_any_unit(sent: float | str) -> None:
    assert str(read_time(sent)).startswith("2026-01-01 00:00:00")


def test_what_can_be_no_time_is_none() -> None:
    numbers: tuple[float, ...] = (True, 0, -1, 10**30, 10**400, -1e300, 1e300, float("nan"))
    others: tuple[object, ...] = (None, "2026-01-01", "", [], {}, "nan", "inf", float("inf"))
    for odd in (*numbers, *others):
        assert read_time(odd) is None


@given(st.none() | st.booleans() | st.integers() | st.floats() | st.text())
def test_no_time_raises(odd: object) -> None:
    read = read_time(odd)
    assert read is None or read.tzinfo is UTC


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with scripted_server() as running:
        yield running


@asynccontextmanager
async def batches_at(server: ScriptedServer) -> AsyncIterator[BatchJudge]:
    async with LLMJudge.connect(
        api_key=KEY, base_url=server.base_url, prices=PriceTable.read(), max_retries=0
    ) as judge:
        yield judge.batches()


ODD: list[Any] = [
    None,
    True,
    -1,
    10**30,
    "x",
    [],
    {},
    float("nan"),
    float("inf"),
    1e300,
    [[]],
    {"a": [1]},
]


@pytest.mark.parametrize(
    "field", ["status", "created_at", "request_counts", "errors", "metadata", "output_file_id"]
)
async def test_an_odd_field_of_a_batch_counts_as_not_given(
    server: ScriptedServer, field: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch_module, "_FIND_PAUSES_S", (0.0,))
    usual = {"id": "b1", "status": "in_progress", "created_at": 1, "metadata": {NAME_KEY: "t1"}}
    async with batches_at(server) as judge:
        for odd in ODD:
            server.gets = [as_json(usual | {field: odd})]
            assert (await judge.state("b1")).batch_id == "b1"
            page = {"data": [usual | {field: odd}], "has_more": odd}
            server.gets = [as_json(page)] * 2
            expected = None if field == "metadata" else "b1"
            assert await judge.find("t1", BEGAN) == expected


async def test_odd_counts_of_a_batch_are_none(server: ScriptedServer) -> None:
    async with batches_at(server) as judge:
        for count in ODD:
            counts = dict.fromkeys(("completed", "failed", "total"), count)
            given = {"id": "b1", "request_counts": counts, "errors": {"data": [count]}}
            server.gets = [as_json(given)]
            state = await judge.state("b1")
            assert (state.done, state.total, state.why, state.is_over) == (0, 0, None, False)


async def test_a_batch_with_times_in_milliseconds_is_found(server: ScriptedServer) -> None:
    now_ms = int(datetime.now(UTC).timestamp() * 1000)
    old = {"id": "b0", "created_at": now_ms, "metadata": None}
    mine = {"id": "b1", "created_at": now_ms, "metadata": {NAME_KEY: "t1"}}
    async with batches_at(server) as judge:
        server.gets = [
            as_json({"data": [old], "has_more": True}),
            as_json({"data": [mine], "has_more": False}),
            as_json(mine | {"status": "completed"}),
        ]
        assert await judge.find("t1", BEGAN) == "b1"
        state = await judge.state("b1")
    assert state.created_at is not None
    assert abs((state.created_at - datetime.now(UTC)).total_seconds()) < 60


async def test_a_list_that_never_ends_is_left(
    server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch_module, "_FIND_PAUSES_S", (0.0,))
    page = as_json({"data": [{"id": "b0"}], "has_more": True})
    async with batches_at(server) as judge:
        server.gets = [page] * 9
        assert await judge.find("t1", BEGAN) is None
    assert len(server.gets) == 7


NO_BATCHES = (
    *(json.dumps(odd).encode() for odd in (*ODD, {"id": 3}, {"id": ""}, {"data": [3]})),
    b"<html>",
    b"",
    b"{",
    b'{"id": ' + b"9" * 9999 + b"}",
    b"[" * 99_999,
)


async def test_what_is_no_batch_is_one_line(server: ScriptedServer) -> None:
    async with batches_at(server) as judge:
        calls: list[Callable[[], Awaitable[object]]] = [
            lambda: judge.state("b1"),
            lambda: judge.find("t1", BEGAN),
            lambda: judge.send("t1", CASES, {}),
        ]
        for body, call in product(NO_BATCHES, calls):
            answer = Answer(200, body, {"content-type": "application/json"})
            server.gets, server.fixed = [answer], answer
            with pytest.raises(JudgeError, match=r"Batch API gives no usable") as caught:
                await call()
            assert "\n" not in str(caught.value)
