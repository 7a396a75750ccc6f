"""The files of a batch: the requests in the one that is sent, the results in those that come."""

import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from pydantic import BaseModel, Field, ValidationError

from locomo_assets.completions.server_errors import read_error, read_json
from locomo_assets.judging.judge import Reply, unscored
from locomo_assets.judging.verdict_request import VerdictParameters, read_verdict

ENDPOINT: Literal["/v1/chat/completions"] = "/v1/chat/completions"
_KEY_LENGTH = 48


@dataclass(frozen=True, slots=True)
class RequestResult:
    """The outcome of one request.

    `status` is its HTTP status, and None if it was not carried out or nothing is known of it.
    Tokens are None if unknown, 0 if it failed.
    """

    reply: Reply
    status: int | None = None
    error: str | None = None
    request_id: str | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None

    @property
    def is_in_files(self) -> bool:
        """Whether the batch's files have a result for it."""
        return self.status is not None or self.error is not None


@dataclass(frozen=True, slots=True)
class ParsedResults:
    """Results by `custom_id`, and how many lines can't be read or are about unknown requests."""

    results: Mapping[str, RequestResult]
    unreadable: int
    unknown: int


class _Response(BaseModel):
    status_code: int = Field(ge=100, le=599)
    request_id: Any = None
    body: Any = None


class _Line(BaseModel):
    custom_id: str
    response: _Response | None = None
    error: Any = None


def custom_id(fingerprint: str, vote: int) -> str:
    """A request's name in its batch, at most 64 characters: its verdict's fingerprint, its vote."""
    return f"{fingerprint[:_KEY_LENGTH]}-{vote}"


def request_lines(bodies: Mapping[str, Mapping[str, Any]]) -> bytes:
    """The input file, from chat completions' bodies by `custom_id`."""
    lines = (
        {"custom_id": name, "method": "POST", "url": ENDPOINT, "body": body}
        for name, body in bodies.items()
    )
    return "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines).encode()


def read_results(
    files: Iterable[bytes],
    wanted: Collection[str],
    missing: RequestResult,
    *,
    limit: int | None = VerdictParameters.MAX_TOKENS,
) -> ParsedResults:
    """The results in the output and error files; `missing` for requests that are in neither.

    A request with more than one result is unscored. `limit` is its limit of tokens. Never raises.
    """
    found: dict[str, list[RequestResult]] = {name: [] for name in wanted}
    unreadable = unknown = 0
    for line in (line for file in files for line in file.split(b"\n") if line.strip()):
        try:
            read = _Line.model_validate(read_json(line))
        except ValidationError:
            unreadable += 1
            continue
        if read.custom_id in found:
            found[read.custom_id].append(_result(read, limit))
        else:
            unknown += 1
    if unreadable:
        reason = f"{missing.reply.reason}; {unreadable} of its lines can't be read"
        missing = replace(missing, reply=unscored(reason))
    results = {name: _only(ones, missing) for name, ones in found.items()}
    return ParsedResults(results, unreadable, unknown)


def _only(results: list[RequestResult], missing: RequestResult) -> RequestResult:
    if not results:
        return missing
    if len(results) == 1:
        return results[0]
    reply = unscored(f"the batch gives {len(results)} results for it")
    # Each may have been paid for.
    return RequestResult(
        reply,
        error="more than one result",
        input_tokens=sum(one.input_tokens or 0 for one in results),
        output_tokens=sum(one.output_tokens or 0 for one in results),
    )


def _result(line: _Line, limit: int | None) -> RequestResult:
    if line.response is None:
        said = read_error({"error": line.error}, 0) if line.error else None
        code = (said and said.code) or "it was not carried out"
        words = said.words if said and said.words != said.code else None
        return RequestResult(
            unscored(": ".join(filter(None, (code, words)))), None, code, None, 0, 0
        )
    status, request_id = line.response.status_code, line.response.request_id
    if not isinstance(request_id, str):
        request_id = None
    if status != 200:
        reply = unscored(str(read_error(line.response.body, status)))
        return RequestResult(reply, status, f"HTTP {status}", request_id, 0, 0)
    reply, usage = read_verdict(line.response.body, limit)
    return RequestResult(
        reply, status, None, request_id, usage.prompt_tokens, usage.completion_tokens
    )
