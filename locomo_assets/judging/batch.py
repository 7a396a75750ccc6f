"""Verdicts by OpenAI's Batch API: sending, finding and reading a batch, and its files' lines.

How long a run waits for a batch, and what it remembers of it, belongs to `runs.batches`.
"""

import asyncio
import json
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Literal
from uuid import uuid4

import openai
from openai.types import Batch
from pydantic import BaseModel, ValidationError

from locomo_assets.http.calls import CallRecord, Record
from locomo_assets.http.errors import parse_retry_after
from locomo_assets.http.limits import BATCHED_VERDICT, Budget, RecordUsage
from locomo_assets.judging.completion import (
    describe_error,
    is_retryable,
    one_line,
    raise_if_fatal,
    read_completion,
    request_body,
)
from locomo_assets.judging.judge import (
    BATCHED,
    GONE,
    BatchResults,
    BatchState,
    Case,
    JudgeError,
    JudgeIdentity,
    Judgement,
    Reply,
    Verdict,
    count_votes,
    unscored,
)
from locomo_assets.judging.prompts import Prompt

NAME_KEY = "locomo_batch"
"""The key in a batch's metadata that holds our own name for it."""

_TRIES = 5
_LONGEST_PAUSE_S = 60.0
_FIND_PAUSES_S = (0.0, 1.0, 2.0)
_READ_PAUSES_S = (0.0, 1.0, 4.0)
# The largest difference between our clock and the server's.
_CLOCK_SKEW = timedelta(hours=2)

_URL: Literal["/v1/chat/completions"] = "/v1/chat/completions"
_KEY_LENGTH = 48


class BatchJudge:
    """Made by `LLMJudge.batches`. Every method raises JudgeError if the server refuses or fails."""

    def __init__(
        self,
        client: openai.AsyncOpenAI,
        identity: JudgeIdentity,
        prompt: Prompt,
        *,
        cost_usd: Callable[[int, int], float | None],
        record: Record,
        budget: Budget,
    ) -> None:
        self._client = client
        self.identity = identity
        self._prompt = prompt
        self._cost_usd = cost_usd
        self._record = record
        self._budget = budget

    def reserve(
        self, cases: int, *, sent: bool = False
    ) -> AbstractAsyncContextManager[RecordUsage]:
        """Reserve the cost of so many cases; see `Budget.reserve`."""
        return self._budget.reserve(BATCHED_VERDICT, cases * self.identity.votes, sent=sent)

    async def send(self, token: str, cases: Mapping[str, Case], labels: Mapping[str, str]) -> str:
        """Send the cases (by fingerprint) as one batch; returns its id at the server.

        `token` is its name for `find`, `labels` are further metadata for people.
        """
        bodies = {
            custom_id(fingerprint, vote): request_body(self.identity.model, self._message(case))
            for fingerprint, case in cases.items()
            for vote in range(1, self.identity.votes + 1)
        }
        try:
            file = await self._client.files.create(
                file=(f"{token}.jsonl", request_lines(bodies), "application/jsonl"),
                purpose="batch",
            )
            return await self._create(file.id, token, labels)
        except openai.APIError as error:
            raise self._explain(error, "a batch can't be made") from None

    async def find(self, token: str, made_after: datetime) -> str | None:
        """The id of the batch with this name, or None; lists the batches more than once."""
        oldest = (made_after - _CLOCK_SKEW).timestamp()
        try:
            for pause_s in _FIND_PAUSES_S:
                await asyncio.sleep(pause_s)
                async for batch in self._client.batches.list(limit=100):
                    if (batch.metadata or {}).get(NAME_KEY) == token:
                        return batch.id
                    if batch.created_at and batch.created_at < oldest:
                        break
        except openai.APIError as error:
            raise self._explain(error, "its batches can't be listed") from None
        return None

    async def state(self, batch_id: str) -> BatchState:
        """The batch's state now."""
        try:
            return _state(await self._client.batches.retrieve(batch_id))
        except openai.NotFoundError:
            return BatchState(batch_id, GONE)
        except openai.APIError as error:
            raise self._explain(error, f"batch {batch_id} can't be looked at") from None

    async def results(self, state: BatchState, fingerprints: Collection[str]) -> BatchResults:
        """The judgements of a batch that is over; records the requests in its files.

        Files that arrive garbled or without a result are read again: each result is paid for.
        """
        names = {
            custom_id(fingerprint, vote): fingerprint
            for fingerprint in fingerprints
            for vote in range(1, self.identity.votes + 1)
        }
        for pause_s in _READ_PAUSES_S:
            await asyncio.sleep(pause_s)
            read = await self._read(state, names)
            is_whole = all(result.is_in_files for result in read.results.values())
            if not read.unreadable and (is_whole or state.status != "completed"):
                break
        votes: dict[str, list[Judgement]] = defaultdict(list)
        for name, fingerprint in names.items():
            votes[fingerprint].append(self._vote(read.results[name], state))
        return BatchResults(
            {
                one: count_votes(given) if len(given) > 1 else given[0]
                for one, given in votes.items()
            },
            sum(one.input_tokens or 0 for one in read.results.values()),
            sum(one.output_tokens or 0 for one in read.results.values()),
        )

    async def _read(self, state: BatchState, names: Collection[str]) -> "ParsedResults":
        contents = [await self._content(file) for file in state.files]
        files = [content for content in contents if content is not None]
        missing = f"batch {state.batch_id} {_why_missing(state)}"
        if len(files) < len(contents):
            missing += "; one of its files is gone"
        # A batch that failed as a whole was not begun.
        nothing = 0 if state.status == "failed" else None
        reply = unscored(missing)
        return read_results(files, names, RequestResult(reply, None, None, None, nothing, nothing))

    async def _create(self, file_id: str, token: str, labels: Mapping[str, str]) -> str:
        # After a lost answer the package would send it again, and two batches would be paid for.
        once = self._client.with_options(max_retries=0)
        began = datetime.now(UTC)
        for attempt in range(1, _TRIES + 1):
            try:
                made = await once.batches.create(
                    input_file_id=file_id,
                    endpoint=_URL,
                    completion_window="24h",
                    metadata={NAME_KEY: token, **{name: v[:512] for name, v in labels.items()}},
                )
                return made.id
            except openai.APIError as error:
                if not is_retryable(error) or attempt == _TRIES:
                    raise
                await asyncio.sleep(_pause_s(error, attempt))
                if not isinstance(error, openai.RateLimitError):
                    found = await self.find(token, began)
                    if found is not None:
                        return found
        raise AssertionError("unreachable")

    async def _content(self, file_id: str) -> bytes | None:
        try:
            return (await self._client.files.content(file_id)).content
        except openai.NotFoundError:
            return None
        except openai.APIError as error:
            raise self._explain(error, f"file {file_id} of a batch can't be read") from None

    def _vote(self, result: "RequestResult", state: BatchState) -> Judgement:
        tokens = (result.input_tokens, result.output_tokens)
        cost_usd = None if None in tokens else self._cost_usd(tokens[0] or 0, tokens[1] or 0)
        if result.is_in_files:
            self._record(
                CallRecord(
                    call_id=uuid4().hex,
                    service="judge",
                    endpoint=BATCHED,
                    status=result.status,
                    error=result.error,
                    attempt=1,
                    latency_ms=None,
                    in_flight=None,
                    input_tokens=tokens[0],
                    output_tokens=tokens[1],
                    cost_usd=cost_usd,
                    started_at=state.created_at or datetime.now(UTC),
                    request_id=result.request_id,
                )
            )
        reply = result.reply
        return Judgement(
            verdict=reply.verdict,
            reasoning=reply.reasoning,
            reason=reply.reason and one_line(reply.reason),
            input_tokens=tokens[0],
            output_tokens=tokens[1],
            cost_usd=cost_usd,
            latency_ms=None,
            agreement=None if reply.verdict is Verdict.UNSCORED else 1.0,
        )

    def _message(self, case: Case) -> str:
        return self._prompt.fill(
            question=case.question,
            gold_answer=case.gold_answer,
            generated_answer=case.answer,
        )

    def _explain(self, error: openai.APIError, what: str) -> JudgeError:
        host = self._client.base_url.host
        raise_if_fatal(error, host)
        if isinstance(error, openai.NotFoundError):
            return JudgeError(
                f"judge at {host}: {what}, it has no Batch API; set LOCOMO_JUDGE_MODE=direct"
            )
        why = describe_error(error)
        return JudgeError(
            f"judge at {host}: {what} ({why}); run it again: a batch that was made is found again "
            "and not paid for twice"
        )


