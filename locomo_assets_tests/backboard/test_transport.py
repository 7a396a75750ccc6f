"""Failures on a real socket: each gives its type, its line, its records, and no key."""

import asyncio
import logging
import traceback
from datetime import UTC
from time import perf_counter

import httpx
import pytest

from locomo_assets.backboard import transport as transport_module
from locomo_assets.backboard.client import BackboardClient
from locomo_assets.backboard.transport import SERVICE, ConnectionPool, Timeouts
from locomo_assets.http.errors import (
    AmbiguousError,
    AnswerOverdueError,
    BackboardError,
    ConnectionBrokenError,
    KeyRefusedError,
    NotFoundError,
    PermanentError,
    RateLimitedError,
    RequestRefusedError,
    RetrySettings,
    ServerFailedError,
    StreamIncompleteError,
    TransientError,
    UnexpectedAnswerError,
    UnreachableError,
)
from locomo_assets.http.limits import Limits
from locomo_assets_tests.backboard.calls import (
    CUT_BODY,
    ENDED,
    NOTHING,
    SAVED,
    THREAD,
    Call,
    ask,
    read,
    save,
)
from locomo_assets_tests.backboard.clients import KEY, QUICK, Records, quick_client
from locomo_assets_tests.backboard.raw_server import (
    Say,
    answer,
    raw_server,
    stream,
)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, RequestRefusedError),
        (401, KeyRefusedError),
        (402, KeyRefusedError),
        (403, KeyRefusedError),
        (404, NotFoundError),
        (418, RequestRefusedError),
        (422, RequestRefusedError),
        (307, RequestRefusedError),
    ],
)
@pytest.mark.parametrize("call", [read, save, ask])
async def test_permanent_refusals_are_not_repeated(
    status: int, kind: type[PermanentError], call: Call
) -> None:
    refusal = answer(status, {"detail": "no"}, headers=[("Location", "http://elsewhere/")])
    records = Records()
    async with raw_server(refusal) as server, quick_client(server.base_url, record=records) as c:
        with pytest.raises(kind) as caught:
            await call(c)
    assert caught.value.status == status
    assert len(server.heads) == 1
    assert [(r.status, r.error, r.attempt) for r in records.all] == [(status, kind.__name__, 1)]


@pytest.mark.parametrize("status", [408, 429])
async def test_a_read_that_was_refused_for_now_is_repeated(status: int) -> None:
    records = Records()
    async with (
        raw_server(answer(status), answer(status), THREAD) as server,
        quick_client(server.base_url, record=records) as client,
    ):
        await read(client)
    assert [record.status for record in records.all] == [status, status, 200]
    assert [record.attempt for record in records.all] == [1, 2, 3]


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (answer(500), ServerFailedError),
        (answer(502), ServerFailedError),
        (answer(429), RateLimitedError),
        (NOTHING, ConnectionBrokenError),
        (CUT_BODY, ConnectionBrokenError),
    ],
)
async def test_a_read_is_repeated_and_given_up_in_the_end(
    fault: Say, kind: type[TransientError]
) -> None:
    async with (
        raw_server(fault, fault, THREAD, fault) as server,
        quick_client(server.base_url) as client,
    ):
        await read(client)
        with pytest.raises(kind):
            await read(client)
    assert len(server.heads) == 3 + QUICK.attempts


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (answer(408), AnswerOverdueError),
        (answer(429), RateLimitedError),
        (answer(500), AmbiguousError),
        (answer(502), AmbiguousError),
        (answer(503), AmbiguousError),
        (answer(504), AnswerOverdueError),
        (answer(524), AnswerOverdueError),
        (NOTHING, AmbiguousError),
        (CUT_BODY, AmbiguousError),
    ],
)
@pytest.mark.parametrize("call", [save, ask])
async def test_a_message_in_doubt_is_never_sent_again(
    fault: Say, kind: type[BackboardError], call: Call
) -> None:
    async with raw_server(fault) as server, quick_client(server.base_url) as client:
        with pytest.raises(BackboardError) as caught:
            await call(client)
    assert type(caught.value) is kind
    assert len(server.heads) == 1


