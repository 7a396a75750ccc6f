"""Backboard's own SDK against the stand-in, over a real socket.

What the SDK validates is a form that the service is known to have, so these tests hold the
stand-in to it: whatever it answers here, the SDK has read.
"""

import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import backboard
import pytest
from backboard.exceptions import (
    BackboardAPIError,
    BackboardNotFoundError,
    BackboardValidationError,
)

from locomo_assets.standin.server import BaseUrls, running_standin
from locomo_assets.standin.settings import DEFAULT_KEY, StandinSettings
from locomo_assets_tests.conftest import REPOSITORY

MAY = {"custom_timestamp": "2023-05-08T13:56:00Z"}
SAID = "Caroline: I went to the support group yesterday."
REMEMBERED = f"[8 May 2023] {SAID}"
QUESTION = "When did Caroline go to the support group?"
MODEL = "standin-extractive-1"


@pytest.fixture
async def sdk(urls: BaseUrls) -> AsyncIterator[Any]:
    async with backboard.BackboardClient(DEFAULT_KEY, base_url=urls.backboard) as client:
        yield client


@pytest.fixture
async def assistant_id(sdk: Any) -> Any:
    return (await sdk.create_assistant("Ann")).assistant_id


@pytest.fixture
async def thread_id(sdk: Any, assistant_id: Any) -> Any:
    return (await sdk.create_thread(assistant_id)).thread_id


@pytest.fixture
async def told(sdk: Any, assistant_id: Any, thread_id: Any) -> Any:
    """An assistant that was told one thing."""
    await sdk.add_message(thread_id, SAID, memory="Auto", send_to_llm="false", metadata=MAY)
    return assistant_id


async def events(stream: Any) -> list[dict[str, Any]]:
    return [event async for event in await stream]


async def contents(sdk: Any, assistant_id: Any) -> list[str]:
    return [one.content for one in (await sdk.get_memories(assistant_id)).memories]


# assistants and threads


