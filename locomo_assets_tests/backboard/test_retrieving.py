"""Memories retrieved without a model: by a search, by a message; and when they were said."""

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from locomo_assets.backboard.client import BackboardClient
from locomo_assets.backboard.models import Memory, retrieved_by_message, search_results
from locomo_assets.http.errors import NotFoundError, UnexpectedAnswerError
from locomo_assets.standin.server import running_standin
from locomo_assets.standin.settings import DEFAULT_KEY, StandinSettings

SAID_AT = datetime(2023, 5, 8, 13, 56, tzinfo=UTC)
END = datetime(2023, 12, 31, tzinfo=UTC)


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[BackboardClient]:
    with running_standin(StandinSettings(), tmp_path / "state.sqlite") as urls:
        async with BackboardClient(urls.backboard, DEFAULT_KEY) as connected:
            yield connected


async def told(client: BackboardClient) -> str:
    """An assistant that was told two things."""
    assistant = await client.create_assistant("told", description="")
    thread = await client.create_thread(assistant.assistant_id)
    for text in ("Ann: I moved to Lisbon.", "Ann: My cat is called Ink."):
        saved = await client.add_message(
            thread.thread_id, text, memory="Auto", custom_timestamp=SAID_AT
        )
        while (await client.memory_operation(str(saved.memory_operation_id))).state == "running":
            pass
    return assistant.assistant_id


async def test_both_paths_find_the_best_memory_first(client: BackboardClient) -> None:
    assistant_id = await told(client)
    found = await client.search_memories(assistant_id, "Where did Ann move, to Lisbon?", 50)
    thread = await client.create_thread(assistant_id)
    by_message = await client.retrieve_by_message(
        thread.thread_id, "Where did Ann move, to Lisbon?"
    )
    for retrieved in (found, by_message):
        assert "Lisbon" in retrieved.memories[0].memory
        assert retrieved.latency_ms > 0
    assert found.memories[0].dated(END) == SAID_AT


async def test_retrieving_writes_no_memory(client: BackboardClient) -> None:
    assistant_id = await told(client)
    before = await client.list_memories(assistant_id)
    thread = await client.create_thread(assistant_id)
    await client.retrieve_by_message(thread.thread_id, "Ann: I moved to Rome.")
    await client.search_memories(assistant_id, "Ann: I moved to Rome.", 50)
    assert await client.list_memories(assistant_id) == before


async def test_a_missing_assistant_is_told(client: BackboardClient) -> None:
    with pytest.raises(NotFoundError):
        await client.search_memories("none", "Where?", 50)


def test_an_answer_that_does_not_say_what_was_retrieved_is_none() -> None:
    for raw in ({"message_id": "m"}, {"message_id": "m", "status": "FAILED"}):
        with pytest.raises(UnexpectedAnswerError):
            retrieved_by_message(raw, "POST /threads/{id}/messages")
    with pytest.raises(UnexpectedAnswerError, match="without `memories`"):
        search_results({"total_count": 0}, "POST /assistants/{id}/memories/search")
    assert retrieved_by_message({"message_id": "m", "retrieved_memories": None}, "e") == ()


def test_newer_answers_hold_it_in_the_message() -> None:
    raw = {"messages": [{"message_id": "m", "retrieved_memories": [{"id": "1", "memory": "a"}]}]}
    assert [one.memory for one in retrieved_by_message(raw, "e")] == ["a"]


@pytest.mark.parametrize(
    ("metadata", "created_at", "date"),
    [
        ({"custom_timestamp": "2023-05-08T13:56:00Z"}, None, SAID_AT),
        ({"timestamp": "2023-05-08T13:56:00Z"}, END, SAID_AT),
        ({"speaker": "Ann"}, SAID_AT, SAID_AT),
        (None, SAID_AT, SAID_AT),
        # Stored long after the conversation: that tells nothing of when it was said.
        (None, datetime(2026, 11, 1, tzinfo=UTC), None),
        ({"date": "some day"}, None, None),
    ],
)
def test_a_memorys_date_is_that_of_what_it_tells(
    metadata: dict[str, str] | None, created_at: datetime | None, date: datetime | None
) -> None:
    text = json.dumps(metadata) if metadata else None
    assert Memory("1", "a", text, None, created_at, None).dated(END) == date