async def test_waiting_for_our_own_limit_is_no_latency() -> None:
    slow = stream({"type": "content_streaming", "content": "x"}, ENDED, pause_s=0.03)
    async with (
        raw_server(slow) as server,
        quick_client(server.base_url, limits=Limits(8, {SERVICE: 1})) as client,
    ):
        start = perf_counter()
        asks = [client.ask("t1", "when?", memory="Readonly") for _ in range(5)]
        got = await asyncio.gather(*asks)
        total_ms = (perf_counter() - start) * 1000.0
    assert [one.in_flight for one in got] == [1] * 5
    assert max(one.latency_ms for one in got) < total_ms / 2


@pytest.mark.parametrize(
    ("call", "kind"), [(read, ConnectionBrokenError), (save, AmbiguousError), (ask, AmbiguousError)]
)
@pytest.mark.parametrize("limit", ["read_s", "call_s"])
async def test_silence_is_not_waited_out(
    call: Call, kind: type[BackboardError], limit: str
) -> None:
    names = {"read_s": ("read_s", "stream_read_s"), "call_s": ("call_s", "stream_s")}[limit]
    timeouts = Timeouts(**dict.fromkeys(names, 0.05))
    retry = RetrySettings(attempts=2, base_s=0.001)
    async with (
        raw_server(Say([], hang=True)) as server,
        quick_client(server.base_url, timeouts=timeouts, retry=retry) as client,
    ):
        start = perf_counter()
        with pytest.raises(kind):
            await call(client)
    assert perf_counter() - start < 2.0


async def test_retry_after_is_obeyed_and_capped() -> None:
    asked = answer(429, headers=[("Retry-After", "1000")])
    retry = RetrySettings(attempts=2, base_s=0.001, longest_retry_after_s=0.2)
    async with (
        raw_server(asked, THREAD) as server,
        quick_client(server.base_url, retry=retry) as client,
    ):
        start = perf_counter()
        await read(client)
    assert 0.2 <= perf_counter() - start < 1.5


async def test_a_waiting_retry_holds_no_place() -> None:
    asked = answer(503, headers=[("Retry-After", "0.3")])
    async with (
        raw_server(asked, THREAD) as server,
        quick_client(server.base_url, limits=Limits(1)) as client,
    ):
        first = asyncio.create_task(client.get_thread("t1"))
        await asyncio.sleep(0.1)
        assert client.limits.in_flight(SERVICE) == 0
        await asyncio.wait_for(client.get_thread("t2"), 0.15)
        await first


@pytest.mark.parametrize("call", [read, save, ask])
async def test_a_server_that_is_down(call: Call) -> None:
    async with raw_server(THREAD) as server:
        pass
    records = Records()
    async with quick_client(server.base_url, record=records) as client:
        with pytest.raises(UnreachableError, match="can't be reached") as caught:
            await call(client)
    assert "\n" not in str(caught.value)
    assert records.errors() == ["UnreachableError"] * QUICK.attempts


@pytest.mark.parametrize(
    ("call", "kind", "tries"),
    [(read, ServerFailedError, QUICK.attempts), (save, AmbiguousError, 1)],
)
@pytest.mark.parametrize("body", [b"<html>a portal</html>", b"\xff\xfe", b"[" * 100_000])
async def test_an_answer_that_is_not_json(
    call: Call, kind: type[BackboardError], tries: int, body: bytes
) -> None:
    async with raw_server(answer(200, raw=body)) as server, quick_client(server.base_url) as c:
        with pytest.raises(kind, match="not JSON"):
            await call(c)
    assert len(server.heads) == tries


