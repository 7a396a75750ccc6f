"""The service's options: what is sent, what is part of an identity, what a series is called."""

import hashlib
import json
from dataclasses import fields, replace
from typing import Any
from urllib.parse import parse_qs

import pytest

from locomo_assets.backboard.answers import AskProtocol
from locomo_assets.backboard.ingest import IngestProtocol
from locomo_assets.backboard.options import PUBLISHED, ServiceOptions
from locomo_assets.backboard.protocols import MEMORY_MODES, protocol_name
from locomo_assets_tests.backboard.test_client import STAMP, client_of

EVERY: dict[str, Any] = {
    "memory": "pro",
    "thinking": "low",
    "embedding_provider": "openai",
    "embedding_model": "text-embedding-3-large",
    "embedding_dims": 3072,
    "tok_k": 20,
    "extraction_prompt": "Extract each fact.",
    "update_prompt": "Keep the newest fact.",
    "system_prompt": "You remember.",
    "openrouter": '{"order": ["google"]}',
}
OF_ANSWERS = {"thinking", "openrouter"}
SAVED = {"message_id": "m1", "status": "COMPLETED"}


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def test_every_option_is_tried_here() -> None:
    assert set(EVERY) == {field.name for field in fields(ServiceOptions)}


def test_what_is_not_set_is_in_no_identity() -> None:
    """Otherwise all that was measured before there were options would be paid for again."""
    assert IngestProtocol().canonical() == {
        "kind": "ingest",
        "version": 1,
        "name": "published",
        "memory_wait": "turn",
        "memory_time_out_s": 10.0,
        "memory": "Auto",
        "llm_provider": "google",
        "llm_model": "gemini-2.5-pro",
        "description": "You are a conversation memory assistant.",
    }
    assert AskProtocol().canonical() == {
        "kind": "ask",
        "version": 1,
        "name": "isolated",
        "memory_mode": "Readonly",
        "llm_provider": "google",
        "llm_model": "gemini-2.5-pro",
    }
    assert (AskProtocol().label(), IngestProtocol().label()) == ("isolated", "published")
    assert (AskProtocol().options_json(), IngestProtocol().options_json()) == (None, None)


@pytest.mark.parametrize("name", EVERY)
def test_each_option_makes_another_series_and_identity(name: str) -> None:
    options = replace(PUBLISHED, **{name: EVERY[name]})
    ingestion, asking = IngestProtocol(options=options), AskProtocol(options=options)
    assert asking.label() != "isolated"
    assert protocol_name(asking.label()) == "isolated"
    changes = (
        ingestion.canonical() != IngestProtocol().canonical(),
        asking.canonical() != AskProtocol().canonical(),
    )
    # An answer's identity has its ingestion in it.
    assert changes == (name not in OF_ANSWERS, name in OF_ANSWERS)
    assert (ingestion.label() != "published") == (name not in OF_ANSWERS)
    assert json.loads(asking.options_json() or "")


def test_a_prompt_is_named_and_stored_by_its_hash() -> None:
    options = ServiceOptions(extraction_prompt="Extract each fact.")
    protocol = AskProtocol(options=options)
    assert protocol.label() == f"isolated, extraction prompt {_sha256('Extract each fact.')[:8]}"
    stored = json.loads(protocol.options_json() or "")
    assert list(stored) == ["custom_fact_extraction_prompt"]
    assert stored["custom_fact_extraction_prompt"] == _sha256("Extract each fact.")


def test_a_series_is_called_by_all_that_is_set() -> None:
    assert AskProtocol(options=ServiceOptions(**EVERY)).label() == (
        "isolated, memory pro, embedding openai text-embedding-3-large 3072, tok_k 20, "
        "system prompt 0d264f9e, extraction prompt e535385e, update prompt 3c49eae9, "
        "thinking low, openrouter 8b47bc08"
    )


async def test_an_assistant_and_its_messages_as_they_are_sent() -> None:
    options = ServiceOptions(**EVERY)
    client, service = client_of(
        {"POST /assistants": {"assistant_id": "a1"}, "POST /threads/t1/messages": SAVED}
    )
    async with client:
        await client.create_assistant("n", description="d", options=options)
        await client.add_message("t1", "x", memory="Auto", custom_timestamp=STAMP, options=options)
    assistant = json.loads(service.requests[0].content)
    assert assistant == {
        "name": "n",
        "description": "d",
        "tools": [],
        "embedding_provider": "openai",
        "embedding_model_name": "text-embedding-3-large",
        "embedding_dims": 3072,
        "tok_k": 20,
        "system_prompt": "You remember.",
        "custom_fact_extraction_prompt": "Extract each fact.",
        "custom_update_memory_prompt": "Keep the newest fact.",
    }
    form = parse_qs(service.requests[1].content.decode())
    assert form["memory_pro"] == ["Auto"]
    assert not {"memory", "thinking", "openrouter"} & set(form)


@pytest.mark.parametrize(
    ("thinking", "sent"), [("high", {"effort": "high"}), ("2000", {"budget_tokens": 2000})]
)
def test_a_question_as_it_is_sent(thinking: str, sent: object) -> None:
    fields_sent = ServiceOptions(thinking=thinking, openrouter='{"order": ["x"]}').question_fields()
    assert json.loads(fields_sent.pop("thinking")) == sent
    assert fields_sent == {"openrouter": '{"order": ["x"]}'}


@pytest.mark.parametrize("mode", sorted(set(MEMORY_MODES.values())))
@pytest.mark.parametrize("memory", ["lite", "pro"])
def test_the_two_memories_are_never_combined(memory: Any, mode: str) -> None:
    field = ServiceOptions(memory=memory).memory_field(mode)
    assert field == {"memory_pro" if memory == "pro" and mode != "off" else "memory": mode}


def test_where_memory_is_off_its_options_are_none() -> None:
    assert ServiceOptions(**EVERY).without_memory().words() == (
        "system prompt 0d264f9e",
        "thinking low",
        "openrouter 8b47bc08",
    )
