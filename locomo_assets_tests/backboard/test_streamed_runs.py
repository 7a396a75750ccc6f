"""Streamed runs on a real socket: which end is an answer, and how long one is waited for."""

from time import perf_counter

import pytest

from locomo_assets.backboard import transport as transport_module
from locomo_assets.backboard.transport import Timeouts
from locomo_assets.http.errors import (
    AmbiguousError,
    BackboardError,
    RunFailedError,
    StreamIncompleteError,
    StreamMalformedError,
)
from locomo_assets_tests.backboard.calls import ENDED, ask
from locomo_assets_tests.backboard.clients import Records, quick_client
from locomo_assets_tests.backboard.raw_server import (
    Say,
    answer,
    raw_server,
    raw_stream,
    stream,
)


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (stream({"type": "content_streaming", "content": "x"}), StreamIncompleteError),
        (stream({"type": "content_streaming", "content": "x"}, end=False), AmbiguousError),
        (raw_stream(b"data: \xff\xfe\n\n"), StreamMalformedError),
        (raw_stream(b"data: not json\n\n"), StreamMalformedError),
        (raw_stream(b"data: " + b'{"type": "run_ended"}'), StreamIncompleteError),
        (answer(200, {"content": "an answer, but no stream"}), StreamIncompleteError),
        (stream({"type": "error", "message": "overloaded"}), RunFailedError),
        (stream(ENDED | {"status": "FAILED"}), RunFailedError),
    ],
)
async def test_a_stream_without_a_good_end_is_no_answer(
    fault: Say, kind: type[BackboardError]
) -> None:
    records = Records()
    async with raw_server(fault) as server, quick_client(server.base_url, record=records) as c:
        with pytest.raises(kind):
            await ask(c)
    assert len(server.heads) == 1
    assert [record.status for record in records.all] == [200]
    assert records.errors() != [None]


async def test_a_stream_that_breaks_after_its_end_is_an_answer() -> None:
    text = {"type": "content_streaming", "content": "in May"}
    async with (
        raw_server(stream(text, ENDED, end=False)) as server,
        quick_client(server.base_url) as client,
    ):
        got = await client.ask("t1", "when?", memory="Readonly")
    assert got.run.text == "in May"


def said(text: str) -> dict[str, object]:
    return {"type": "content_streaming", "content": text}


async def test_a_stream_ends_with_its_last_run_however_long_that_takes_to_begin() -> None:
    """The second run begins a while after the first has ended."""
    runs = [said("Let me look."), ENDED, said("In May"), ENDED | {"output_tokens": 2}]
    async with (
        raw_server(stream(*runs, pause_s=0.1)) as server,
        quick_client(server.base_url) as client,
    ):
        got = await client.ask("t1", "when?", memory="Readonly")
        await client.ask("t1", "when?", memory="Readonly")
    assert (got.run.text, got.run.output_tokens) == ("In May", 2)
    assert got.first_chunk_ms is not None
    # Head, two events of the first run, and the text of the second come before.
    assert 250.0 < got.first_chunk_ms < got.latency_ms - 80.0
    assert server.connections == 1


async def test_a_second_run_that_breaks_off_is_no_answer() -> None:
    async with (
        raw_server(stream(said("Let me look."), ENDED, said("In"), end=False)) as server,
        quick_client(server.base_url) as client,
    ):
        with pytest.raises(AmbiguousError):
            await ask(client)


@pytest.mark.parametrize("pings", [0, 1000])
async def test_a_stream_that_stays_open_after_its_end_is_waited_for_a_while(
    monkeypatch: pytest.MonkeyPatch, pings: int
) -> None:
    monkeypatch.setattr(transport_module, "_NEXT_RUN_S", 0.2)
    whole = stream(said("in May"), ENDED)
    chunks = [*whole.chunks[:-1], *[b"8\r\n: ping\n\n\r\n"] * pings]
    open_stream = Say(chunks, pause_s=0.01, hang=True)
    async with raw_server(open_stream) as server, quick_client(server.base_url) as client:
        start = perf_counter()
        got = await client.ask("t1", "when?", memory="Readonly")
    assert got.run.text == "in May"
    assert got.latency_ms < 150.0
    assert 0.2 <= perf_counter() - start < 1.0


async def test_a_stream_open_after_its_end_is_an_answer_when_the_time_for_it_is_over() -> None:
    whole = stream(said("in May"), ENDED)
    open_stream = Say(whole.chunks[:-1], hang=True)
    async with (
        raw_server(open_stream) as server,
        quick_client(server.base_url, timeouts=Timeouts(stream_s=0.3)) as client,
    ):
        assert (await client.ask("t1", "when?", memory="Readonly")).run.text == "in May"


async def test_a_run_that_needs_an_action_is_waited_for_longer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(transport_module, "_NEXT_RUN_S", 0.01)
    runs = [said("Let me look."), ENDED | {"status": "REQUIRES_ACTION"}, said("In May"), ENDED]
    async with (
        raw_server(stream(*runs, pause_s=0.1)) as server,
        quick_client(server.base_url) as client,
    ):
        assert (await client.ask("t1", "when?", memory="Readonly")).run.text == "In May"


async def test_times_of_a_stream() -> None:
    events = [{"type": "content_streaming", "content": x} for x in ("a", "b", "c")]
    records = Records()
    async with (
        raw_server(stream(*events, ENDED | {"output_tokens": 3}, pause_s=0.05)) as server,
        quick_client(server.base_url, record=records) as client,
    ):
        got = await client.ask("t1", "when?", memory="Readonly")
    assert got.run.text == "abc"
    assert got.first_chunk_ms is not None
    assert 40.0 < got.first_chunk_ms < got.latency_ms - 90.0
    assert (records.all[0].latency_ms, records.all[0].output_tokens) == (got.latency_ms, 3)


async def test_a_stream_that_drips_without_end_is_cut_off() -> None:
    drip = raw_stream(*[b": ping\n\n"] * 1000, pause_s=0.02)
    async with (
        raw_server(drip) as server,
        quick_client(server.base_url, timeouts=Timeouts(stream_s=0.2)) as client,
    ):
        start = perf_counter()
        with pytest.raises(AmbiguousError, match=r"0\.2 s"):
            await ask(client)
    assert perf_counter() - start < 2.0
