"""Verdicts by OpenAI's Batch API: sending, finding and reading a batch.

How long a run waits for a batch, and what it remembers of it, belongs to `runs.batches`.
"""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Collection, Mapping
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, TypeVar
from uuid import uuid4

import openai
from pydantic import BaseModel, BeforeValidator, Field, ValidationError

from locomo_assets.completions.failures import (
    describe_error,
    is_retryable,
    raise_if_fatal,
)
from locomo_assets.completions.parameters import Parameters
from locomo_assets.completions.prompts import Prompt
from locomo_assets.completions.server_errors import one_line, read_json
from locomo_assets.http.calls import CallRecord, Record, whole_number
from locomo_assets.http.errors import parse_retry_after
from locomo_assets.http.limits import BATCHED_VERDICT, Budget, RecordUsage
from locomo_assets.judging.batch_files import (
    ENDPOINT,
    ParsedResults,
    RequestResult,
    custom_id,
    read_results,
    request_lines,
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
    Verdict,
    count_votes,
    unscored,
)
from locomo_assets.judging.verdict_request import JUDGE

NAME_KEY = "locomo_batch"
"""The key in a batch's metadata that holds our own name for it."""

_TRIES = 5
_LONGEST_PAUSE_S = 60.0
_FIND_PAUSES_S = (0.0, 1.0, 2.0)
_READ_PAUSES_S = (0.0, 1.0, 4.0)
# The largest difference between our clock and the server's.
_CLOCK_SKEW = timedelta(hours=2)