async def test_a_page_of_html_for_a_while_is_waited_out() -> None:
    page = answer(200, raw=b"<!doctype html><p>Back soon", headers=[("Content-Type", "text/html")])
    records = Records()
    async with (
        raw_server(page, page, THREAD) as server,
        quick_client(server.base_url, record=records) as client,
    ):
        await read(client)
    assert records.errors() == ["ServerFailedError", "ServerFailedError", None]


@pytest.mark.parametrize(
    "said",
    [
        {"error": f"{KEY}: no quota"},
        {"error": {"message": f"no quota for {KEY}", "type": "quota"}},
        {"detail": "no quota"},
        {"detail": [{"loc": ["body"], "msg": "no quota", "input": "the whole turn"}]},
        {"success": False, "message": "no quota"},
    ],
)
@pytest.mark.parametrize(
    ("call", "kind"),
    [
        (read, UnexpectedAnswerError),
        (lambda c: c.probe(), UnexpectedAnswerError),
        (lambda c: c.list_threads("a1"), UnexpectedAnswerError),
        (lambda c: c.list_memories("a1"), UnexpectedAnswerError),
        (lambda c: c.get_assistant("a1"), UnexpectedAnswerError),
        (lambda c: c.create_assistant("n", description="d"), AmbiguousError),
        (lambda c: c.clone_assistant("a1", "n"), AmbiguousError),
        (lambda c: c.create_thread("a1"), AmbiguousError),
        (save, AmbiguousError),
        (ask, StreamIncompleteError),
    ],
)
async def test_an_error_behind_200_is_quoted_at_once(
    said: object, call: Call, kind: type[BackboardError]
) -> None:
    records = Records()
    async with (
        raw_server(answer(200, said)) as server,
        quick_client(server.base_url, record=records) as client,
    ):
        with pytest.raises(kind, match="no quota") as caught:
            await call(client)
    assert type(caught.value) is kind
    assert len(server.heads) == 1
    assert records.errors() == [kind.__name__]
    assert KEY not in str(caught.value)
    assert "the whole turn" not in str(caught.value)


@pytest.mark.parametrize(
    "call", [lambda c: c.memory_operation("o1"), lambda c: c.delete_assistant("a1")]
)
async def test_an_error_instead_of_an_operation_or_a_deletion(call: Call) -> None:
    said = answer(200, {"error": "no quota"})
    async with raw_server(said) as server, quick_client(server.base_url) as client:
        with pytest.raises(UnexpectedAnswerError, match="no quota"):
            await call(client)
    assert len(server.heads) == 1


async def test_an_answer_may_have_an_error_field_beside_what_is_documented() -> None:
    faults = [
        answer(200, {"message_id": "m1", "error": None}),
        answer(200, {"thread_id": "t1", "messages": [], "error": "none"}),
        answer(200, {"operation_id": "o1", "status": "ERROR", "error": "no embedding"}),
    ]
    async with raw_server(*faults) as server, quick_client(server.base_url) as client:
        await save(client)
        await read(client)
        assert (await client.memory_operation("o1")).state == "error"


async def test_connections_are_kept() -> None:
    events = stream({"type": "content_streaming", "content": "x"}, ENDED)
    faults = [events, SAVED, THREAD, answer(404), answer(500), events, THREAD]
    async with raw_server(*faults) as server, quick_client(server.base_url) as client:
        for call in (ask, save, read):
            await call(client)
        with pytest.raises(NotFoundError):
            await read(client)
        with pytest.raises(AmbiguousError):
            await save(client)
        await ask(client)
        assert server.connections == 1
        await asyncio.gather(*(read(client) for _ in range(4)))
        assert server.connections == 4
        await asyncio.gather(*(read(client) for _ in range(4)))
        assert server.connections == 4


async def test_a_connection_that_was_idle_too_long_is_not_used_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(transport_module, "_KEEP_ALIVE_S", 0.05)
    async with raw_server(SAVED) as server, quick_client(server.base_url) as client:
        await save(client)
        await asyncio.sleep(0.1)
        await save(client)
    assert server.connections == 2


