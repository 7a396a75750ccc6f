"""The whole application on a real conversation: everything remembered, and answered passably."""

from pathlib import Path

import httpx
import pytest

from locomo_assets.locomo.model import Conversation
from locomo_assets.locomo.parsing import read_dataset
from locomo_assets.standin.judge import Case, verdict
from locomo_assets.standin.retrieval import Words
from locomo_assets.standin.server import standin_transport
from locomo_assets.standin.settings import DEFAULT_KEY
from locomo_assets_tests.standin.requests import events, question_form

TEMPORAL, SINGLE_HOP = 2, 4


async def ingest(http: httpx.AsyncClient, conversation: Conversation) -> str:
    made = (await http.post("/assistants", json={"name": conversation.conversation})).json()
    assistant_id = str(made["assistant_id"])
    for session in conversation.sessions:
        thread = (await http.post(f"/assistants/{assistant_id}/threads", json={})).json()
        for turn in session.turns:
            body = {
                "thread_id": thread["thread_id"],
                "content": f"{turn.speaker}: {turn.text}",
                "memory": "Auto",
                "send_to_llm": False,
                "metadata": {"custom_timestamp": session.started_at.isoformat()},
            }
            (await http.post("/threads/messages", json=body)).raise_for_status()
    return assistant_id


@pytest.mark.real_data
async def test_a_real_conversation_is_remembered_and_answered(
    tmp_path: Path, real_dataset: Path
) -> None:
    dataset = read_dataset(str(real_dataset))
    conversation = next(c for c in dataset.conversations if c.conversation == "conv-30")
    words = Words()
    correct: dict[int, list[bool]] = {}
    async with (
        standin_transport(tmp_path / "state.sqlite") as transport,
        httpx.AsyncClient(
            transport=transport,
            base_url="http://standin.invalid/api",
            headers={"X-API-Key": DEFAULT_KEY},
        ) as http,
    ):
        assistant_id = await ingest(http, conversation)
        memories = (await http.get(f"/assistants/{assistant_id}/memories")).json()["memories"]
        assert [memory["content"].partition("] ")[2] for memory in memories] == [
            f"{turn.speaker}: {turn.text}" for turn in conversation.turns
        ]
        thread = (await http.post(f"/assistants/{assistant_id}/threads", json={})).json()
        path = f"/threads/{thread['thread_id']}/messages"
        for question in conversation.questions:
            if question.gold_answer is None:
                continue
            response = await http.post(path, data=question_form(question.question))
            *_, ended = got = events(response.content)
            assert ended["type"] == "run_ended"
            assert 0 < len(ended["retrieved_memories"]) <= 10
            answer = "".join(event.get("content", "") for event in got)
            case = Case(question.question, question.gold_answer, answer)
            correct.setdefault(question.category, []).append(verdict(case, words)[0])
    shares = {category: sum(one) / len(one) for category, one in correct.items()}
    # By its own generous rule; a broken index, date or sentence choice falls far below.
    assert shares[TEMPORAL] > 0.5
    assert shares[SINGLE_HOP] > 0.35
