"""One chat completion of a model: its text, or why it has none.

What is asked for is in `parameters`; requests that fail are in `failures`.
"""

from dataclasses import dataclass, field
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ValidationError

from locomo_assets.completions.asker import Asker
from locomo_assets.completions.server_errors import (
    HOLDERS,
    read_error,
)
from locomo_assets.http.calls import whole_number

_Count = Annotated[int | None, BeforeValidator(whole_number)]


class Usage(BaseModel):
    """Tokens; None if the server does not count, or counts nonsense."""

    prompt_tokens: _Count = None
    completion_tokens: _Count = None


class _Message(BaseModel):
    content: Any = None
    refusal: Any = None


class _Choice(BaseModel):
    message: _Message
    finish_reason: Any = None


class _Answer(BaseModel):
    """The fields we need. Compatible servers leave out many others."""

    choices: list[_Choice]


@dataclass(frozen=True, slots=True)
class Completion:
    """The model's `text`, or the `reason` why there is none; one of them is None.

    `model` is the one that the server names.
    """

    text: str | None
    reason: str | None = None
    usage: Usage = field(default_factory=Usage)
    model: str | None = None


def read_completion(body: object, limit: int | None, asker: Asker) -> Completion:
    """The model's text and its tokens, from parsed JSON. `limit` is what was sent. Never raises."""
    try:
        read = _Answer.model_validate(body)
    except ValidationError:
        is_told = isinstance(body, dict) and any(map(body.get, HOLDERS))
        words = read_error(body, 200).words if is_told else ""
        return Completion(None, ": ".join(filter(None, (NO_COMPLETION, words))))
    usage = body.get("usage") if isinstance(body, dict) else None
    counted = Usage.model_validate(usage if isinstance(usage, dict) else {})
    reason = _why_no_text(read, limit, asker)
    text = None if reason else _text_of(read.choices[0].message.content)
    if text is not None and not text.strip():
        text, reason = None, EMPTY
    model = body.get("model") if isinstance(body, dict) else None
    return Completion(text, reason, counted, model if isinstance(model, str) else None)


NO_COMPLETION = "the server's answer is not a chat completion"
EMPTY = "the reply is empty"


def cut_off(limit: int | None, asker: Asker) -> str:
    """Where the model's thinking, or its reply, needs more tokens than the limit."""
    hint = f"raise {asker.max_tokens}" if asker.max_tokens else f"choose another {asker.model}"
    at = "the model's own limit" if limit is None else f"{limit} tokens"
    return f"the reply was cut off at {at}; {hint}"


def _why_no_text(answer: _Answer, limit: int | None, asker: Asker) -> str | None:
    if not answer.choices:
        return "the server's answer holds no choice"
    choice = answer.choices[0]
    if choice.message.refusal:
        return f"the {asker.service} refused"
    if choice.finish_reason == "length":
        return cut_off(limit, asker)
    if choice.finish_reason == "content_filter":
        return "the reply was withheld by the content filter"
    return None


def _text_of(content: object) -> str:
    """A text, or the texts of its parts; parts that hold the model's thinking are left out."""
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else [content]
    texts = [part.get("text") if isinstance(part, dict) else part for part in parts]
    return "".join(text for text in texts if isinstance(text, str))
