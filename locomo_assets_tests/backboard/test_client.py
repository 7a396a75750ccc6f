"""The calls: what is sent, and answers old, new and odd."""

import json
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs

import httpx
import pytest

from locomo_assets.backboard.client import BackboardClient
from locomo_assets.http.errors import NotFoundError, PermanentError, UnexpectedAnswerError
from locomo_assets_tests.backboard.clients import quick_client

STAMP = datetime(2023, 5, 8, 13, 56, tzinfo=UTC)
BASE = "https://memory.invalid/api"


class Service(httpx.MockTransport):
    """Answers each path with what it is given, and keeps the requests."""

    def __init__(self, answers: dict[str, Any]) -> None:
        self.requests: list[httpx.Request] = []
        self.answers = answers
        super().__init__(self._answer)

    def _answer(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        given = self.answers[f"{request.method} {request.url.path.removeprefix('/api')}"]
        given = given(request) if callable(given) else given
        return given if isinstance(given, httpx.Response) else httpx.Response(200, json=given)


def client_of(answers: dict[str, Any]) -> tuple[BackboardClient, Service]:
    service = Service(answers)
    return quick_client(BASE, transport=service), service


async def test_a_turn_as_it_is_sent() -> None:
    saved = {"message_id": "m1", "memory_operation_id": "op1", "status": "COMPLETED"}
    client, service = client_of({"POST /threads/t1/messages": saved})
    async with client:
        got = await client.add_message(
            "t1",
            "Ann: ünïcode & more=",
            memory="Auto",
            custom_timestamp=STAMP,
            llm_provider="google",
            llm_model="gemini-2.5-pro",
        )
    sent = service.requests[0]
    assert sent.headers["content-type"] == "application/x-www-form-urlencoded"
    form = {name: value for name, (value,) in parse_qs(sent.content.decode()).items()}
    assert json.loads(form.pop("metadata")) == {"custom_timestamp": "2023-05-08T13:56:00Z"}
    assert form == {
        "content": "Ann: ünïcode & more=",
        "stream": "false",
        "memory": "Auto",
        "send_to_llm": "false",
        "llm_provider": "google",
        "model_name": "gemini-2.5-pro",
    }
    assert (got.message_id, got.memory_operation_id) == ("m1", "op1")
    assert (got.latency_ms or 0.0) > 0.0


async def test_the_newer_form_of_a_saved_message() -> None:
    newer = {
        "messages": [
            {"message_id": "m1", "role": "user", "memory_operation_id": "op1"},
            {"message_id": "m2", "role": "assistant"},
        ],
        "context_usage": {},
    }
    client, _ = client_of({"POST /threads/t1/messages": newer})
    async with client:
        got = await client.add_message("t1", "x", memory="Auto", custom_timestamp=STAMP)
    assert (got.message_id, got.memory_operation_id) == ("m1", "op1")


@pytest.mark.parametrize(
    ("fields", "failure"),
    [
        ({"status": " Failed "}, "failed"),
        ({"error": {"message": "no quota"}}, "an error: no quota"),
        ({"errors": ["no quota"]}, "an error: no quota"),
        ({"success": False, "reason": "no quota"}, "an error: no quota"),
        ({"run": {"status": "FAILED", "error": "no quota"}}, "failed: no quota"),
        ({"memory_operation": {"status": "error"}}, "error"),
        ({"messages": [{"role": "user", "message_id": "m1", "error": "no quota"}]},
         "an error: no quota"),
        ({"error": None}, None),
        ({"error": "none", "status": "COMPLETED", "success": True}, None),
    ],
)  # fmt: skip
async def test_a_turn_that_failed_wherever_the_answer_says_so(
    fields: dict[str, object], failure: str | None
) -> None:
    client, _ = client_of({"POST /threads/t1/messages": {"message_id": "m1", **fields}})
    async with client:
        got = await client.add_message("t1", "x", memory="Auto", custom_timestamp=STAMP)
    assert got.failure == failure


@pytest.mark.parametrize(
    "fields", [{"error": "down"}, {"messages": [], "error": "down"}, {"messages": {"error": "x"}}]
)
async def test_a_thread_with_an_error_is_no_empty_thread(fields: dict[str, object]) -> None:
    client, _ = client_of({"GET /threads/t1": {"thread_id": "t1", **fields}})
    async with client:
        with pytest.raises(UnexpectedAnswerError):
            await client.get_thread("t1")


@pytest.mark.parametrize(
    ("raw", "state", "ids"),
    [
        ({"status": "COMPLETED", "memory_ids": ["a", "b"]}, "completed", ("a", "b")),
        (
            {
                "status": "completed",
                "memory_ids": [
                    {"id": "a", "event": "ADD"},
                    {"id": "b", "event": "NONE"},
                    {"id": "c", "event": "delete", "memory": "x"},
                    7,
                ],
            },
            "completed",
            ("a", "c"),
        ),
        ({"status": "ERROR", "memory_ids": None}, "error", ()),
        ({"status": "error"}, "error", ()),
        ({"status": "Cancelled"}, "error", ()),
        ({"state": "FAILED"}, "error", ()),
        ({"status": "COMPLETED", "error": "no embedding"}, "error", ()),
        ({"status": "COMPLETED", "error": "none"}, "completed", ()),
        ({"status": "IN_PROGRESS"}, "running", ()),
        ({}, "running", ()),
    ],
)
async def test_memory_operations(raw: object, state: str, ids: tuple[str, ...]) -> None:
    client, _ = client_of({"GET /assistants/memories/operations/op1": raw})
    async with client:
        got = await client.memory_operation("op1")
    assert (got.operation_id, got.state, got.memory_ids) == ("op1", state, ids)


async def test_memories_come_page_by_page_with_their_text_anywhere() -> None:
    def page(request: httpx.Request) -> object:
        number = int(request.url.params["page"])
        assert request.url.params["page_size"] == "100"
        memories = {
            1: [{"id": "a", "content": "A", "metadata": {"k": 1}, "created_at": "2023-05-08"}],
            2: [{"id": "b", "memory": "B", "created_at": "2023-05-08T13:56:00+02:00"}, "odd"],
            3: [{"id": "c", "text": "C", "score": 0.25, "new_field": []}, {"id": "a"}],
        }[number]
        return {"memories": memories, "total_count": 3, "page": number, "total_pages": 3}

    client, service = client_of({"GET /assistants/a1/memories": page})
    async with client:
        got = await client.list_memories("a1")
    assert len(service.requests) == 3
    assert [memory.memory_id for memory in got] == ["a", "b", "c"]
    assert [memory.memory for memory in got[1:]] == ["B", "C"]
    assert got[1].created_at == datetime(2023, 5, 8, 11, 56, tzinfo=UTC)
    assert got[2].score == 0.25


async def test_a_server_that_does_not_page_gives_its_memories_once() -> None:
    everything = {"memories": [{"id": str(n), "content": "x"} for n in range(250)]}
    client, service = client_of({"GET /assistants/a1/memories": everything})
    async with client:
        assert len(await client.list_memories("a1")) == 250
    assert len(service.requests) == 1


@pytest.mark.parametrize("pages", [10**30, 10**12, -1, "x", None, []])
async def test_a_number_of_pages_that_is_nonsense_ends(pages: object) -> None:
    same = {"memories": [{"id": "a", "content": "x"}], "total_pages": pages, "total_count": pages}
    client, service = client_of({"GET /assistants/a1/memories": same})
    async with client:
        assert len(await client.list_memories("a1")) == 1
    assert len(service.requests) <= 2


async def test_assistants_are_found_by_exact_name_over_all_pages() -> None:
    def page(request: httpx.Request) -> object:
        skip, limit = int(request.url.params["skip"]), int(request.url.params["limit"])
        everything = [{"assistant_id": f"a{n}", "name": f"n{n % 7}"} for n in range(205)]
        return everything[skip : skip + limit]

    client, service = client_of({"GET /assistants": page})
    async with client:
        found = await client.list_assistants(name="n3")
        everything = await client.list_assistants()
    assert len(found) == 29
    assert {one.name for one in found} == {"n3"}
    assert len(everything) == 205
    assert service.requests[0].url.params["name"] == "n3"
    assert len(service.requests) == 6


async def test_a_thread_is_read_oldest_first_whatever_its_order() -> None:
    def message(number: int) -> dict[str, object]:
        return {
            "message_id": f"m{number}",
            "role": "USER",
            "content": f"{number}",
            "status": "COMPLETED",
            "created_at": f"2026-01-01T00:00:0{number}",
            "metadata_": {"memory_operation_id": f"op{number}"},
        }

    newest_first = {"thread_id": "t1", "messages": [message(3), message(2), message(1)]}
    client, _ = client_of({"GET /threads/t1": newest_first})
    async with client:
        thread = await client.get_thread("t1")
    assert [one.content for one in thread.messages] == ["1", "2", "3"]
    first = thread.messages[0]
    assert (first.role, first.status, first.memory_operation_id) == ("user", "completed", "op1")
    assert first.created_at == datetime(2026, 1, 1, 0, 0, 1, tzinfo=UTC)


async def test_assistants_are_made_and_cloned() -> None:
    client, service = client_of(
        {
            "POST /assistants": {"assistant_id": "a1", "name": "n"},
            "POST /assistants/a1/clone": {
                "assistant": {"assistant_id": "a2", "name": "m"},
                "documents_cloned": 0,
                "memories_cloned": 5,
            },
        }
    )
    async with client:
        made = await client.create_assistant("n", description="d", llm_provider="google")
        copy = await client.clone_assistant(made.assistant_id, "m")
    assert json.loads(service.requests[0].content) == {
        "name": "n",
        "description": "d",
        "tools": [],
        "llm_provider": "google",
    }
    assert json.loads(service.requests[1].content)["copy_memories"] is True
    assert (copy.assistant.assistant_id, copy.memories_cloned) == ("a2", 5)


async def test_deleting_what_is_gone_is_no_error() -> None:
    gone = httpx.Response(404, json={"detail": "not found"})
    client, service = client_of(
        {
            "DELETE /assistants/a1": gone,
            "GET /assistants/a1": gone,
        }
    )
    async with client:
        await client.delete_assistant("a1")
        with pytest.raises(NotFoundError, match="not found"):
            await client.get_assistant("a1")
    assert len(service.requests) == 2


async def test_the_probe_names_the_system() -> None:
    client, service = client_of({"GET /assistants": []})
    async with client:
        assert (await client.probe()).system == "backboard"
        service.answers["GET /assistants"] = httpx.Response(
            200, json=[], headers={"X-Locomo-System": "standin"}
        )
        assert (await client.probe()).system == "standin"
    assert dict(service.requests[0].url.params) == {"limit": "1"}


@pytest.mark.parametrize(
    "raw", [None, [], "text", 7, {}, {"assistant_id": 5}, {"assistant_id": ""}]
)
async def test_an_answer_without_its_id_is_unexpected(raw: object) -> None:
    client, _ = client_of({"GET /assistants/a1": httpx.Response(200, content=json.dumps(raw))})
    async with client:
        with pytest.raises(UnexpectedAnswerError, match="base URL"):
            await client.get_assistant("a1")


async def test_a_list_that_is_none_is_unexpected() -> None:
    client, _ = client_of({"GET /assistants": {"assistants": []}})
    async with client:
        with pytest.raises(PermanentError, match="a list was documented"):
            await client.probe()


async def test_text_that_no_file_can_hold_is_repaired() -> None:
    raw = b'{"memories": [{"id": "m", "content": "half \\ud83d gone", "score": NaN}]}'
    client, _ = client_of({"GET /assistants/a1/memories": httpx.Response(200, content=raw)})
    async with client:
        (memory,) = await client.list_memories("a1")
    assert memory.memory == "half \ufffd gone"
    assert memory.score is None
