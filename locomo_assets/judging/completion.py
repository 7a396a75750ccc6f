"""What a judge's model is asked, and what it answers: one chat completion.

Here: the request's body and the answer's reading, the same for a request of its own and for one in
a batch. The reply inside is `verdict`'s to read.

Parameters and messages are those of the published result: temperature 0.1, at most 300 tokens, a
JSON object.
"""

from typing import Any

from pydantic import BaseModel, ValidationError

from locomo_assets.judging.verdict import Reply, Verdict, parse_reply

SYSTEM_MESSAGE = (
    "You are evaluating conversational AI memory recall. "
    "Return JSON only with the format requested."
)
TEMPERATURE = 0.1
MAX_TOKENS = 300

PARAMETERS: dict[str, object] = {
    "temperature": TEMPERATURE,
    "max_tokens": MAX_TOKENS,
    "response_format": "json_object",
    "system_message": SYSTEM_MESSAGE,
}
"""What a judge's identity says of them."""


class Usage(BaseModel):
    """Tokens; None where the server does not count."""

    prompt_tokens: int | None = None
    completion_tokens: int | None = None


class _Message(BaseModel):
    content: str | None = None
    refusal: str | None = None


class _Choice(BaseModel):
    message: _Message
    finish_reason: str | None = None


class _Answer(BaseModel):
    """What is needed of a chat completion; compatible servers leave out much of the rest."""

    choices: list[_Choice]
    usage: Usage | None = None


def request_body(model: str, message: str) -> dict[str, Any]:
    """The body of `POST /chat/completions`."""
    return {
        "model": model,
        "temperature": TEMPERATURE,
        "max_tokens": MAX_TOKENS,
        "response_format": {"type": "json_object"},
        "messages": [
            {"role": "system", "content": SYSTEM_MESSAGE},
            {"role": "user", "content": message},
        ],
    }


def read_completion(answer: bytes | object) -> tuple[Reply, Usage]:
    """The reply and its tokens, of JSON or of what it was read into. Never raises."""
    try:
        read = (
            _Answer.model_validate_json(answer)
            if isinstance(answer, bytes)
            else _Answer.model_validate(answer)
        )
    except ValidationError:
        return failed("the server's answer is not a chat completion"), Usage()
    return _reply(read), read.usage or Usage()


def failed(reason: str) -> Reply:
    """No reply, and why."""
    return Reply(Verdict.UNSCORED, None, reason)


def _reply(answer: _Answer) -> Reply:
    if not answer.choices:
        return failed("the server's answer holds no choice")
    choice = answer.choices[0]
    if choice.message.refusal:
        return failed("the judge refused")
    if choice.finish_reason == "length":
        return failed(f"the reply was cut off at {MAX_TOKENS} tokens")
    if choice.finish_reason == "content_filter":
        return failed("the reply was withheld by the content filter")
    if not (choice.message.content or "").strip():
        return failed("the reply is empty")
    return parse_reply(choice.message.content or "")
