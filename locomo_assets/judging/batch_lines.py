"""The files of a batch: requests in, results out, a JSON object a line.

Here: writing and reading them. A line that is not exactly what it should be gives no verdict; what
became of each request that was asked for is always told. Sending files is `batch`.
"""

import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from pydantic import BaseModel, ValidationError

from locomo_assets.judging.completion import failed, read_completion
from locomo_assets.judging.verdict import Reply

URL = "/v1/chat/completions"
_KEY_LENGTH = 48


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one request.

    `status` is the HTTP status that it ended with, None where it was not carried out or nothing is
    known of it. Tokens are None where unknown, 0 where it failed.
    """

    reply: Reply
    status: int | None = None
    error: str | None = None
    request_id: str | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None

    @property
    def is_told(self) -> bool:
        """Whether the files say anything of it."""
        return self.status is not None or self.error is not None


@dataclass(frozen=True, slots=True)
class Results:
    """By `custom_id`; and how many lines can't be read, or tell of requests that were not made."""

    results: Mapping[str, Result]
    unreadable: int
    unknown: int


class _Response(BaseModel):
    status_code: int
    request_id: str | None = None
    body: Any = None


class _Error(BaseModel):
    code: str | None = None
    message: str | None = None


class _Line(BaseModel):
    custom_id: str
    response: _Response | None = None
    error: _Error | None = None


def custom_id(fingerprint: str, vote: int) -> str:
    """A request's name in its batch, at most 64 characters: what it is about, and which vote."""
    return f"{fingerprint[:_KEY_LENGTH]}-{vote}"


def request_lines(bodies: Mapping[str, Mapping[str, Any]]) -> bytes:
    """The input file: `custom_id` → the body of a chat completion."""
    lines = (
        {"custom_id": name, "method": "POST", "url": URL, "body": body}
        for name, body in bodies.items()
    )
    return "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines).encode()


def read_results(files: Iterable[bytes], wanted: Collection[str], missing: Result) -> Results:
    """The output and the error file together; `missing` is for those of which they say nothing.

    A request with more than one result has none that could be believed. Never raises.
    """
    found: dict[str, list[Result]] = {name: [] for name in wanted}
    unreadable = unknown = 0
    for line in (line for file in files for line in file.split(b"\n") if line.strip()):
        try:
            read = _Line.model_validate_json(line)
        except ValidationError:
            unreadable += 1
            continue
        if read.custom_id in found:
            found[read.custom_id].append(_result(read))
        else:
            unknown += 1
    if unreadable:
        reason = f"{missing.reply.reason}; {unreadable} of its lines can't be read"
        missing = replace(missing, reply=failed(reason))
    results = {name: _only(ones, missing) for name, ones in found.items()}
    return Results(results, unreadable, unknown)


def _only(results: list[Result], missing: Result) -> Result:
    if not results:
        return missing
    if len(results) == 1:
        return results[0]
    reply = failed(f"the batch gives {len(results)} results for it")
    # Each may have been paid for.
    return Result(
        reply,
        error="more than one result",
        input_tokens=sum(one.input_tokens or 0 for one in results),
        output_tokens=sum(one.output_tokens or 0 for one in results),
    )


def _result(line: _Line) -> Result:
    if line.response is None:
        told = line.error or _Error()
        code = told.code or "it was not carried out"
        reply = failed(": ".join(filter(None, (code, told.message))))
        return Result(reply, None, code, None, 0, 0)
    status, request_id = line.response.status_code, line.response.request_id
    if status != 200:
        reply = failed(f"HTTP {status}: {_message(line.response.body)}")
        return Result(reply, status, f"HTTP {status}", request_id, 0, 0)
    reply, usage = read_completion(line.response.body)
    return Result(reply, status, None, request_id, usage.prompt_tokens, usage.completion_tokens)


def _message(body: object) -> object:
    error = body.get("error") if isinstance(body, dict) else None
    return error.get("message") if isinstance(error, dict) else "no reason given"