def _state(batch: Batch) -> BatchState:
    counts = batch.request_counts
    errors = (batch.errors.data if batch.errors else None) or []
    whys = [": ".join(filter(None, (one.code, one.message))) for one in errors]
    return BatchState(
        batch_id=batch.id,
        status=batch.status,
        created_at=datetime.fromtimestamp(batch.created_at, UTC) if batch.created_at else None,
        done=counts.completed + counts.failed if counts else 0,
        total=counts.total if counts else 0,
        files=tuple(filter(None, (batch.output_file_id, batch.error_file_id))),
        why=one_line("; ".join(whys[:3])) or None,
    )


def _why_missing(state: BatchState) -> str:
    if state.status == GONE:
        return "is not known to the server, with this key"
    if state.status == "completed":
        return "gives no result for it"
    return f"{state.status} before it was judged" + (f" ({state.why})" if state.why else "")


def _pause_s(error: openai.APIError, attempt: int) -> float:
    after_s = None
    if isinstance(error, openai.APIStatusError):
        after_s = parse_retry_after(error.response.headers.get("retry-after"))
    return min(_LONGEST_PAUSE_S, 0.5 * 2.0**attempt if after_s is None else after_s)


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
    """A request's name in its batch, at most 64 characters: its verdict's fingerprint, its vote."""
    return f"{fingerprint[:_KEY_LENGTH]}-{vote}"


def request_lines(bodies: Mapping[str, Mapping[str, Any]]) -> bytes:
    """The input file, from chat completions' bodies by `custom_id`."""
    lines = (
        {"custom_id": name, "method": "POST", "url": _URL, "body": body}
        for name, body in bodies.items()
    )
    return "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines).encode()


def read_results(
    files: Iterable[bytes], wanted: Collection[str], missing: RequestResult
) -> ParsedResults:
    """The results in the output and error files; `missing` for requests that are in neither.

    A request with more than one result is unscored. Never raises.
    """
    found: dict[str, list[RequestResult]] = {name: [] for name in wanted}
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


def _result(line: _Line) -> RequestResult:
    if line.response is None:
        error = line.error or _Error()
        code = error.code or "it was not carried out"
        reply = unscored(": ".join(filter(None, (code, error.message))))
        return RequestResult(reply, None, code, None, 0, 0)
    status, request_id = line.response.status_code, line.response.request_id
    if status != 200:
        reply = unscored(f"HTTP {status}: {_message(line.response.body)}")
        return RequestResult(reply, status, f"HTTP {status}", request_id, 0, 0)
    reply, usage = read_completion(line.response.body)
    return RequestResult(
        reply, status, None, request_id, usage.prompt_tokens, usage.completion_tokens
    )


def _message(body: object) -> object:
    error = body.get("error") if isinstance(body, dict) else None
    return error.get("message") if isinstance(error, dict) else "no reason given"
