"""What a configuration of the measurement is: the settings that change its numbers.

A variant in a ladder (docs/variants.md) sets any of these and nothing else. Whatever is unset is
as the published measurement had it. Keys, limits, places and schedules are in `Settings`.
"""

import json
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from locomo_assets.backboard.protocols import MemoryKind, ProtocolName
from locomo_assets.near_names import PREFIX

EFFORTS = ("low", "medium", "high")


class Configuration(BaseSettings):
    """Each variable is LOCOMO_ and the name in capitals, unless an alias is given."""

    model_config = SettingsConfigDict(
        alias_generator=lambda name: PREFIX + name.upper(),
        frozen=True,
        env_ignore_empty=True,
        extra="ignore",
        hide_input_in_errors=True,
    )

    question_protocol: ProtocolName = Field(
        default="isolated",
        description="`isolated`: a fresh thread a question, memory Readonly, concurrent; "
        "`published`: one thread, in order, memory Auto, on a clone of the ingested assistant; "
        "`retrieval`: memories are retrieved without a model, and LOCOMO_ANSWER_MODEL answers from "
        "them; `no-memory`, `evidence-only`, `full-context`: nothing ingested, memory off, the "
        "question alone, with its evidence turns, or (costs about 23,000 tokens a question) with "
        "the whole conversation",
    )
    memory_wait: Literal["turn", "conversation"] = Field(
        default="turn",
        description="Wait for a turn's memory operation before the next turn (`turn`, as "
        "published) or for all of them at the end (`conversation`)",
    )
    llm_provider: str = Field(
        default="google", description="Provider of the model that answers inside the memory service"
    )
    llm_model: str = Field(
        default="gemini-2.5-pro", description="The model that answers inside the memory service"
    )
    ingest_llm_provider: str | None = Field(
        default=None,
        description="Provider of the model with which the conversations are ingested; default: "
        "LOCOMO_LLM_PROVIDER",
    )
    ingest_llm_model: str | None = Field(
        default=None,
        description="The model with which the conversations are ingested: name it to ask another "
        "model about the same memories; default: LOCOMO_LLM_MODEL",
    )
    memory: MemoryKind = Field(
        default="lite",
        description="Which memory of the service is measured, in ingestion and questions: `lite`, "
        "as published, or `pro` (dearer)",
    )
    thinking: str | None = Field(
        default=None,
        description="How much the answering model thinks: `low`, `medium`, `high`, or a number of "
        "tokens; default: as the service does",
    )
    embedding_provider: str | None = Field(
        default=None, description="Provider of the embedding model; default: the service's"
    )
    embedding_model: str | None = Field(
        default=None, description="Model that embeds the memories; default: the service's"
    )
    embedding_dims: int | None = Field(
        default=None, ge=1, description="Dimensions of the embedding; default: the service's"
    )
    tok_k: int | None = Field(
        default=None,
        ge=1,
        le=100,
        description="Memories that the service retrieves for a question, 1 to 100; default: the "
        "service's",
    )
    extraction_prompt: Path | None = Field(
        default=None,
        description="A file with the prompt that extracts memories; default: the service's",
    )
    update_prompt: Path | None = Field(
        default=None,
        description="A file with the prompt that updates memories; default: the service's",
    )
    system_prompt: Path | None = Field(
        default=None, description="A file with the assistant's system prompt; default: none"
    )
    openrouter: str | None = Field(
        default=None,
        description="JSON object that pins OpenRouter's upstream provider, passed on as it is",
    )
    retrieval: Literal["search", "message"] = Field(
        default="search",
        description="With `retrieval`: memories come from `/memories/search`, or from a `message` "
        "that is sent with memory Readonly and no model",
    )
    retrieval_k: int = Field(
        default=20,
        ge=1,
        le=50,
        description="With `retrieval`: how many of the retrieved memories, 1 to 50, the answering "
        "model is given; a search retrieves 50 whatever it is",
    )
    answer_model: str = Field(
        default="gpt-4.1-mini",
        description="With `retrieval`: the model that answers, at temperature 0",
    )
    answer_prompt: str = Field(
        default="plain",
        description="With `retrieval`: the answering model's prompt, `plain` or the path of a file",
    )
    answer_base_url: str | None = Field(
        default=None,
        description="With `retrieval`: where an OpenAI-compatible model answers; default: OpenAI",
    )
    judge_model: str = Field(default="gpt-4.1", description="The judge's model")
    judge_prompt: str = Field(
        default="generous", description="`generous`, `strict`, or the path of a prompt file"
    )
    judge_max_tokens: int | None = Field(
        default=None,
        ge=1,
        description="The most tokens of a verdict, the model's thinking included; default: 300 as "
        "published, 4000 for models that want `max_completion_tokens`",
    )
    judge_votes: int = Field(
        default=1,
        ge=1,
        description="Votes of the model on each answer, odd: over half decide; each is paid for",
    )
    openai_base_url: str | None = Field(
        default=None,
        validation_alias="OPENAI_BASE_URL",
        description="Where an OpenAI-compatible judge answers; default: OpenAI",
    )

    @field_validator("judge_votes", mode="after")
    @classmethod
    def _odd(cls, value: int) -> int:
        if value % 2 == 0:
            raise ValueError(f"{value} votes can be a tie; take an odd number")
        return value

    @field_validator("thinking", mode="after")
    @classmethod
    def _effort_or_tokens(cls, value: str | None) -> str | None:
        if value is None or value in EFFORTS or (value.isascii() and value.isdigit()):
            return value
        raise ValueError(f"choose {', '.join(EFFORTS)}, or a number of tokens")

    @field_validator("openrouter", mode="after")
    @classmethod
    def _json_object(cls, value: str | None) -> str | None:
        if value is None:
            return None
        try:
            told: Any = json.loads(value)
        except (ValueError, RecursionError):
            told = None
        if not isinstance(told, dict):
            raise ValueError('give a JSON object, such as {"order": ["google"]}')
        return json.dumps(told, sort_keys=True)