async def test_an_assistant_is_made_found_changed_and_deleted(sdk: Any) -> None:
    name = f"Ann {uuid4()}"
    tool = {"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}
    made = await sdk.create_assistant(
        name,
        system_prompt="Be brief.",
        tools=[tool],
        tok_k=15,
        custom_fact_extraction_prompt="Facts.",
        custom_update_memory_prompt="Corrections.",
        embedding_provider="cohere",
        embedding_model_name="embed-english-v3.0",
        embedding_dims=1024,
    )
    assert (made.name, made.system_prompt, made.tok_k) == (name, "Be brief.", 15)
    assert (made.embedding_provider, made.embedding_dims) == ("cohere", 1024)
    assert made.tools[0].function.name == "look"
    assert await sdk.list_assistants(name=name) == [made]
    changed = await sdk.update_assistant(made.assistant_id, system_prompt="Be kind.")
    assert changed == made.model_copy(update={"system_prompt": "Be kind."})
    assert await sdk.get_assistant(made.assistant_id) == changed
    assert (await sdk.delete_assistant(made.assistant_id))["assistant_id"] == str(made.assistant_id)
    with pytest.raises(BackboardNotFoundError, match="Assistant not found"):
        await sdk.get_assistant(made.assistant_id)


async def test_a_clone_has_the_memories_or_not(sdk: Any, told: Any) -> None:
    cloned = await sdk.clone_assistant(told)
    assert (cloned.memories_cloned, cloned.documents_cloned) == (1, 0)
    assert cloned.assistant.name == "Ann Copy"
    assert await contents(sdk, cloned.assistant.assistant_id) == [REMEMBERED]
    bare = await sdk.clone_assistant(told, name="bare", system_prompt="No.", copy_memories=False)
    assert (bare.memories_cloned, bare.assistant.name) == (0, "bare")
    assert bare.assistant.system_prompt == "No."


async def test_threads_are_listed_read_and_deleted(sdk: Any, assistant_id: Any) -> None:
    other = await sdk.create_thread((await sdk.create_assistant("Bob")).assistant_id)
    one, two = [await sdk.create_thread(assistant_id) for _ in range(2)]
    await sdk.add_message(two.thread_id, SAID, send_to_llm="false", metadata=MAY)
    mine = await sdk.list_threads_for_assistant(assistant_id)
    assert [thread.thread_id for thread in mine] == [one.thread_id, two.thread_id]
    listed = [thread.thread_id for thread in await sdk.list_threads(limit=200)]
    assert listed[-3:] == [other.thread_id, one.thread_id, two.thread_id]
    assert len(await sdk.list_threads(skip=len(listed) - 1)) == 1
    read = await sdk.get_thread(two.thread_id)
    (message,) = read.messages
    assert (message.content, message.role, message.metadata_) == (SAID, "user", MAY)
    assert read == mine[1]
    assert (await sdk.delete_thread(two.thread_id))["thread_id"] == str(two.thread_id)
    assert await sdk.list_threads_for_assistant(assistant_id) == [one]
    with pytest.raises(BackboardNotFoundError, match="Thread not found"):
        await sdk.get_thread(two.thread_id)


# messages: the SDK sends a form, and JSON where an option is an object

FORM_OR_JSON = pytest.mark.parametrize(
    "options",
    [{}, {"thinking": {"effort": "low"}, "openrouter": {"sort": "price"}}],
    ids=["form", "json"],
)


@FORM_OR_JSON
async def test_a_turn_is_saved_and_its_operation_ends(
    sdk: Any, assistant_id: Any, thread_id: Any, options: dict[str, Any]
) -> None:
    saved = await sdk.add_message(
        thread_id, SAID, memory="Auto", send_to_llm="false", metadata=MAY, **options
    )
    (message,) = saved.messages
    assert backboard.MessageResponse.model_validate(message).content == SAID
    assert (saved.thread_id, saved.assistant_id) == (str(thread_id), str(assistant_id))
    operation = await sdk.get_memory_operation_status(message["memory_operation_id"])
    assert (operation.status, operation.result_count) == ("COMPLETED", 1)
    (memory_id,) = operation.memory_ids
    assert (await sdk.get_memory(assistant_id, memory_id)).content == REMEMBERED


@FORM_OR_JSON
async def test_a_question_is_answered(
    sdk: Any, told: Any, thread_id: Any, options: dict[str, Any]
) -> None:
    answered = await sdk.add_message(thread_id, QUESTION, memory="Readonly", **options)
    assert answered.content.startswith("7 May 2023")
    assert (answered.status, answered.tool_calls) == ("COMPLETED", None)
    read = backboard.MessageResponse.model_validate(answered.messages[-1])
    assert [one["memory"] for one in read.retrieved_memories] == [REMEMBERED]
    assert (read.run_id, read.model_name) == (answered.run_id, MODEL)
    usage = answered.context_usage
    assert (usage.used_tokens, usage.model) == (read.total_tokens, MODEL)
    assert usage.used_tokens < usage.context_limit
    assert await contents(sdk, told) == [REMEMBERED]


@FORM_OR_JSON
async def test_a_question_is_streamed(
    sdk: Any, told: Any, thread_id: Any, options: dict[str, Any]
) -> None:
    """The SDK raises for a run that ends with another status than "completed"."""
    got = await events(
        sdk.add_message(thread_id, QUESTION, stream=True, memory="Readonly", **options)
    )
    retrieved, *pieces, ended = got
    assert [one["memory"] for one in retrieved["memories"]] == [REMEMBERED]
    assert "".join(piece["content"] for piece in pieces).startswith("7 May 2023")
    assert (ended["type"], ended["status"]) == ("run_ended", "completed")
    assert (ended["thread_id"], ended["assistant_id"]) == (str(thread_id), str(told))
    assert ended["retrieved_memories"] == retrieved["memories"]


async def test_a_streamed_turn_ends_with_message_saved(sdk: Any, thread_id: Any) -> None:
    (saved,) = await events(
        sdk.add_message(thread_id, SAID, stream=True, memory="Auto", send_to_llm="false")
    )
    assert (saved["type"], saved["content"]) == ("message_saved", SAID)
    assert saved["memory_operation_id"]


async def test_a_failed_run_raises(tmp_path: Path) -> None:
    settings = StandinSettings(run_failed_share=1.0)
    with running_standin(settings, tmp_path / "state.sqlite") as urls:
        async with backboard.BackboardClient(DEFAULT_KEY, base_url=urls.backboard) as sdk:
            with pytest.raises(BackboardAPIError, match="The run failed"):
                await events(sdk.send_message(QUESTION, stream=True))
            assert (await sdk.send_message(QUESTION)).status == "FAILED"


async def test_a_message_without_thread_and_assistant_makes_both(sdk: Any) -> None:
    first = await sdk.send_message(SAID, memory="Auto", send_to_llm="false", metadata=MAY)
    thread = await sdk.get_thread(first.thread_id)
    assert [message.content for message in thread.messages] == [SAID]
    (listed,) = await sdk.list_threads_for_assistant(first.assistant_id)
    assert listed == thread
    again = await sdk.send_message(QUESTION, thread_id=first.thread_id, memory="Readonly")
    assert again.content.startswith("7 May 2023")
    assert (again.thread_id, again.assistant_id) == (first.thread_id, first.assistant_id)
    elsewhere = await sdk.send_message(
        QUESTION, assistant_id=first.assistant_id, memory="Readonly", system_prompt="Be brief."
    )
    assert elsewhere.content == again.content
    assert elsewhere.thread_id != first.thread_id
    stranger = await sdk.send_message(QUESTION, memory="Readonly")
    assert stranger.assistant_id != first.assistant_id
    assert stranger.content.startswith("I don't know")


async def test_a_streamed_message_makes_and_names_both(sdk: Any) -> None:
    ended = (await events(sdk.send_message(QUESTION, stream=True)))[-1]
    (thread,) = await sdk.list_threads_for_assistant(ended["assistant_id"])
    assert str(thread.thread_id) == ended["thread_id"]


@pytest.mark.parametrize("option", ["memory", "memory_pro"])
async def test_either_memory_reads_and_writes(
    sdk: Any, told: Any, thread_id: Any, option: str
) -> None:
    asked = await sdk.add_message(thread_id, QUESTION, **{option: "Readonly"})
    assert asked.content.startswith("7 May 2023")
    assert await contents(sdk, told) == [REMEMBERED]
    await sdk.add_message(thread_id, "Ada: I keep bees.", **{option: "Auto"}, send_to_llm="false")
    assert len(await contents(sdk, told)) == 2


@FORM_OR_JSON
async def test_memory_and_memory_pro_together_are_refused(
    sdk: Any, told: Any, thread_id: Any, options: dict[str, Any]
) -> None:
    both = {"memory": "Auto", "memory_pro": "Auto"}
    for send in (
        sdk.add_message(thread_id, "Ada: no", **both, **options),
        sdk.send_message("Ada: no", assistant_id=told, **both),
    ):
        with pytest.raises(BackboardAPIError, match="cannot be combined") as raised:
            await send
        assert raised.value.status_code == 422
    with pytest.raises(BackboardAPIError, match="422"):  # the SDK reads no body of a refused stream
        await events(sdk.add_message(thread_id, "Ada: no", stream=True, **both, **options))
    assert len(await sdk.list_threads_for_assistant(told)) == 1
    assert len((await sdk.get_thread(thread_id)).messages) == 1


@FORM_OR_JSON
@pytest.mark.parametrize("option", ["memory", "memory_pro"])
async def test_readonly_without_an_answer_retrieves(
    sdk: Any, told: Any, option: str, options: dict[str, Any]
) -> None:
    thread_id = (await sdk.create_thread(told)).thread_id
    asked = {"send_to_llm": "false", option: "Readonly", **options}
    (saved,) = (await sdk.add_message(thread_id, QUESTION, **asked)).messages
    assert [one["memory"] for one in saved["retrieved_memories"]] == [REMEMBERED]
    assert (saved["memory_operation_id"], saved["run_id"]) == (None, None)
    retrieved, streamed = await events(sdk.add_message(thread_id, QUESTION, stream=True, **asked))
    assert retrieved["memories"] == streamed["retrieved_memories"] == saved["retrieved_memories"]
    assert await contents(sdk, told) == [REMEMBERED]
    roles = [message.role for message in (await sdk.get_thread(thread_id)).messages]
    assert roles == ["user", "user"]


# runs


async def test_a_run_that_is_over_can_be_cancelled_again_and_again(
    sdk: Any, told: Any, thread_id: Any
) -> None:
    answered = await sdk.add_message(thread_id, QUESTION, memory="Readonly")
    before = await sdk.get_thread(thread_id)
    for _ in range(2):
        assert await sdk.cancel_run(thread_id, answered.run_id) == {
            "thread_id": str(thread_id),
            "run_id": answered.run_id,
            "cancelled": False,
        }
    assert await sdk.get_thread(thread_id) == before
    other = (await sdk.create_thread(told)).thread_id
    for of, run_id, what in (
        (other, answered.run_id, "Run"),
        (thread_id, answered.messages[-1]["message_id"], "Run"),
        (uuid4(), answered.run_id, "Thread"),
    ):
        with pytest.raises(BackboardNotFoundError, match=f"{what} not found"):
            await sdk.cancel_run(of, run_id)


async def test_tool_outputs_are_refused(sdk: Any, thread_id: Any) -> None:
    outputs = [{"tool_call_id": "call", "output": "1"}]
    for submit, arguments in (
        (sdk.submit_tool_outputs_simple, (thread_id, outputs)),
        (sdk.submit_tool_outputs, (thread_id, "run", outputs)),
    ):
        with pytest.raises(BackboardValidationError, match="the stand-in calls no tools"):
            await submit(*arguments)
        with pytest.raises(BackboardValidationError):  # the SDK reads no body of a refused stream
            await events(submit(*arguments, stream=True))
    with pytest.raises(BackboardNotFoundError, match="Thread not found"):
        await sdk.submit_tool_outputs_simple(uuid4(), outputs)


# memories


async def test_a_memory_is_written_read_changed_and_deleted(sdk: Any, told: Any) -> None:
    (formed,) = (await sdk.get_memories(told)).memories
    added = await sdk.add_memory(told, "Likes Python", metadata={"kind": "taste"})
    assert added["success"] is True
    memory_id = added["memory_id"]
    memory = await sdk.get_memory(told, memory_id)
    assert (memory.content, memory.metadata) == ("Likes Python", {"kind": "taste"})
    age = datetime.now(UTC) - datetime.fromisoformat(memory.created_at)
    assert timedelta(0) <= age < timedelta(minutes=1)
    listed = await sdk.get_memories(told)
    assert (listed.memories, listed.total_count) == ([formed, memory], 2)

    changed = await sdk.update_memory(told, memory_id, "Likes Rust")
    assert (changed.content, changed.metadata) == ("Likes Rust", {"kind": "taste"})
    assert changed.created_at == memory.created_at
    assert changed.updated_at is not None
    assert changed.updated_at > changed.created_at
    assert await sdk.get_memory(told, memory_id) == changed
    assert (await sdk.get_memory_stats(told)).last_updated == changed.updated_at
    again = await sdk.update_memory(told, memory_id, "Likes Go", metadata={"kind": "job"})
    assert again.metadata == {"kind": "job"}

    assert (await sdk.delete_memory(told, memory_id))["success"] is True
    for use in (
        sdk.get_memory(told, memory_id),
        sdk.update_memory(told, memory_id, "x"),
        sdk.delete_memory(told, memory_id),
        sdk.get_memory((await sdk.create_assistant("Bob")).assistant_id, formed.id),
    ):
        with pytest.raises(BackboardNotFoundError, match="Memory not found"):
            await use
    assert (await sdk.get_memories(told)).memories == [formed]


async def test_a_formed_memory_is_changed_and_keeps_where_it_was_said(sdk: Any, told: Any) -> None:
    (formed,) = (await sdk.get_memories(told)).memories
    changed = await sdk.update_memory(told, formed.id, "Caroline likes groups")
    assert changed.content == "Caroline likes groups"
    assert changed.metadata == formed.metadata
    assert await contents(sdk, told) == ["Caroline likes groups"]
    cloned = (await sdk.clone_assistant(told)).assistant.assistant_id
    assert await contents(sdk, cloned) == ["Caroline likes groups"]


async def test_answers_follow_every_change_of_the_memories(sdk: Any, assistant_id: Any) -> None:
    """The stand-in keeps an index of what it searches: the same number is not the same set."""

    async def found(query: str) -> list[str]:
        memories = (await sdk.search_memories(assistant_id, query, limit=50))["memories"]
        return [one["content"] for one in memories]

    added = await sdk.add_memory(assistant_id, "Ada: I keep bees.")
    assert await found("bees") == ["Ada: I keep bees."]
    await sdk.update_memory(assistant_id, added["memory_id"], "Ada: I keep hens.")
    assert await found("bees") == []
    assert await found("hens") == ["Ada: I keep hens."]
    await sdk.delete_memory(assistant_id, added["memory_id"])
    await sdk.add_memory(assistant_id, "Ada: I keep goats.")
    assert await found("bees hens goats") == ["Ada: I keep goats."]
    asked = await sdk.send_message(
        "What does Ada keep?", assistant_id=assistant_id, memory="Readonly"
    )
    assert asked.content == "Ada: I keep goats."


async def test_a_written_memory_is_dated_by_its_metadata(sdk: Any, assistant_id: Any) -> None:
    await sdk.add_memory(assistant_id, SAID, metadata=MAY)
    asked = await sdk.send_message(QUESTION, assistant_id=assistant_id, memory="Readonly")
    assert asked.content.startswith("7 May 2023")


async def test_memories_are_paged_counted_and_reset(sdk: Any, told: Any) -> None:
    for number in range(4):
        await sdk.add_memory(told, f"fact {number}")
    page = await sdk.get_memories(told, page=2, page_size=3)
    assert [one.content for one in page.memories] == ["fact 2", "fact 3"]
    assert (page.total_count, page.page, page.page_size, page.total_pages) == (5, 2, 3, 2)
    assert (await sdk.get_memories(told, page=1)).page_size == 25
    stats = await sdk.get_memory_stats(told)
    assert stats.total_memories == 5
    insights = await sdk.get_memory_insights(told)
    assert set(insights) == {"snapshot", "contentSignals", "breakdown", "operations"}
    assert insights["snapshot"]["total_memories"] == 5
    other = (await sdk.clone_assistant(told)).assistant.assistant_id
    assert (await sdk.reset_memories(told))["success"] is True
    assert (await sdk.get_memory_stats(told)).total_memories == 0
    assert (await sdk.search_memories(told, "fact"))["memories"] == []
    assert len(await contents(sdk, other)) == 5


async def test_memories_of_nobody(sdk: Any) -> None:
    for use in (
        sdk.add_memory(uuid4(), "x"),
        sdk.get_memories(uuid4()),
        sdk.get_memory(uuid4(), "x"),
        sdk.update_memory(uuid4(), "x", "y"),
        sdk.delete_memory(uuid4(), "x"),
        sdk.reset_memories(uuid4()),
        sdk.get_memory_stats(uuid4()),
        sdk.get_memory_insights(uuid4()),
        sdk.search_memories(uuid4(), "x"),
    ):
        with pytest.raises(BackboardNotFoundError, match="Assistant not found"):
            await use
    with pytest.raises(BackboardNotFoundError, match="Memory operation not found"):
        await sdk.get_memory_operation_status("none")


# models


async def test_the_catalogue_holds_the_stand_in_s_model_alone(sdk: Any) -> None:
    listed = await sdk.list_models()
    (model,) = listed.models
    assert (model.name, model.provider, listed.total) == (MODEL, "standin", 1)
    assert model.input_cost_per_1m_tokens == 0
    assert await sdk.get_model(MODEL.upper()) == model
    assert await sdk.list_models_by_provider("standin") == listed
    assert (await sdk.list_providers()).providers == ["standin"]
    for fits in ({"model_type": "llm"}, {"provider": "standin"}, {"min_context": 1000}):
        assert await sdk.list_models(**fits) == listed
    for none in (
        {"model_type": "embedding"},
        {"provider": "openai"},
        {"supports_tools": True},
        {"min_context": 10_000_000},
        {"max_context": 1000},
    ):
        found = await sdk.list_models(**none)
        assert (found.models, found.total) == ([], 0), none
    assert (await sdk.list_models(skip=1)).models == []
    for empty in (
        sdk.list_models_by_provider("openai"),
        sdk.list_embedding_models(),
        sdk.list_image_models(),
        sdk.list_video_models(),
    ):
        assert (await empty).models == []
    assert (await sdk.list_embedding_providers()).providers == []
    assert (await sdk.list_image_providers()).providers == []
    for unknown in (
        sdk.get_model("openrouter/auto"),
        sdk.get_embedding_model("embed-english-v3.0"),
        sdk.get_image_model("some/image"),
        sdk.get_video_model("some/video"),
    ):
        with pytest.raises(BackboardNotFoundError, match="Model not found"):
            await unknown


# what the stand-in does not have


def test_every_call_of_the_sdk_is_made_here_or_documented_as_missing() -> None:
    public = {name for name in vars(backboard.BackboardClient) if not name.startswith("_")}
    made = set(re.findall(r"\bsdk\.(\w+)", Path(__file__).read_text()))
    last = (REPOSITORY / "docs" / "standin.md").read_text().rstrip().rpartition("\n\n")[2]
    missing = set(re.findall(r"`(\w+)`", last))
    assert public - made - missing == {"aclose"}
    assert missing <= public


async def test_a_wrong_key_and_missing_calls_are_errors(sdk: Any, urls: BaseUrls) -> None:
    async with backboard.BackboardClient("wrong", base_url=urls.backboard) as stranger:
        with pytest.raises(BackboardAPIError, match="API key") as raised:
            await stranger.list_threads()
        assert raised.value.status_code == 401
    with pytest.raises(BackboardNotFoundError):
        await sdk.list_assistant_documents(uuid4())
