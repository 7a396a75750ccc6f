"""The transport without a socket: the same answers, and lost ones as on a socket."""

from pathlib import Path
from typing import Any

import httpx
import pytest

from locomo_assets.standin.server import standin_transport
from locomo_assets.standin.settings import DEFAULT_KEY, StandinSettings
from locomo_assets.standin.state import StandinState
from locomo_assets_tests.standin.requests import events, question_form, turn_form

BASE_URL = "http://standin.invalid/api"
KEY = {"X-API-Key": DEFAULT_KEY}


def client(transport: httpx.AsyncBaseTransport) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=transport, base_url=BASE_URL, headers=KEY)


async def new_thread(http: httpx.AsyncClient) -> str:
    made = (await http.post("/assistants", json={"name": "a"})).json()
    path = f"/assistants/{made['assistant_id']}/threads"
    thread: dict[str, Any] = (await http.post(path, json={})).json()
    return str(thread["thread_id"])


async def test_a_conversation(tmp_path: Path) -> None:
    async with standin_transport(tmp_path / "state.sqlite") as transport, client(transport) as http:
        path = f"/threads/{await new_thread(http)}/messages"
        saved = await http.post(path, data=turn_form("Ada: I got the bees yesterday."))
        assert saved.headers["X-Locomo-System"] == "standin"
        form = question_form("When did Ada get the bees?")
        async with http.stream("POST", path, data=form) as response:
            got = events(await response.aread())
        assert "".join(event.get("content", "") for event in got).startswith("7 May 2023")
        assert got[-1]["type"] == "run_ended"


async def test_a_lost_answer_is_an_error_of_the_connection_and_was_done(tmp_path: Path) -> None:
    path = tmp_path / "state.sqlite"
    async with standin_transport(path) as transport, client(transport) as http:
        thread_id = await new_thread(http)
    lossy = StandinSettings(lost_answer_share=1.0)
    async with standin_transport(path, lossy) as transport, client(transport) as http:
        with pytest.raises(httpx.RemoteProtocolError) as raised:
            await http.post(f"/threads/{thread_id}/messages", data=turn_form("Ada: x"))
        assert raised.value.request.url.path.endswith("/messages")
    with StandinState(path) as state:
        assert [message.content for message in state.messages(thread_id)] == ["Ada: x"]


async def test_a_stream_that_breaks_off_is_an_error_too(tmp_path: Path) -> None:
    settings = StandinSettings(cut_stream_share=1.0)
    async with (
        standin_transport(tmp_path / "state.sqlite", settings) as transport,
        client(transport) as http,
    ):
        outcomes = set()
        for _ in range(12):
            path = f"/threads/{await new_thread(http)}/messages"
            try:
                response = await http.post(path, data=question_form("Who?"))
                outcomes.add(events(response.content)[-1]["type"])
            except httpx.RemoteProtocolError:
                outcomes.add("broken")
        assert len(outcomes) == 2
        assert "broken" in outcomes
        assert "run_ended" not in outcomes


async def test_two_transports_share_one_state(tmp_path: Path) -> None:
    path = tmp_path / "state.sqlite"
    async with (
        standin_transport(path) as one,
        standin_transport(path) as other,
        client(one) as writer,
        client(other) as reader,
    ):
        thread_id = await new_thread(writer)
        await writer.post(f"/threads/{thread_id}/messages", data=turn_form("Ada: x"))
        thread = (await reader.get(f"/threads/{thread_id}")).json()
        assert [message["content"] for message in thread["messages"]] == ["Ada: x"]
