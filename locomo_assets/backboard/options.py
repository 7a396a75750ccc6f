"""The service's options: what requests say of them, and what they make of an identity.

An option that is not set is not sent, so that the service decides as in the published measurement,
and is no part of an identity. Source: Backboard's API documents and its Python SDK 1.5.19.
"""

import hashlib
import json
from dataclasses import dataclass, replace
from typing import Any

from locomo_assets.backboard.protocols import MemoryKind

_SHOWN_DIGITS = 8


@dataclass(frozen=True, slots=True)
class ServiceOptions:
    """Options of an assistant and of its messages; the three prompts are texts.

    `memory`: Memory Lite or Memory Pro, which can't be combined. `thinking`: `low`, `medium`,
    `high`, or a number of tokens. `openrouter`: a JSON object.
    """

    memory: MemoryKind = "lite"
    thinking: str | None = None
    embedding_provider: str | None = None
    embedding_model: str | None = None
    embedding_dims: int | None = None
    tok_k: int | None = None
    extraction_prompt: str | None = None
    update_prompt: str | None = None
    system_prompt: str | None = None
    openrouter: str | None = None

    def memory_field(self, mode: str) -> dict[str, str]:
        """A message's field for a memory mode; `off` is said of Memory Lite alone."""
        is_pro = self.memory == "pro" and mode != "off"
        return {"memory_pro" if is_pro else "memory": mode}

    def without_memory(self) -> "ServiceOptions":
        """Those that matter where memory is off."""
        return ServiceOptions(
            thinking=self.thinking, system_prompt=self.system_prompt, openrouter=self.openrouter
        )

    def of_assistant(self) -> "ServiceOptions":
        """Those that an ingestion depends on."""
        return replace(self, thinking=None, openrouter=None)

    def assistant_fields(self) -> dict[str, Any]:
        """What `POST /assistants` is given besides name, description and model."""
        fields: dict[str, Any] = {
            "embedding_provider": self.embedding_provider,
            "embedding_model_name": self.embedding_model,
            "embedding_dims": self.embedding_dims,
            "tok_k": self.tok_k,
            "system_prompt": self.system_prompt,
            "custom_fact_extraction_prompt": self.extraction_prompt,
            "custom_update_memory_prompt": self.update_prompt,
        }
        return {name: value for name, value in fields.items() if value is not None}

    def question_fields(self) -> dict[str, str]:
        """What a question's message is given besides its text, memory and model."""
        fields = {"openrouter": self.openrouter}
        if self.thinking is not None:
            is_number = self.thinking.isdigit()
            fields["thinking"] = json.dumps(
                {"budget_tokens": int(self.thinking)} if is_number else {"effort": self.thinking}
            )
        return {name: value for name, value in fields.items() if value is not None}

    def of_ingestion(self) -> dict[str, str | int]:
        """What an ingestion depends on: all that is set, prompts by their SHA-256."""
        fields = self.assistant_fields()
        hashed = {name: _sha256(fields[name]) for name in _PROMPTS if name in fields}
        kind = {"memory": self.memory} if self.memory != "lite" else {}
        return {**kind, **fields, **hashed}

    def of_answers(self) -> dict[str, str | int]:
        """What an answer depends on besides the ingestion that it rests on."""
        given = {"thinking": self.thinking, "openrouter": self.openrouter}
        return {name: value for name, value in given.items() if value is not None}

    def words(self) -> tuple[str, ...]:
        """What is set, for people: part of a series' name."""
        told = self.of_ingestion()
        parts = [told.pop(name, None) for name in _EMBEDDING]
        embedding = " ".join(str(part) for part in parts if part is not None)
        words = [f"memory {self.memory}"] if told.pop("memory", None) else []
        words += [f"embedding {embedding}"] if embedding else []
        for name, value in {**told, **self.of_answers()}.items():
            is_hash = name in _PROMPTS
            shown = str(value)[:_SHOWN_DIGITS] if is_hash else _pinned(name, value)
            words.append(f"{_PROMPTS.get(name, name)} {shown}")
        return tuple(words)


PUBLISHED = ServiceOptions()
"""The published measurement's: none is set."""

_EMBEDDING = ("embedding_provider", "embedding_model_name", "embedding_dims")
_PROMPTS = {
    "system_prompt": "system prompt",
    "custom_fact_extraction_prompt": "extraction prompt",
    "custom_update_memory_prompt": "update prompt",
}


def _pinned(name: str, value: str | int) -> str:
    # A JSON object would not fit a name.
    return _sha256(str(value))[:_SHOWN_DIGITS] if name == "openrouter" else str(value)


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
