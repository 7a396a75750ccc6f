"""What holds a key does not show it: printed, logged, or in the traceback of a failure."""

import asyncio
import logging
import pprint
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from rich.pretty import pretty_repr

from locomo_assets.backboard.client import BackboardClient
from locomo_assets.http.calls import CallOptions, CallRecord
from locomo_assets.http.errors import BackboardError, RetrySettings
from locomo_assets.judging.llm import LLMJudge
from locomo_assets.prices import PriceTable
from locomo_assets.redaction import hide_in_chain, keep_out_of_logs
from locomo_assets.services import Services
from locomo_assets.settings import read_settings
from locomo_assets_tests.backboard.raw_server import Say, answer, raw_server
from locomo_assets_tests.judging.scripted import ScriptedServer, scripted_server
from locomo_assets_tests.secrets.searching import BACKBOARD_KEY, OPENAI_KEY, holds_a_key

ONCE = RetrySettings(attempts=1, asks=1, base_s=0.0)
SHOWN: tuple[Callable[[object], str], ...] = (repr, str, pprint.pformat, pretty_repr, ascii)


def assert_hidden(thing: object) -> None:
    for show in SHOWN:
        assert not holds_a_key(show(thing))


@pytest.fixture
def place(home: Path, monkeypatch: pytest.MonkeyPatch) -> Services:
    monkeypatch.setenv("BACKBOARD_API_KEY", BACKBOARD_KEY)
    monkeypatch.setenv("OPENAI_API_KEY", OPENAI_KEY)
    return Services(read_settings())


def test_settings_and_services(place: Services) -> None:
    for thing in (place, place.settings, place.settings.model_dump(), vars(place)):
        assert_hidden(thing)
    assert not holds_a_key(place.settings.model_dump_json())


async def test_clients_and_judges(place: Services, served_judge: ScriptedServer) -> None:
    async with (
        place.client() as (client, base_url),
        LLMJudge.connect(
            api_key=OPENAI_KEY, base_url=served_judge.base_url, prices=PriceTable.read(None)
        ) as judge,
    ):
        for thing in (client, base_url, judge, judge.identity, vars(client), vars(judge)):
            assert_hidden(thing)


@pytest.fixture
def served_judge() -> Iterator[ScriptedServer]:
    with scripted_server() as server:
        yield server


@pytest.mark.parametrize(
    "say",
    [
        Say([f"HTTP/1.1 200 OK\r\n{BACKBOARD_KEY}\r\n\r\n".encode()], close=True),
        Say([f"{BACKBOARD_KEY}\r\n\r\n".encode()], close=True),
        answer(500, {"detail": "x" * 190 + BACKBOARD_KEY}),
        answer(401, {"detail": BACKBOARD_KEY}),
        answer(302, headers=[("Location", f"http://127.0.0.1:9/{BACKBOARD_KEY}")]),
        answer(200, raw=f"no JSON but {BACKBOARD_KEY}".encode()),
        answer(200, {"assistants": BACKBOARD_KEY}),
    ],
)
async def test_tracebacks_of_failed_calls(say: Say, caplog: pytest.LogCaptureFixture) -> None:
    records: list[CallRecord] = []
    caplog.set_level(logging.DEBUG)
    async with (
        raw_server(say) as served,
        BackboardClient(
            served.base_url, BACKBOARD_KEY, CallOptions(record=records.append), retry=ONCE
        ) as client,
    ):
        with pytest.raises(BackboardError) as caught:
            await client.probe()
    assert not holds_a_key("".join(traceback.format_exception(caught.value)))
    assert not holds_a_key(repr(records))
    assert not holds_a_key(caplog.text)
    assert BACKBOARD_KEY in served.heads[0]


async def test_reason_of_a_verdict_lost_to_a_malformed_answer(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    model = answer(200, {"id": "gpt-4.1", "object": "model", "created": 1, "owned_by": "system"})
    malformed = Say([f"HTTP/1.1 200 OK\r\n{OPENAI_KEY}\r\n\r\n".encode()], close=True)
    async with (
        raw_server(model, malformed) as served,
        LLMJudge.connect(
            api_key=OPENAI_KEY,
            base_url=served.base_url,
            prices=PriceTable.read(None),
            max_retries=0,
        ) as judge,
    ):
        judgement = await judge.judge("When?", "May", "In May.", 2)
    assert "the answer was lost" in str(judgement.reason)
    assert not holds_a_key(str(judgement.reason))
    assert not holds_a_key(caplog.text)


def test_logs_of_other_libraries(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    keep_out_of_logs(OPENAI_KEY)
    logging.getLogger("somebody.else").debug("sent %s with %r", "it", {"key": OPENAI_KEY})
    logging.getLogger("somebody.else").debug("nothing to hide in %s", "this")
    assert not holds_a_key(caplog.text)
    assert "sent it with {'key': '***'}" in caplog.text
    assert "nothing to hide in this" in caplog.text


def test_the_chain_of_an_error_may_lead_back_to_itself() -> None:
    first, second = ValueError(BACKBOARD_KEY), httpx.ReadError(f"lost {BACKBOARD_KEY}")
    first.__cause__, second.__cause__ = second, first
    keep_out_of_logs(BACKBOARD_KEY)
    hide_in_chain(first)
    assert (str(first), str(second)) == ("***", "lost ***")


def test_keys_that_no_header_can_carry_are_not_repeated(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, key in (("BACKBOARD_API_KEY", BACKBOARD_KEY), ("OPENAI_API_KEY", OPENAI_KEY)):
        with monkeypatch.context() as patch:
            patch.setenv(name, f"{key}\nwith a line")
            place = Services(read_settings())
            with pytest.raises(Exception, match="key") as caught:
                asyncio.run(_opened(place))
            assert not holds_a_key("".join(traceback.format_exception(caught.value)))


async def _opened(place: Services) -> None:
    async with place.run_context("run-1"):
        pass
