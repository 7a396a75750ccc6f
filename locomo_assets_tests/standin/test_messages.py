"""Turns and questions over a real socket, in both forms, streamed and not."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from locomo_assets_tests.standin.client import (
    StandinClient,
    events,
    question_form,
    standin_client,
    turn_form,
)

QUESTION = "When did Caroline go to the support group?"


@pytest.fixture
def assistant_id(client: StandinClient) -> str:
    return client.assistant()


@pytest.fixture
def remembering(client: StandinClient, assistant_id: str) -> str:
    """An assistant that was told two things."""
    thread_id = client.thread(assistant_id)
    client.turn(thread_id, "Caroline: I went to the support group yesterday.")
    client.turn(thread_id, "Melanie: The kids love dinosaurs.")
    return assistant_id


def remembered(client: StandinClient, assistant_id: str) -> list[str]:
    return [
        one["content"] for one in client.get(f"/assistants/{assistant_id}/memories")["memories"]
    ]


def test_a_turn_is_saved_once_dated_and_remembered(
    client: StandinClient, assistant_id: str
) -> None:
    thread_id = client.thread(assistant_id)
    saved = client.turn(thread_id, "Caroline: Hey Mel! Ça va? 🎉")
    assert saved["thread_id"] == thread_id
    assert (saved["role"], saved["status"]) == ("user", "COMPLETED")
    assert saved["content"] == "Caroline: Hey Mel! Ça va? 🎉"
    assert saved["retrieved_memories"] == []

    (message,) = client.get(f"/threads/{thread_id}")["messages"]
    assert message["message_id"] == saved["message_id"]
    assert message["content"] == saved["content"]
    assert message["metadata_"] == {"custom_timestamp": "2023-05-08T13:56:00Z"}
    age = datetime.now(UTC) - datetime.fromisoformat(message["created_at"])
    assert 0 <= age.total_seconds() < 60

    operation_id = saved["memory_operation_id"]
    operation = client.get(f"/assistants/memories/operations/{operation_id}")
    assert operation["status"] == "COMPLETED"
    (memory,) = client.get(f"/assistants/{assistant_id}/memories")["memories"]
    assert operation["memory_ids"] == [memory["id"]]
    assert memory["content"] == "[8 May 2023] Caroline: Hey Mel! Ça va? 🎉"
    assert memory["metadata"]["timestamp"] == "2023-05-08T13:56:00+00:00"


def test_turns_stay_in_order(client: StandinClient, assistant_id: str) -> None:
    thread_id = client.thread(assistant_id)
    said = [f"Ada: number {number}" for number in range(30)]
    for content in said:
        client.turn(thread_id, content)
    assert client.contents(thread_id) == said


@pytest.mark.parametrize(
    ("mode", "remembers"),
    [("auto", True), ("Auto", True), ("On", True), ("ON", True), ("off", False), ("Off", False),
     ("readonly", False), ("Readonly", False)],
)  # fmt: skip
def test_memory_modes_of_turns(
    client: StandinClient, assistant_id: str, mode: str, remembers: bool
) -> None:
    saved = client.turn(client.thread(assistant_id), "Ada: I keep bees.", memory=mode)
    assert (saved["memory_operation_id"] is not None) is remembers
    assert len(remembered(client, assistant_id)) == remembers


def test_a_turn_without_a_date_is_dated_by_the_server(
    client: StandinClient, assistant_id: str
) -> None:
    client.turn(client.thread(assistant_id), "Ada: I keep bees.", metadata="")
    (memory,) = client.get(f"/assistants/{assistant_id}/memories")["memories"]
    age = datetime.now(UTC) - datetime.fromisoformat(memory["metadata"]["timestamp"])
    assert 0 <= age.total_seconds() < 60


def test_a_streamed_turn_ends_with_message_saved(client: StandinClient, assistant_id: str) -> None:
    thread_id = client.thread(assistant_id)
    form = turn_form("Ada: I keep bees.") | {"stream": "true"}
    response = client.http.post(f"/threads/{thread_id}/messages", data=form)
    assert response.headers["content-type"].startswith("text/event-stream")
    (event,) = events(response.content)
    assert event["type"] == "message_saved"
    assert event["memory_operation_id"]
    assert client.contents(thread_id) == ["Ada: I keep bees."]


def test_a_streamed_question(client: StandinClient, remembering: str) -> None:
    thread_id = client.thread(remembering)
    retrieved, *pieces, ended = client.ask(thread_id, QUESTION)
    assert retrieved["type"] == "memory_retrieved"
    assert {piece["type"] for piece in pieces} == {"content_streaming"}
    answer = "".join(piece["content"] for piece in pieces)
    assert answer.startswith("7 May 2023")
    assert len(pieces) > 1

    assert (ended["type"], ended["status"]) == ("run_ended", "completed")
    assert ended["retrieved_memories"] == retrieved["memories"]
    top_hits = ended["retrieved_memories"][0]
    assert set(top_hits) == {"id", "memory", "score"}
    assert top_hits["memory"] == "[8 May 2023] Caroline: I went to the support group yesterday."
    assert (ended["model_provider"], ended["model_name"]) == ("standin", "standin-extractive-1")
    assert ended["input_tokens"] > 0
    assert ended["output_tokens"] > 0
    assert ended["total_tokens"] == ended["input_tokens"] + ended["output_tokens"]
    assert ended["memory_operation_id"] is None  # Readonly

    asked, replied = client.get(f"/threads/{thread_id}")["messages"]
    assert (asked["role"], asked["content"]) == ("user", QUESTION)
    assert (replied["role"], replied["content"]) == ("assistant", answer)
    assert replied["message_id"] == ended["message_id"]


def test_the_same_question_gets_the_same_answer_not_streamed(
    client: StandinClient, remembering: str
) -> None:
    streamed = client.ask(client.thread(remembering), QUESTION)
    thread_id = client.thread(remembering)
    form = question_form(QUESTION) | {"stream": "false"}
    flat = client.http.post(f"/threads/{thread_id}/messages", data=form).json()
    assert flat["content"] == "".join(event.get("content", "") for event in streamed)
    assert flat["retrieved_memories"] == streamed[-1]["retrieved_memories"]
    assert (flat["status"], flat["role"]) == ("COMPLETED", "assistant")
    assert flat["model_name"] == "standin-extractive-1"
    assert flat["thread_id"] == thread_id


def test_at_most_ten_memories_are_retrieved(client: StandinClient, assistant_id: str) -> None:
    thread_id = client.thread(assistant_id)
    for number in range(12):
        client.turn(thread_id, f"Ada: bee number {number}")
    assert len(client.ask(client.thread(assistant_id), "bee?")[-1]["retrieved_memories"]) == 10


@pytest.mark.parametrize("tok_k", [1, 12, None])
def test_an_assistant_says_how_many_memories_are_retrieved(
    client: StandinClient, tok_k: int | None
) -> None:
    assistant_id = str(client.post("/assistants", name="a", tok_k=tok_k)["assistant_id"])
    thread_id = client.thread(assistant_id)
    for number in range(15):
        client.turn(thread_id, f"Ada: bee number {number}")
    asked = client.ask(client.thread(assistant_id), "bee?")[-1]
    saved = client.turn(client.thread(assistant_id), "bee?", memory="Readonly")
    for found in (asked["retrieved_memories"], saved["retrieved_memories"]):
        assert len(found) == (tok_k or 10)


def answered(client: StandinClient, assistant_id: str, **fields: str) -> dict[str, Any]:
    form = question_form("Where does Ada keep bees?") | {"stream": "false"} | fields
    path = f"/threads/{client.thread(assistant_id)}/messages"
    answer: dict[str, Any] = client.http.post(path, data=form).raise_for_status().json()
    return answer


def keeper(client: StandinClient, **fields: str) -> str:
    assistant_id = str(client.post("/assistants", name="a", **fields)["assistant_id"])
    thread_id = client.thread(assistant_id)
    for number in range(6):
        client.turn(thread_id, f"Ada: I keep bees in place {number}.")
    return assistant_id


def test_a_small_model_quotes_less(client: StandinClient) -> None:
    unnamed = keeper(client)
    large = answered(client, unnamed)["content"]
    assert answered(client, unnamed, model_name="gemini-2.5-pro")["content"] == large
    small = answered(client, unnamed, model_name="gpt-4.1-mini")["content"]
    assert (large.count("bees"), small.count("bees")) == (3, 1)
    assert large.startswith(small)
    of_the_assistant = keeper(client, llm_model_name="gpt-4.1-mini")
    assert answered(client, of_the_assistant)["content"] == small
    assert answered(client, of_the_assistant, model_name="gpt-4.1")["content"] == large


def test_thinking_and_system_prompts_cost_tokens(client: StandinClient) -> None:
    assistant_id = keeper(client)
    plain = answered(client, assistant_id)
    thinking = answered(client, assistant_id, thinking='{"budget_tokens": 2000}')
    assert thinking["content"] == plain["content"]
    assert thinking["output_tokens"] - plain["output_tokens"] == 1000
    assert thinking["input_tokens"] == plain["input_tokens"]
    prompted = answered(client, assistant_id, system_prompt="x" * 40)
    assert prompted["input_tokens"] - plain["input_tokens"] == 10
    of_the_assistant = answered(client, keeper(client, system_prompt="x" * 80))
    assert of_the_assistant["input_tokens"] - plain["input_tokens"] == 20


@pytest.mark.parametrize(
    ("mode", "reads", "writes"),
    [("off", 0, 0), ("Readonly", 1, 0), ("Auto", 1, 1), ("On", 1, 1)],
)
def test_memory_modes_of_questions(
    client: StandinClient, remembering: str, mode: str, reads: int, writes: int
) -> None:
    before = remembered(client, remembering)
    ended = client.ask(client.thread(remembering), "When did Caroline find support?", memory=mode)[
        -1
    ]
    assert len(ended["retrieved_memories"]) == reads
    after = remembered(client, remembering)
    assert after[: len(before)] == before
    assert len(after) == len(before) + writes
    assert (ended["memory_operation_id"] is not None) is bool(writes)
    assert all(not one["memory"].endswith("support?") for one in ended["retrieved_memories"])


@pytest.mark.parametrize("as_form", [True, False])
def test_the_newer_form_takes_a_thread(
    client: StandinClient, assistant_id: str, as_form: bool
) -> None:
    thread_id = client.thread(assistant_id)
    form: dict[str, Any] = turn_form("Ada: I keep bees.") | {"thread_id": thread_id}
    body = form | {
        "stream": False,
        "send_to_llm": False,
        "metadata": {"custom_timestamp": "2023-05-08T13:56:00Z"},
    }
    sent = {"data": form} if as_form else {"json": body}
    answer = client.http.post("/threads/messages", **sent).raise_for_status().json()  # type: ignore[arg-type]  # one of the two
    assert set(answer) == {"messages", "context_usage"}
    (saved,) = answer["messages"]
    assert saved["content"] == "Ada: I keep bees."
    assert saved["memory_operation_id"]
    assert remembered(client, assistant_id) == ["[8 May 2023] Ada: I keep bees."]


def test_the_newer_form_makes_a_thread_and_answers(client: StandinClient, remembering: str) -> None:
    asked, replied = client.post(
        "/threads/messages", assistant_id=remembering, content=QUESTION, memory="Readonly"
    )["messages"]
    assert (asked["role"], replied["role"]) == ("user", "assistant")
    assert replied["content"].startswith("7 May 2023")
    assert client.contents(replied["thread_id"]) == [QUESTION, replied["content"]]


def test_the_newer_form_streams(client: StandinClient, remembering: str) -> None:
    body = {"assistant_id": remembering, "content": QUESTION, "memory": "Readonly", "stream": True}
    got = events(client.http.post("/threads/messages", json=body).content)
    assert got[-1]["type"] == "run_ended"
    assert client.contents(got[-1]["thread_id"])[0] == QUESTION


def test_a_multipart_form_is_a_form(client: StandinClient, assistant_id: str) -> None:
    thread_id = client.thread(assistant_id)
    parts = {name: (None, value) for name, value in turn_form("Ada: I keep bees.").items()}
    response = client.http.post(f"/threads/{thread_id}/messages", files=parts)
    assert response.raise_for_status().json()["memory_operation_id"]
    assert client.contents(thread_id) == ["Ada: I keep bees."]


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"content": ""}, "content"),
        ({"memory": "sometimes"}, "memory"),
        ({"memory": "", "memory_pro": "On"}, "memory_pro"),
        ({"memory": "Auto", "memory_pro": "Auto"}, "combined"),
        ({"memory": "off", "memory_pro": "Readonly"}, "combined"),
        ({"stream": "perhaps"}, "stream"),
        ({"send_to_llm": "1"}, "send_to_llm"),
        ({"metadata": "{"}, "metadata"),
        ({"metadata": "[1]"}, "metadata"),
        ({"thinking": "high"}, "thinking"),
        ({"thinking": "[1]"}, "thinking"),
        ({"openrouter": '"price"'}, "openrouter"),
        ({"metadata": json.dumps({"custom_timestamp": "8 May"})}, "custom_timestamp"),
        ({"metadata": json.dumps({"custom_timestamp": 7})}, "custom_timestamp"),
    ],
)
def test_bad_messages_save_nothing(
    client: StandinClient, assistant_id: str, wrong: dict[str, str], named: str
) -> None:
    thread_id = client.thread(assistant_id)
    form = turn_form("Ada: x") | wrong
    response = client.http.post(f"/threads/{thread_id}/messages", data=form)
    assert response.status_code == 422
    assert named in response.json()["detail"]
    assert client.contents(thread_id) == []


def test_the_newer_form_must_name_what_exists(client: StandinClient, assistant_id: str) -> None:
    thread_id = client.thread(assistant_id)
    for body, status in (
        ({"thread_id": thread_id, "assistant_id": client.assistant()}, 422),
        ({"thread_id": "nowhere"}, 404),
        ({"assistant_id": "nobody"}, 404),
    ):
        response = client.http.post("/threads/messages", json={"content": "x", **body})
        assert response.status_code == status, body
        assert set(response.json()) == {"detail"}
    assert client.contents(thread_id) == []


def test_a_failed_run_streams_run_failed_and_leaves_no_answer(tmp_path: Path) -> None:
    with standin_client(tmp_path, run_failed_share=1.0) as client:
        thread_id = client.thread(client.assistant())
        kinds = [event["type"] for event in client.ask(thread_id, QUESTION)]
        assert kinds == ["memory_retrieved", "run_failed"]
        form = question_form(QUESTION) | {"stream": "false"}
        flat = client.http.post(f"/threads/{thread_id}/messages", data=form).json()
        assert (flat["status"], flat["content"]) == ("FAILED", "")
        assert client.contents(thread_id) == [QUESTION, QUESTION]


def test_a_wordless_run_ends_well_and_leaves_an_empty_answer(tmp_path: Path) -> None:
    with standin_client(tmp_path, wordless_share=1.0) as client:
        thread_id = client.thread(client.assistant())
        *events, ended = client.ask(thread_id, QUESTION)
        assert "".join(event.get("content", "") for event in events) == ""
        assert (ended["type"], ended["status"]) == ("run_ended", "completed")
        assert client.contents(thread_id) == [QUESTION, ""]


def test_turns_never_fail_as_runs_do(tmp_path: Path) -> None:
    with standin_client(tmp_path, run_failed_share=1.0, cut_stream_share=1.0) as client:
        thread_id = client.thread(client.assistant())
        assert client.turn(thread_id, "Ada: x")["status"] == "COMPLETED"
