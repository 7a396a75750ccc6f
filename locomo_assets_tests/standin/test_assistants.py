"""Assistants and threads over a real socket."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from locomo_assets_tests.standin.requests import Talk


def test_an_assistant_is_made_read_changed_and_deleted(talk: Talk) -> None:
    made = talk.post(
        "/assistants",
        name="Ann",
        description="You are a conversation memory assistant.",
        llm_provider="google",
        llm_model_name="gemini-2.5-pro",
        tools=[],
        unheard_of=1,
    )
    UUID(made["assistant_id"])
    age = datetime.now(UTC) - datetime.fromisoformat(made["created_at"])
    assert timedelta(0) <= age < timedelta(minutes=1)
    assert made["description"] == "You are a conversation memory assistant."
    assert made["llm_model_name"] == "gemini-2.5-pro"
    assert "unheard_of" not in made
    path = f"/assistants/{made['assistant_id']}"
    assert talk.get(path) == made

    changed = talk.http.put(path, json={"name": "Anne"}).json()
    assert changed == {**made, "name": "Anne"}
    assert talk.get(path) == changed

    deleted = talk.http.delete(path).raise_for_status().json()
    assert deleted["assistant_id"] == made["assistant_id"]
    assert set(deleted) == {"message", "assistant_id", "deleted_at"}
    for response in (
        talk.http.get(path),
        talk.http.put(path, json={"name": "x"}),
        talk.http.delete(path),
        talk.http.post(f"{path}/clone", json={}),
        talk.http.post(f"{path}/threads", json={}),
        talk.http.get(f"{path}/threads"),
        talk.http.get(f"{path}/memories"),
        talk.http.get(f"{path}/memories/stats"),
        talk.http.post(f"{path}/memories/search", json={"query": "x"}),
    ):
        assert (response.status_code, response.json()) == (404, {"detail": "Assistant not found"})


def test_listing_goes_page_by_page_and_by_exact_name(talk: Talk) -> None:
    name = f"page {uuid4()}"
    ids = [talk.assistant(name) for _ in range(7)]
    talk.assistant(f"{name} or not")
    pages = [
        [one["assistant_id"] for one in talk.get("/assistants", name=name, skip=skip, limit=3)]
        for skip in (0, 3, 6, 9)
    ]
    assert pages == [ids[:3], ids[3:6], ids[6:], []]
    everybody = talk.get("/assistants", limit=200)
    assert {one["assistant_id"] for one in everybody} >= set(ids)


@pytest.mark.parametrize(
    "params", [{"limit": 0}, {"limit": 201}, {"skip": -1}, {"skip": 10_001}, {"limit": "x"}]
)
def test_pages_have_limits(talk: Talk, params: dict[str, Any]) -> None:
    response = talk.http.get("/assistants", params=params)
    assert response.status_code == 422
    assert next(iter(params)) in response.json()["detail"]


@pytest.mark.parametrize(
    "body", [b"", b"{}", b'{"name": ""}', b'{"name": 5}', b"[]", b"{", b'{"name": "\\ud800"}']
)
def test_what_is_no_assistant_is_refused(talk: Talk, body: bytes) -> None:
    headers = {"Content-Type": "application/json"}
    response = talk.http.post("/assistants", content=body, headers=headers)
    assert response.status_code == 422
    assert set(response.json()) == {"detail"}


def test_a_name_has_at_most_255_characters(talk: Talk) -> None:
    assert talk.http.post("/assistants", json={"name": "x" * 255}).status_code == 200
    assert talk.http.post("/assistants", json={"name": "x" * 256}).status_code == 422


def test_threads_are_made_listed_read_and_deleted(talk: Talk) -> None:
    assistant_id = talk.assistant()
    made = [talk.post(f"/assistants/{assistant_id}/threads") for _ in range(3)]
    assert made[0]["messages"] == []
    assert made[0]["metadata_"] == {}
    ids = [one["thread_id"] for one in made]
    path = f"/assistants/{assistant_id}/threads"
    assert [one["thread_id"] for one in talk.get(path)] == ids
    assert [one["thread_id"] for one in talk.get(path, skip=1, limit=1)] == ids[1:2]
    talk.turn(ids[1], "Ada: hello")
    assert talk.contents(ids[1]) == ["Ada: hello"]
    talk.http.delete(f"/threads/{ids[1]}").raise_for_status()
    assert [one["thread_id"] for one in talk.get(path)] == [ids[0], ids[2]]
    for response in (
        talk.http.get(f"/threads/{ids[1]}"),
        talk.http.delete(f"/threads/{ids[1]}"),
        talk.http.post(f"/threads/{ids[1]}/messages", data={"content": "x"}),
    ):
        assert (response.status_code, response.json()) == (404, {"detail": "Thread not found"})


def test_a_clone_is_a_snapshot(talk: Talk) -> None:
    assistant_id = talk.assistant("original")
    thread_id = talk.thread(assistant_id)
    talk.turn(thread_id, "Ada: I keep bees.")
    talk.turn(thread_id, "Ada: I keep hens.")
    cloned = talk.post(f"/assistants/{assistant_id}/clone", name="copy")
    assert (cloned["memories_cloned"], cloned["documents_cloned"]) == (2, 0)
    copy_id = cloned["assistant"]["assistant_id"]
    assert copy_id != assistant_id
    assert talk.get(f"/assistants/{copy_id}") == cloned["assistant"]
    assert cloned["assistant"]["name"] == "copy"
    assert talk.get(f"/assistants/{copy_id}/threads") == []

    talk.turn(thread_id, "Ada: I keep goats.")
    talk.turn(talk.thread(copy_id), "Ada: I keep cats.")

    def remembered(of: str) -> list[str]:
        listed = talk.get(f"/assistants/{of}/memories")["memories"]
        return [memory["content"].partition("keep ")[2] for memory in listed]

    assert remembered(assistant_id) == ["bees.", "hens.", "goats."]
    assert remembered(copy_id) == ["bees.", "hens.", "cats."]
    originals = talk.get(f"/assistants/{assistant_id}/memories")["memories"]
    copies = talk.get(f"/assistants/{copy_id}/memories")["memories"]
    assert {one["id"] for one in originals}.isdisjoint(one["id"] for one in copies)

    talk.http.delete(f"/assistants/{assistant_id}").raise_for_status()
    assert remembered(copy_id) == ["bees.", "hens.", "cats."]


def test_a_clone_without_memories_and_with_another_prompt(talk: Talk) -> None:
    assistant_id = talk.assistant("original")
    talk.turn(talk.thread(assistant_id), "Ada: I keep bees.")
    cloned = talk.post(
        f"/assistants/{assistant_id}/clone", copy_memories=False, system_prompt="Be brief."
    )
    assert cloned["memories_cloned"] == 0
    assert cloned["assistant"]["system_prompt"] == "Be brief."
    assert cloned["assistant"]["name"] == "original (copy)"
    copy_id = cloned["assistant"]["assistant_id"]
    assert talk.get(f"/assistants/{copy_id}/memories/stats")["total_memories"] == 0
