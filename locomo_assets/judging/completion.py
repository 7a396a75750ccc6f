"""One chat completion of a judge's model: its answer and its failures.

What is asked for is in `parameters`, how servers word their errors in `server_errors`.
"""

from typing import Annotated, Any

import httpx2
import openai
from pydantic import BaseModel, BeforeValidator, ValidationError

from locomo_assets.http.calls import explain_old_tls, whole_number
from locomo_assets.judging.judge import JudgeError, Reply, parse_reply, unscored
from locomo_assets.judging.parameters import MAX_TOKENS
from locomo_assets.judging.server_errors import (
    HOLDERS,
    NO_CREDIT,
    NO_KEY,
    NO_MODEL,
    NO_PARAMETER,
    ServerError,
    one_line,
    read_error,
    read_json,
)

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


def read_completion(body: object, limit: int = MAX_TOKENS) -> tuple[Reply, Usage]:
    """The reply and its tokens, from parsed JSON. `limit` is what was sent. Never raises."""
    try:
        read = _Answer.model_validate(body)
    except ValidationError:
        is_told = isinstance(body, dict) and any(map(body.get, HOLDERS))
        words = read_error(body, 200).words if is_told else ""
        return unscored(": ".join(filter(None, (NO_COMPLETION, words)))), Usage()
    usage = body.get("usage") if isinstance(body, dict) else None
    return _reply(read, limit), Usage.model_validate(usage if isinstance(usage, dict) else {})


NO_COMPLETION = "the server's answer is not a chat completion"


def cut_off(limit: int) -> Reply:
    """Where the model's thinking, or its reply, needs more tokens than the limit."""
    return unscored(f"the reply was cut off at {limit} tokens; raise LOCOMO_JUDGE_MAX_TOKENS")


def _reply(answer: _Answer, limit: int) -> Reply:
    if not answer.choices:
        return unscored("the server's answer holds no choice")
    choice = answer.choices[0]
    if choice.message.refusal:
        return unscored("the judge refused")
    if choice.finish_reason == "length":
        return cut_off(limit)
    if choice.finish_reason == "content_filter":
        return unscored("the reply was withheld by the content filter")
    text = _text_of(choice.message.content)
    return parse_reply(text) if text.strip() else unscored("the reply is empty")


def _text_of(content: object) -> str:
    """A text, or the texts of its parts; parts that hold the model's thinking are left out."""
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else [content]
    texts = [part.get("text") if isinstance(part, dict) else part for part in parts]
    return "".join(text for text in texts if isinstance(text, str))


_NOT_SENT = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.UnsupportedProtocol)

_WAYS_OUT = {
    NO_KEY: "check OPENAI_API_KEY and that it may read models and make chat completions",
    NO_CREDIT: "add credit to the account, or set the OPENAI_API_KEY of another, and run it again",
    NO_MODEL: "check LOCOMO_JUDGE_MODEL and OPENAI_BASE_URL",
    NO_PARAMETER: "choose another LOCOMO_JUDGE_MODEL",
}
_CAUSES = {
    NO_KEY: "the key is refused",
    NO_CREDIT: "its credit or quota is used up",
    NO_MODEL: "there is no such model or address",
    NO_PARAMETER: "the model does not take what a verdict is asked with",
}


def raise_if_fatal(error: openai.APIError, host: str) -> None:
    """Raise JudgeError if every further call would fail as well."""
    said = server_error(error)
    # Of an address that is not there, others may be: batches, the list of models.
    if said is not None and said.fatal not in (None, NO_MODEL):
        raise fatal_error(said, host) from None
    if isinstance(error, openai.APIConnectionError) and isinstance(error.__cause__, _NOT_SENT):
        raise JudgeError(
            f"judge at {host}: cannot be reached ({_cause_of_loss(error)}); check that it is up, "
            "OPENAI_BASE_URL and the network"
        ) from None


def fatal_error(said: ServerError, judge: str) -> JudgeError:
    """What ends the judging, in one line with the server's own words."""
    cause = said.fatal or ""
    words = f": {said.words}" if said.words else ""
    return JudgeError(
        f"judge at {judge}: {_CAUSES[cause]} ({said.status}){words}; {_WAYS_OUT[cause]}"
    )


def server_error(error: openai.APIError) -> ServerError | None:
    """What the server says in its answer; None if there was none."""
    if not isinstance(error, openai.APIStatusError):
        return None
    content = error.response.content
    body = read_json(content)
    return read_error(content.decode(errors="replace") if body is None else body, error.status_code)


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
    said = server_error(error)
    return str(said) if said is not None else f"failed: {one_line(error.message)}"


def _cause_of_loss(error: openai.APIConnectionError) -> str:
    lost = error.__cause__
    if lost and (old := explain_old_tls(lost)):
        return old
    if lost is None:
        return "no connection"
    # What is no HTTP stands in the error as it came.
    return one_line(": ".join(filter(None, (type(lost).__name__, str(lost)))))
