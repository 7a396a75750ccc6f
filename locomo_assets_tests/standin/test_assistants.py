"""Assistants, threads, memories and their operations over a real socket."""

import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

from locomo_assets_tests.standin.client import StandinClient, standin_client


def test_an_assistant_is_made_read_changed_and_deleted(client: StandinClient) -> None:
    made = client.post(
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
    assert client.get(path) == made

    changed = client.http.put(path, json={"name": "Anne"}).json()
    assert changed == {**made, "name": "Anne"}
    assert client.get(path) == changed

    deleted = client.http.delete(path).raise_for_status().json()
    assert deleted["assistant_id"] == made["assistant_id"]
    assert set(deleted) == {"message", "assistant_id", "deleted_at"}
    for response in (
        client.http.get(path),
        client.http.put(path, json={"name": "x"}),
        client.http.delete(path),
        client.http.post(f"{path}/clone", json={}),
        client.http.post(f"{path}/threads", json={}),
        client.http.get(f"{path}/threads"),
        client.http.get(f"{path}/memories"),
        client.http.get(f"{path}/memories/stats"),
        client.http.post(f"{path}/memories/search", json={"query": "x"}),
    ):
        assert (response.status_code, response.json()) == (404, {"detail": "Assistant not found"})


def test_listing_goes_page_by_page_and_by_exact_name(client: StandinClient) -> None:
    name = f"page {uuid4()}"
    ids = [client.assistant(name) for _ in range(7)]
    client.assistant(f"{name} or not")
    pages = [
        [one["assistant_id"] for one in client.get("/assistants", name=name, skip=skip, limit=3)]
        for skip in (0, 3, 6, 9)
    ]
    assert pages == [ids[:3], ids[3:6], ids[6:], []]
    everybody = client.get("/assistants", limit=200)
    assert {one["assistant_id"] for one in everybody} >= set(ids)


@pytest.mark.parametrize(
    "params", [{"limit": 0}, {"limit": 201}, {"skip": -1}, {"skip": 10_001}, {"limit": "x"}]
)
def test_pages_have_limits(client: StandinClient, params: dict[str, Any]) -> None:
    response = client.http.get("/assistants", params=params)
    assert response.status_code == 422
    assert next(iter(params)) in response.json()["detail"]


@pytest.mark.parametrize(
    "body", [b"", b"{}", b'{"name": ""}', b'{"name": 5}', b"[]", b"{", b'{"name": "\\ud800"}']
)
def test_an_invalid_assistant_is_refused(client: StandinClient, body: bytes) -> None:
    headers = {"Content-Type": "application/json"}
    response = client.http.post("/assistants", content=body, headers=headers)
    assert response.status_code == 422
    assert set(response.json()) == {"detail"}


def test_options_are_kept_changed_and_cloned(client: StandinClient) -> None:
    options = {
        "embedding_provider": "openai",
        "embedding_model_name": "text-embedding-3-large",
        "embedding_dims": 3072,
        "tok_k": 7,
        "custom_fact_extraction_prompt": "Facts.",
        "custom_update_memory_prompt": "Corrections.",
        "system_prompt": "Be brief.",
    }
    made = client.post("/assistants", name="Ann", **options)
    assert options.items() <= made.items()
    path = f"/assistants/{made['assistant_id']}"
    assert client.http.put(path, json={"tok_k": 100}).json() == {**made, "tok_k": 100}
    clone = client.post(f"{path}/clone")["assistant"]
    assert {**options, "tok_k": 100}.items() <= clone.items()
    assert client.post("/assistants", name="Ben", tok_k=None)["tok_k"] is None


@pytest.mark.parametrize(
    "wrong",
    [{"tok_k": 0}, {"tok_k": 101}, {"tok_k": "many"}, {"tok_k": 2.5}, {"embedding_dims": 0}],
)
def test_options_have_limits(client: StandinClient, wrong: dict[str, Any]) -> None:
    (name,) = wrong
    response = client.http.post("/assistants", json={"name": "Ann", **wrong})
    assert response.status_code == 422
    assert name in response.json()["detail"]
    path = f"/assistants/{client.assistant()}"
    before = client.get(path)
    assert client.http.put(path, json=wrong).status_code == 422
    assert client.get(path) == before


def test_a_name_has_at_most_255_characters(client: StandinClient) -> None:
    assert client.http.post("/assistants", json={"name": "x" * 255}).status_code == 200
    assert client.http.post("/assistants", json={"name": "x" * 256}).status_code == 422


def test_threads_are_made_listed_read_and_deleted(client: StandinClient) -> None:
    assistant_id = client.assistant()
    made = [client.post(f"/assistants/{assistant_id}/threads") for _ in range(3)]
    assert made[0]["messages"] == []
    assert made[0]["metadata_"] == {}
    ids = [one["thread_id"] for one in made]
    path = f"/assistants/{assistant_id}/threads"
    assert [one["thread_id"] for one in client.get(path)] == ids
    assert [one["thread_id"] for one in client.get(path, skip=1, limit=1)] == ids[1:2]
    client.turn(ids[1], "Ada: hello")
    assert client.contents(ids[1]) == ["Ada: hello"]
    client.http.delete(f"/threads/{ids[1]}").raise_for_status()
    assert [one["thread_id"] for one in client.get(path)] == [ids[0], ids[2]]
    for response in (
        client.http.get(f"/threads/{ids[1]}"),
        client.http.delete(f"/threads/{ids[1]}"),
        client.http.post(f"/threads/{ids[1]}/messages", data={"content": "x"}),
    ):
        assert (response.status_code, response.json()) == (404, {"detail": "Thread not found"})


def test_a_clone_is_a_snapshot(client: StandinClient) -> None:
    assistant_id = client.assistant("original")
    thread_id = client.thread(assistant_id)
    client.turn(thread_id, "Ada: I keep bees.")
    client.turn(thread_id, "Ada: I keep hens.")
    cloned = client.post(f"/assistants/{assistant_id}/clone", name="copy")
    assert (cloned["memories_cloned"], cloned["documents_cloned"]) == (2, 0)
    copy_id = cloned["assistant"]["assistant_id"]
    assert copy_id != assistant_id
    assert client.get(f"/assistants/{copy_id}") == cloned["assistant"]
    assert cloned["assistant"]["name"] == "copy"
    assert client.get(f"/assistants/{copy_id}/threads") == []

    client.turn(thread_id, "Ada: I keep goats.")
    client.turn(client.thread(copy_id), "Ada: I keep cats.")

    def remembered(of: str) -> list[str]:
        listed = client.get(f"/assistants/{of}/memories")["memories"]
        return [memory["content"].partition("keep ")[2] for memory in listed]

    assert remembered(assistant_id) == ["bees.", "hens.", "goats."]
    assert remembered(copy_id) == ["bees.", "hens.", "cats."]
    originals = client.get(f"/assistants/{assistant_id}/memories")["memories"]
    copies = client.get(f"/assistants/{copy_id}/memories")["memories"]
    assert {one["id"] for one in originals}.isdisjoint(one["id"] for one in copies)

    client.http.delete(f"/assistants/{assistant_id}").raise_for_status()
    assert remembered(copy_id) == ["bees.", "hens.", "cats."]


def test_a_clone_without_memories_and_with_another_prompt(client: StandinClient) -> None:
    assistant_id = client.assistant("original")
    client.turn(client.thread(assistant_id), "Ada: I keep bees.")
    cloned = client.post(
        f"/assistants/{assistant_id}/clone", copy_memories=False, system_prompt="Be brief."
    )
    assert cloned["memories_cloned"] == 0
    assert cloned["assistant"]["system_prompt"] == "Be brief."
    assert cloned["assistant"]["name"] == "original Copy"
    copy_id = cloned["assistant"]["assistant_id"]
    assert client.get(f"/assistants/{copy_id}/memories/stats")["total_memories"] == 0


@pytest.fixture(scope="module")
def remembering(client: StandinClient) -> str:
    """An assistant with 23 memories."""
    assistant_id = client.assistant()
    thread_id = client.thread(assistant_id)
    for number in range(23):
        client.turn(
            thread_id, f"Ada: fact number {number}" + (" about bees" if number == 7 else "")
        )
    return assistant_id


def test_pages_hold_each_memory_once_and_in_order(client: StandinClient, remembering: str) -> None:
    path = f"/assistants/{remembering}/memories"
    whole = client.get(path)
    assert [whole[key] for key in ("total_count", "page", "total_pages")] == [23, 1, 1]
    pages = [client.get(path, page=page, page_size=10) for page in (1, 2, 3, 4)]
    assert [len(page["memories"]) for page in pages] == [10, 10, 3, 0]
    assert {(p["total_count"], p["page_size"], p["total_pages"]) for p in pages} == {(23, 10, 3)}
    assert [memory for page in pages for memory in page["memories"]] == whole["memories"]
    assert "fact number 0" in whole["memories"][0]["content"]
    assert set(whole["memories"][0]) == {
        "id",
        "content",
        "metadata",
        "score",
        "created_at",
        "updated_at",
    }


@pytest.mark.parametrize(
    "params",
    [{"page": 0}, {"page": 1, "page_size": 0}, {"page": 1, "page_size": 101}, {"page": "x"}],
)
def test_pages_of_memories_have_limits(
    client: StandinClient, remembering: str, params: dict[str, Any]
) -> None:
    response = client.http.get(f"/assistants/{remembering}/memories", params=params)
    assert response.status_code == 422


def test_none_yet(client: StandinClient) -> None:
    assistant_id = client.assistant()
    listed = client.get(f"/assistants/{assistant_id}/memories")
    assert (listed["memories"], listed["total_count"], listed["total_pages"]) == ([], 0, 0)
    stats = client.get(f"/assistants/{assistant_id}/memories/stats")
    assert stats == {"total_memories": 0, "last_updated": None, "limits": {}}


def test_search(client: StandinClient, remembering: str) -> None:
    path = f"/assistants/{remembering}/memories/search"
    top_hits = client.post(path, query="Who keeps bees?")["memories"][0]
    assert top_hits["content"] == "[8 May 2023] Ada: fact number 7 about bees"
    assert top_hits["score"] > 0
    assert client.post(path, query="fact")["total_count"] == 5
    assert client.post(path, query="fact", limit=9)["total_count"] == 9
    assert client.post(path, query="chromodynamics")["memories"] == []
    for wrong in ({}, {"query": ""}, {"query": "x", "limit": 51}, {"query": "x", "limit": 0}):
        assert client.http.post(path, json=wrong).status_code == 422


def test_stats(client: StandinClient, remembering: str) -> None:
    stats = client.get(f"/assistants/{remembering}/memories/stats")
    assert stats["total_memories"] == 23
    last = client.get(f"/assistants/{remembering}/memories")["memories"][-1]
    assert stats["last_updated"] == last["updated_at"]


def test_an_unknown_operation_is_not_found(client: StandinClient) -> None:
    response = client.http.get("/assistants/memories/operations/none")
    assert (response.status_code, response.json()) == (
        404,
        {"detail": "Memory operation not found"},
    )


def test_memory_takes_its_time(tmp_path: Path) -> None:
    with standin_client(tmp_path, memory_delay_ms=300.0) as client:
        assistant_id = client.assistant()
        began = time.monotonic()
        saved = client.turn(client.thread(assistant_id), "Ada: I keep bees.")
        path = f"/assistants/memories/operations/{saved['memory_operation_id']}"
        first = client.get(path)
        assert (first["status"], first["memory_ids"]) == ("IN_PROGRESS", [])
        assert client.get(f"/assistants/{assistant_id}/memories")["memories"] == []
        assert client.post(f"/assistants/{assistant_id}/clone")["memories_cloned"] == 0
        while client.get(path)["status"] != "COMPLETED":
            assert time.monotonic() - began < 10
            time.sleep(0.02)
        assert time.monotonic() - began >= 0.3
        (memory,) = client.get(f"/assistants/{assistant_id}/memories")["memories"]
        assert client.get(path)["memory_ids"] == [memory["id"]]


def test_operations_fail_or_never_end_in_their_shares(tmp_path: Path) -> None:
    with standin_client(
        tmp_path, memory_failed_share=0.3, memory_stuck_share=0.3, seed=3
    ) as client:
        assistant_id = client.assistant()
        thread_id = client.thread(assistant_id)
        saved = [client.turn(thread_id, f"Ada: {number}") for number in range(100)]
        states = [
            client.get(f"/assistants/memories/operations/{one['memory_operation_id']}")["status"]
            for one in saved
        ]
        counts = {state: states.count(state) for state in ("COMPLETED", "ERROR", "IN_PROGRESS")}
        assert sum(counts.values()) == 100
        assert all(counts[state] >= 15 for state in counts)
        stats = client.get(f"/assistants/{assistant_id}/memories/stats")
        assert stats["total_memories"] == counts["COMPLETED"]
        assert len(client.contents(thread_id)) == 100
