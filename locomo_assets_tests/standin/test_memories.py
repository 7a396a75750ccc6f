"""Memories and their operations over a real socket."""

import time
from pathlib import Path
from typing import Any

import pytest

from locomo_assets_tests.standin.requests import Talk, standin


@pytest.fixture(scope="module")
def told(talk: Talk) -> str:
    """An assistant with 23 memories."""
    assistant_id = talk.assistant()
    thread_id = talk.thread(assistant_id)
    for number in range(23):
        talk.turn(thread_id, f"Ada: fact number {number}" + (" about bees" if number == 7 else ""))
    return assistant_id


def test_pages_hold_each_memory_once_and_in_order(talk: Talk, told: str) -> None:
    path = f"/assistants/{told}/memories"
    whole = talk.get(path)
    assert [whole[key] for key in ("total_count", "page", "total_pages")] == [23, 1, 1]
    pages = [talk.get(path, page=page, page_size=10) for page in (1, 2, 3, 4)]
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
def test_pages_have_limits(talk: Talk, told: str, params: dict[str, Any]) -> None:
    response = talk.http.get(f"/assistants/{told}/memories", params=params)
    assert response.status_code == 422


def test_none_yet(talk: Talk) -> None:
    assistant_id = talk.assistant()
    listed = talk.get(f"/assistants/{assistant_id}/memories")
    assert (listed["memories"], listed["total_count"], listed["total_pages"]) == ([], 0, 0)
    stats = talk.get(f"/assistants/{assistant_id}/memories/stats")
    assert stats == {"total_memories": 0, "last_updated": None, "limits": {}}


def test_search(talk: Talk, told: str) -> None:
    path = f"/assistants/{told}/memories/search"
    best = talk.post(path, query="Who keeps bees?")["memories"][0]
    assert best["content"] == "[8 May 2023] Ada: fact number 7 about bees"
    assert best["score"] > 0
    assert talk.post(path, query="fact")["total_count"] == 5
    assert talk.post(path, query="fact", limit=9)["total_count"] == 9
    assert talk.post(path, query="chromodynamics")["memories"] == []
    for wrong in ({}, {"query": ""}, {"query": "x", "limit": 51}, {"query": "x", "limit": 0}):
        assert talk.http.post(path, json=wrong).status_code == 422


def test_stats(talk: Talk, told: str) -> None:
    stats = talk.get(f"/assistants/{told}/memories/stats")
    assert stats["total_memories"] == 23
    last = talk.get(f"/assistants/{told}/memories")["memories"][-1]
    assert stats["last_updated"] == last["updated_at"]


def test_an_unknown_operation_is_not_found(talk: Talk) -> None:
    response = talk.http.get("/assistants/memories/operations/none")
    assert (response.status_code, response.json()) == (
        404,
        {"detail": "Memory operation not found"},
    )


def test_memory_takes_its_time(tmp_path: Path) -> None:
    with standin(tmp_path, memory_delay_ms=300.0) as talk:
        assistant_id = talk.assistant()
        began = time.monotonic()
        saved = talk.turn(talk.thread(assistant_id), "Ada: I keep bees.")
        path = f"/assistants/memories/operations/{saved['memory_operation_id']}"
        first = talk.get(path)
        assert (first["status"], first["memory_ids"]) == ("IN_PROGRESS", [])
        assert talk.get(f"/assistants/{assistant_id}/memories")["memories"] == []
        assert talk.post(f"/assistants/{assistant_id}/clone")["memories_cloned"] == 0
        while talk.get(path)["status"] != "COMPLETED":
            assert time.monotonic() - began < 10
            time.sleep(0.02)
        assert time.monotonic() - began >= 0.3
        (memory,) = talk.get(f"/assistants/{assistant_id}/memories")["memories"]
        assert talk.get(path)["memory_ids"] == [memory["id"]]


def test_operations_fail_or_never_end_in_their_shares(tmp_path: Path) -> None:
    with standin(tmp_path, memory_failed_share=0.3, memory_stuck_share=0.3, seed=3) as talk:
        assistant_id = talk.assistant()
        thread_id = talk.thread(assistant_id)
        saved = [talk.turn(thread_id, f"Ada: {number}") for number in range(100)]
        states = [
            talk.get(f"/assistants/memories/operations/{one['memory_operation_id']}")["status"]
            for one in saved
        ]
        counts = {state: states.count(state) for state in ("COMPLETED", "ERROR", "IN_PROGRESS")}
        assert sum(counts.values()) == 100
        assert all(counts[state] >= 15 for state in counts)
        stats = talk.get(f"/assistants/{assistant_id}/memories/stats")
        assert stats["total_memories"] == counts["COMPLETED"]
        assert len(talk.contents(thread_id)) == 100
