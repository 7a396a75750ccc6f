"""One chat completion of a judge's model: its request, its answer, and its failures.

The parameters are those of the published result.
"""

from typing import Any

import httpx2
import openai
from pydantic import BaseModel, ValidationError

from locomo_assets.http.calls import explain_old_tls
from locomo_assets.judging.judge import JudgeError, Reply, parse_reply, unscored
from locomo_assets.redaction import hide_keys

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
"""The parameters as a judge's identity names them."""


class Usage(BaseModel):
    """Tokens; None if the server does not count."""

    prompt_tokens: int | None = None
    completion_tokens: int | None = None


class _Message(BaseModel):
    content: str | None = None
    refusal: str | None = None


class _Choice(BaseModel):
    message: _Message
    finish_reason: str | None = None


class _Answer(BaseModel):
    """The fields we need. Compatible servers leave out many others."""

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
    """The reply and its tokens, from JSON text or parsed JSON. Never raises."""
    try:
        read = (
            _Answer.model_validate_json(answer)
            if isinstance(answer, bytes)
            else _Answer.model_validate(answer)
        )
    except ValidationError:
        return unscored("the server's answer is not a chat completion"), Usage()
    return _reply(read), read.usage or Usage()


def _reply(answer: _Answer) -> Reply:
    if not answer.choices:
        return unscored("the server's answer holds no choice")
    choice = answer.choices[0]
    if choice.message.refusal:
        return unscored("the judge refused")
    if choice.finish_reason == "length":
        return unscored(f"the reply was cut off at {MAX_TOKENS} tokens")
    if choice.finish_reason == "content_filter":
        return unscored("the reply was withheld by the content filter")
    if not (choice.message.content or "").strip():
        return unscored("the reply is empty")
    return parse_reply(choice.message.content or "")


_REFUSED = (openai.AuthenticationError, openai.PermissionDeniedError)
_NOT_SENT = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.UnsupportedProtocol)


def raise_if_fatal(error: openai.APIError, host: str) -> None:
    """Raise JudgeError if every further call would fail as well."""
    if isinstance(error, _REFUSED):
        raise JudgeError(
            f"judge at {host}: the key is refused ({error.status_code}); check OPENAI_API_KEY and "
            "that it may read models and make chat completions"
        ) from None
    if isinstance(error, openai.APIConnectionError) and isinstance(error.__cause__, _NOT_SENT):
        raise JudgeError(
            f"judge at {host}: cannot be reached ({_cause_of_loss(error)}); check that it is up, "
            "OPENAI_BASE_URL and the network"
        ) from None


def is_retryable(error: openai.APIError) -> bool:
    """Whether the request may succeed later. If its answer was lost, it may have succeeded."""
    if isinstance(error, openai.APIStatusError):
        return error.status_code in (408, 409, 429) or error.status_code >= 500
    return isinstance(error, openai.APIConnectionError)


def describe_error(error: openai.APIError) -> str:
    """The failure in a few words."""
    if isinstance(error, openai.APITimeoutError):
        return "no answer in time"
    if isinstance(error, openai.APIConnectionError):
        return f"the answer was lost ({_cause_of_loss(error)})"
    status = f"HTTP {error.status_code}" if isinstance(error, openai.APIStatusError) else "failed"
    body = error.body.get("message") if isinstance(error.body, dict) else None
    return f"{status}: {one_line(body or error.message)}"


def one_line(text: object) -> str:
    """A server's text in one short line."""
    return " ".join(str(text).split())[:200]


def _cause_of_loss(error: openai.APIConnectionError) -> str:
    lost = error.__cause__
    if lost and (old := explain_old_tls(lost)):
        return old
    if lost is None:
        return "no connection"
    # What is no HTTP stands in the error as it came.
    return hide_keys(": ".join(filter(None, (type(lost).__name__, str(lost)))))