async def test_a_cancelled_call_is_recorded_and_gives_its_place_back() -> None:
    records = Records()
    async with (
        raw_server(Say([], hang=True)) as server,
        quick_client(server.base_url, record=records) as client,
    ):
        task = asyncio.create_task(save(client))
        await asyncio.sleep(0.1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert client.limits.in_flight(SERVICE) == 0
    assert records.errors() == ["CancelledError"]


@pytest.mark.parametrize(
    "url",
    ["", "app.backboard.io/api", "ftp://x/api", "http://", "http://x:port/", "http://u:p@x/api"],
)
def test_a_base_url_that_cannot_be(url: str) -> None:
    with pytest.raises(PermanentError, match="base URL") as caught:
        BackboardClient(url, KEY)
    assert "u:p" not in str(caught.value)


@pytest.mark.parametrize("key", ["", "two words", "line\nbreak", "schlüssel"])
def test_a_key_that_no_header_can_carry(key: str) -> None:
    with pytest.raises(KeyRefusedError) as caught:
        BackboardClient("http://127.0.0.1/api", key)
    assert not key or key not in str(caught.value)


async def test_the_key_is_sent_and_shown_nowhere(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    echo = {"detail": f"the key {KEY} is not known"}
    faults = [
        answer(401, echo),
        answer(422, {"detail": [{"loc": ["body"], "msg": f"bad {KEY}", "input": "the body"}]}),
        answer(500, echo),
        NOTHING,
        stream({"type": "error", "message": f"{KEY} is over its limit"}),
    ]
    records, shown = Records(), list[str]()
    async with raw_server(*faults) as server, quick_client(server.base_url, record=records) as c:
        for _ in faults:
            with pytest.raises(BackboardError) as caught:
                await ask(c)
            shown += [str(caught.value), repr(caught.value)]
            shown += traceback.format_exception(caught.value)
        shown += [repr(c), str(c), repr(records.all), repr(vars(c)), caplog.text]
    assert len(server.heads) == len(faults)
    assert all(f"x-api-key: {KEY}" in head.lower() for head in server.heads)
    assert KEY not in "".join(shown)
    assert "***" in "".join(shown)
    assert "the body" not in "".join(shown)


async def test_a_request_id_is_kept() -> None:
    records = Records()
    good = answer(200, {"thread_id": "t1"}, headers=[("X-Request-Id", "r-1")])
    async with raw_server(good) as server, quick_client(server.base_url, record=records) as c:
        await read(c)
    record = records.all[0]
    assert (record.request_id, record.endpoint) == ("r-1", "GET /threads/{id}")
    assert (record.service, record.in_flight, record.error) == ("backboard", 1, None)
    assert (record.latency_ms or 0) > 0.0
    assert record.started_at.tzinfo is UTC


async def test_an_injected_transport_is_used() -> None:
    seen: list[str] = []

    def handle(request: httpx.Request) -> httpx.Response:
        seen.append(str(request.url))
        return httpx.Response(200, json={"thread_id": "t1"})

    transport = httpx.MockTransport(handle)
    async with quick_client("http://standin.invalid/api/", transport=transport) as client:
        await client.get_thread("a/../b?c")
    assert seen == ["http://standin.invalid/api/threads/a%2F..%2Fb%3Fc"]


async def test_connection_used_last_is_taken_first() -> None:
    made: list[httpx.AsyncHTTPTransport] = []

    def make() -> httpx.AsyncHTTPTransport:
        made.append(httpx.AsyncHTTPTransport(verify=False))
        return made[-1]

    pool = ConnectionPool(make)
    with pool.connection() as one, pool.connection() as two:
        assert [one, two] == made
    with pool.connection() as again:
        assert again is one
    await pool.aclose()