# In seconds the year 5138, in milliseconds 1973; likewise in nanoseconds the year 5138.
_NO_SECONDS, _NO_TIME = 1e11, 1e20
_WHY = ("code", "message")


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _fields(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def read_time(value: object) -> datetime | None:
    """A Unix time in seconds, or in a smaller unit, also as text; None if it can't be one."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        given = float(value)
    except (ValueError, OverflowError):
        return None
    if not 0 < given < _NO_TIME:
        return None
    while given >= _NO_SECONDS:
        given /= 1000.0
    return datetime.fromtimestamp(given, UTC)


_Text = Annotated[str | None, BeforeValidator(_text)]
_Fields = Annotated[Mapping[str, Any], BeforeValidator(_fields)]
_Time = Annotated[datetime | None, BeforeValidator(read_time)]


class _Made(BaseModel):
    id: str = Field(min_length=1)


class _Batch(_Made):
    """What is odd in a field that we can do without counts as not given."""

    status: _Text = None
    created_at: _Time = None
    request_counts: _Fields = Field(default_factory=dict)
    errors: _Fields = Field(default_factory=dict)
    metadata: _Fields = Field(default_factory=dict)
    output_file_id: _Text = None
    error_file_id: _Text = None

    def state(self) -> BatchState:
        done, failed, total = (
            whole_number(self.request_counts.get(name)) or 0
            for name in ("completed", "failed", "total")
        )
        data = self.errors.get("data")
        errors = [_fields(one) for one in (data if isinstance(data, list) else [])[:3]]
        whys = [": ".join(filter(None, map(_text, map(one.get, _WHY)))) for one in errors]
        return BatchState(
            batch_id=self.id,
            status=self.status or "unknown",
            created_at=self.created_at,
            done=done + failed,
            total=total,
            files=tuple(filter(None, (self.output_file_id, self.error_file_id))),
            why=one_line("; ".join(filter(None, whys))) or None,
        )


class _Page(BaseModel):
    data: list[_Batch]
    has_more: Any = False


_Read = TypeVar("_Read", bound=BaseModel)


class BatchJudge:
    """Made by `LLMJudge.batches`. Every method raises JudgeError if the server refuses or fails."""

    def __init__(
        self,
        client: openai.AsyncOpenAI,
        identity: JudgeIdentity,
        prompt: Prompt,
        parameters: Parameters,
        *,
        cost_usd: Callable[[int, int], float | None],
        record: Record,
        budget: Budget,
    ) -> None:
        self._client = client
        self.identity = identity
        self._prompt = prompt
        self._parameters = parameters
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
            custom_id(fingerprint, vote): self._parameters.body(
                self.identity.model, self._message(case)
            )
            for fingerprint, case in cases.items()
            for vote in range(1, self.identity.votes + 1)
        }
        try:
            sent = await self._client.files.with_raw_response.create(
                file=(f"{token}.jsonl", request_lines(bodies), "application/jsonl"),
                purpose="batch",
            )
            return await self._create(self._read_as(_Made, sent.content).id, token, labels)
        except openai.APIError as error:
            raise self._explain(error, "a batch can't be made") from None

    async def find(self, token: str, made_after: datetime) -> str | None:
        """The id of the batch with this name, or None; lists the batches more than once."""
        oldest = made_after - _CLOCK_SKEW
        try:
            for pause_s in _FIND_PAUSES_S:
                await asyncio.sleep(pause_s)
                async for batch in self._listed():
                    if batch.metadata.get(NAME_KEY) == token:
                        return batch.id
                    if batch.created_at and batch.created_at < oldest:
                        break
        except openai.APIError as error:
            raise self._explain(error, "its batches can't be listed") from None
        return None

    async def _listed(self) -> AsyncIterator["_Batch"]:
        """The server's batches, newest first; a page that brings nothing new ends them."""
        seen: set[str] = set()
        after: str | openai.Omit = openai.omit
        while True:
            answer = await self._client.batches.with_raw_response.list(limit=100, after=after)
            page = self._read_as(_Page, answer.content)
            new = [batch for batch in page.data if batch.id not in seen]
            for batch in new:
                yield batch
            if not new or not page.has_more:
                return
            seen.update(batch.id for batch in new)
            after = page.data[-1].id

    async def state(self, batch_id: str) -> BatchState:
        """The batch's state now."""
        try:
            answer = await self._client.batches.with_raw_response.retrieve(batch_id)
            return self._read_as(_Batch, answer.content).state()
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

    async def _read(self, state: BatchState, names: Collection[str]) -> ParsedResults:
        contents = [await self._content(file) for file in state.files]
        files = [content for content in contents if content is not None]
        missing = f"batch {state.batch_id} {_why_missing(state)}"
        if len(files) < len(contents):
            missing += "; one of its files is gone"
        # A batch that failed as a whole was not begun.
        nothing = 0 if state.status == "failed" else None
        reply = unscored(missing)
        nowhere = RequestResult(reply, None, None, None, nothing, nothing)
        return read_results(files, names, nowhere, limit=self._parameters.limit)

    async def _create(self, file_id: str, token: str, labels: Mapping[str, str]) -> str:
        # After a lost answer the package would send it again, and two batches would be paid for.
        once = self._client.with_options(max_retries=0)
        began = datetime.now(UTC)
        for attempt in range(1, _TRIES + 1):
            try:
                made = await once.batches.with_raw_response.create(
                    input_file_id=file_id,
                    endpoint=ENDPOINT,
                    completion_window="24h",
                    metadata={NAME_KEY: token, **{name: v[:512] for name, v in labels.items()}},
                )
                return self._read_as(_Made, made.content).id
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

    def _vote(self, result: RequestResult, state: BatchState) -> Judgement:
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

    def _read_as(self, kind: type[_Read], content: bytes) -> _Read:
        try:
            return kind.model_validate(read_json(content))
        except ValidationError as error:
            where = ".".join(str(one) for one in error.errors()[0]["loc"]) or "its answer"
            raise JudgeError(
                f"judge at {self._client.base_url.host}: its Batch API gives no usable {where}; "
                "run it again, or set LOCOMO_JUDGE_MODE=direct"
            ) from None

    def _explain(self, error: openai.APIError, what: str) -> JudgeError:
        host = self._client.base_url.host
        raise_if_fatal(error, host, JUDGE)
        if isinstance(error, openai.NotFoundError):
            return JudgeError(
                f"judge at {host}: {what}, it has no Batch API; set LOCOMO_JUDGE_MODE=direct"
            )
        why = describe_error(error)
        return JudgeError(
            f"judge at {host}: {what} ({why}); run it again: a batch that was made is found again "
            "and not paid for twice"
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
