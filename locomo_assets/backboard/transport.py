"""One call to Backboard: sent, timed, recorded, and repeated where that is safe.

The key is in the request's header alone. Servers repeat what they are sent, so registered keys are
taken out of every answer, its headers included, where it is received; see `bounded.read_answer`.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from time import perf_counter
from typing import Any, Generic, Protocol, TypeVar
from uuid import uuid4

import httpx

from locomo_assets.backboard.failures import (
    LOST,
    Call,
    lost,
    not_json,
    overdue,
    refused,
    undocumented,
    unreadable,
)
from locomo_assets.backboard.stream import Run, RunReader, SseDecoder, no_stream
from locomo_assets.bounded import (
    ANSWER_BYTES,
    GZIP_ONLY,
    STREAM_BYTES,
    UnusableBodyError,
    answer_pieces,
    read_answer,
)
from locomo_assets.http.calls import (
    CallOptions,
    CallRecord,
    allow_last_moment,
    checked_base_url,
    checked_key,
    log_body,
    tls_context,
    until_allowed,
)
from locomo_assets.http.errors import (
    KeyRefusedError,
    PermanentError,
    RateLimitedError,
    RetrySettings,
    StreamMalformedError,
    UnexpectedAnswerError,
)
from locomo_assets.http.limits import ANSWER, RecordUsage
from locomo_assets.network import proxy_for
from locomo_assets.redaction import hide_in_answer, hide_in_chain, keep_out_of_logs

SERVICE = "backboard"
"""The service's name in its call records, and its one endpoint in the limits."""

T = TypeVar("T")

# Less than the 5 s after which common servers close an idle connection: a request written to one
# just closed would be ambiguous.
_KEEP_ALIVE_S = 4.0

# How long a stream may stay open after a run's end before that run is taken for its last one.
_NEXT_RUN_S = 5.0

# What httpx's own clients send, but for the encodings.
_HEADERS = {
    "Accept": "*/*",
    **GZIP_ONLY,
    "Connection": "keep-alive",
    "User-Agent": f"python-httpx/{httpx.__version__}",
}

# As much of an answer without events as is looked at for the service's words.
_NO_STREAM_BYTES = 16_384


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Limits in seconds for each phase, and for a whole call: `call_s`, `stream_s`.

    `stream_read_s` is the longest silence of a stream, for a model may think before its first word.
    """

    connect_s: float = 10.0
    read_s: float = 60.0
    write_s: float = 30.0
    pool_s: float = 30.0
    call_s: float = 120.0
    stream_read_s: float = 120.0
    stream_s: float = 300.0


@dataclass(frozen=True, slots=True)
class Answered:
    """The answer of a run, and its times."""

    run: Run
    asked_at: datetime
    first_chunk_ms: float | None
    latency_ms: float
    in_flight: int


@dataclass(slots=True)
class RequestStats:
    """How one attempt went. Times in ms exclude waiting for our own limit."""

    in_flight: int
    limit_s: float
    sent_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    start: float = field(default_factory=perf_counter)
    status: int | None = None
    request_id: str | None = None
    system: str | None = None
    first_chunk_ms: float | None = None
    latency_ms: float | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None

    def elapsed_ms(self) -> float:
        return (perf_counter() - self.start) * 1000.0


class Transport:
    """Sends calls over kept connections. An async context manager."""

    def __init__(
        self,
        base_url: str,
        api_key: str,
        options: CallOptions,
        *,
        transport: httpx.AsyncBaseTransport | None,
        timeouts: Timeouts,
        retry: RetrySettings,
    ) -> None:
        self.base_url = checked_base_url(
            base_url,
            service="the memory service",
            setting="BACKBOARD_BASE_URL",
            error=PermanentError,
        )
        self._key = checked_key(
            api_key,
            service="the memory service",
            setting="BACKBOARD_API_KEY",
            error=KeyRefusedError,
        )
        keep_out_of_logs(self._key)
        self._options = options
        self._timeouts = timeouts
        self._retry = retry
        phases = {
            "connect": timeouts.connect_s,
            "write": timeouts.write_s,
            "pool": timeouts.pool_s,
        }
        self._phases = {"read": timeouts.read_s, **phases}
        self._stream_phases = {"read": timeouts.stream_read_s, **phases}
        self._headers = httpx.Headers({**_HEADERS, "X-API-Key": self._key})
        self._connections = ConnectionPool(self._connector(transport))

    async def __aenter__(self) -> "Transport":
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._connections.aclose()

    def _connector(
        self, transport: httpx.AsyncBaseTransport | None
    ) -> Callable[[], httpx.AsyncBaseTransport]:
        if transport is not None:
            return lambda: transport
        # Made once, because making it takes longer than a request.
        trust = tls_context(self._options.min_tls)
        proxy, limits = proxy_for(self.base_url), httpx.Limits(keepalive_expiry=_KEEP_ALIVE_S)
        return lambda: httpx.AsyncHTTPTransport(
            verify=trust, proxy=proxy, trust_env=False, limits=limits
        )

    async def json(
        self, call: Call, read: Callable[[object, str], T], *, attempts: int | None = None
    ) -> tuple[T, RequestStats]:
        """What `read` makes of the answer's JSON, and how it went.

        `read` gets None for an empty body, and the endpoint. It raises `UnexpectedAnswerError`.
        """

        async def take(response: httpx.Response, stats: RequestStats) -> tuple[T, RequestStats]:
            body = await read_answer(response, ANSWER_BYTES)
            stats.latency_ms = stats.elapsed_ms()
            log_body(SERVICE, call.endpoint, "received", body)
            try:
                raw = json.loads(body) if body else None
            except (ValueError, RecursionError) as error:
                raise not_json(call, self.base_url) from error
            try:
                return read(raw, call.endpoint), stats
            except UnexpectedAnswerError as error:
                raise undocumented(call, error) from error

        return await self._retrying(call, take, self._timeouts.call_s, self._phases, attempts)

    async def run(self, call: Call) -> Answered:
        """A streamed run's answer. Only a request that was certainly not sent is repeated."""

        async def take(response: httpx.Response, stats: RequestStats) -> Answered:
            run = await self._read_run(call, response, stats)
            log_body(SERVICE, call.endpoint, "received", run.text)
            latency_ms = stats.latency_ms if stats.latency_ms is not None else stats.elapsed_ms()
            stats.input_tokens, stats.output_tokens = run.input_tokens, run.output_tokens
            return Answered(run, stats.sent_at, stats.first_chunk_ms, latency_ms, stats.in_flight)

        return await self._retrying(call, take, self._timeouts.stream_s, self._stream_phases, None)

    async def _read_run(self, call: Call, response: httpx.Response, stats: RequestStats) -> Run:
        decoder, reader = SseDecoder(), RunReader(call.endpoint)
        chunks = answer_pieces(response, STREAM_BYTES)
        begin, runs, has_events, ended_at = b"", reader.runs, False, 0.0
        while True:
            try:
                # To the end, because another run may follow; and the connection can be kept.
                rest_s = min(ended_at + _NEXT_RUN_S, stats.start + 0.9 * stats.limit_s)
                async with asyncio.timeout(rest_s - perf_counter() if reader.ended else None):
                    chunk = await anext(chunks, None)
                events = decoder.feed(chunk or b"")
            except (UnusableBodyError, StreamMalformedError, TimeoutError, *LOST):
                if not reader.ended:
                    raise
                break
            if chunk is None:
                break
            if not has_events:
                begin = (begin + chunk)[:_NO_STREAM_BYTES]
            for event in events:
                has_events, had_ended = True, reader.ended
                reader.take(event)
                if reader.runs > runs:
                    runs, stats.first_chunk_ms = reader.runs, None
                if reader.begun and stats.first_chunk_ms is None:
                    stats.first_chunk_ms = stats.elapsed_ms()
                if reader.ended and not had_ended:
                    stats.latency_ms, ended_at = stats.elapsed_ms(), perf_counter()
        if not has_events:
            raise no_stream(call.endpoint, begin)
        return reader.result()

    async def _retrying(
        self,
        call: Call,
        take: Callable[[httpx.Response, RequestStats], Awaitable[T]],
        limit_s: float,
        phases: Mapping[str, float],
        attempts: int | None,
    ) -> T:
        extensions: dict[str, Any] = {"timeout": phases}
        if not call.repeatable:
            extensions["trace"] = allow_last_moment
        request = httpx.Request(
            call.method,
            _url(self.base_url + call.path),
            params=call.params,
            headers=self._headers,
            json=call.json,
            data=call.form,
            extensions=extensions,
        )
        number = 0

        async def attempt() -> T:
            nonlocal number
            number += 1
            return await self._attempt(call, request, take, limit_s, number)

        return await self._retry.retried(attempt, attempts, repeatable=call.repeatable)

    async def _attempt(
        self,
        call: Call,
        request: httpx.Request,
        take: Callable[[httpx.Response, RequestStats], Awaitable[T]],
        limit_s: float,
        number: int,
    ) -> T:
        async with (
            self._options.limits.slot(SERVICE) as in_flight,
            self._reserve(call) as record_usage,
        ):
            if not call.repeatable:
                await until_allowed()
            stats = RequestStats(in_flight, limit_s)
            error: str | None = None
            log_body(SERVICE, call.endpoint, "sent", call.json or call.form)
            try:
                with self._connections.connection() as way:
                    answer = await self._send(way, call, request, take, stats)
                record_usage(stats.input_tokens, stats.output_tokens)
                self._options.limits.succeeded(SERVICE, in_flight)
                return answer
            except BaseException as failure:
                error = type(failure).__name__
                if isinstance(failure, RateLimitedError):
                    self._throttled(stats, failure.retry_after_s)
                hide_in_chain(failure)
                raise
            finally:
                self._options.record(_call_record(call, stats, error, number))

    async def _send(
        self,
        way: httpx.AsyncBaseTransport,
        call: Call,
        request: httpx.Request,
        take: Callable[[httpx.Response, RequestStats], Awaitable[T]],
        stats: RequestStats,
    ) -> T:
        try:
            async with asyncio.timeout(stats.limit_s):
                response = await way.handle_async_request(request)
                try:
                    response.request = request
                    if self._options.watch is not None:
                        self._options.watch(response)
                    stats.status = response.status_code
                    stats.request_id = _header(response, "x-request-id")
                    stats.system = _header(response, "x-locomo-system")
                    if not response.is_success:
                        whole = await _whole(response)
                        log_body(SERVICE, call.endpoint, "received", whole.content)
                        raise refused(call, self.base_url, whole)
                    return await take(response, stats)
                finally:
                    await response.aclose()
        except UnusableBodyError as error:
            raise unreadable(call, self.base_url, str(error)) from error
        except TimeoutError as error:
            raise overdue(call, self.base_url, stats.limit_s) from error
        except LOST as error:
            raise lost(call, self.base_url, error) from error

    def _reserve(self, call: Call) -> AbstractAsyncContextManager[RecordUsage]:
        if call.asks_model:
            return self._options.budget.reserve(ANSWER)
        return nullcontext(lambda _input_tokens, _output_tokens: None)

    def _throttled(self, stats: RequestStats, retry_after_s: float | None) -> None:
        longest_s = self._retry.longest_retry_after_s
        pause_s = None if retry_after_s is None else min(retry_after_s, longest_s)
        self._options.limits.throttled(SERVICE, stats.start, pause_s)


@lru_cache(maxsize=4096)
def _url(url: str) -> httpx.URL:
    # A thread gets many messages, an operation several looks; reading a URL takes long.
    return httpx.URL(url)


def _header(response: httpx.Response, name: str) -> str | None:
    """A header of the answer, without registered keys; None where it is not there, or empty."""
    value = response.headers.get(name)
    return hide_in_answer(value) if value else None


async def _whole(response: httpx.Response) -> httpx.Response:
    """A refusal with its body read, or without one that can't be: what counts is its status."""
    try:
        body = await read_answer(response, ANSWER_BYTES)
    except UnusableBodyError:
        body = b""
    headers = {
        name: hide_in_answer(value)
        for name, value in response.headers.items()
        if name != "content-encoding"
    }
    return httpx.Response(
        response.status_code, headers=headers, content=body, request=response.request
    )


class _Closable(Protocol):
    async def aclose(self) -> None: ...


C = TypeVar("C", bound=_Closable)


class ConnectionPool(Generic[C]):
    """A connection for each request under way; the one used last is taken first.

    httpx's own pool looks at every connection for each request. A transport of httpx is a
    connection here rather than a client, which follows redirects, keeps cookies and logs besides.
    """

    def __init__(self, make: Callable[[], C]) -> None:
        self._make = make
        self._free: list[C] = []
        self._all: list[C] = []

    @contextmanager
    def connection(self) -> Iterator[C]:
        """A connection for this block alone; the response must be closed within it."""
        if self._free:
            connection = self._free.pop()
        else:
            connection = self._make()
            self._all.append(connection)
        try:
            yield connection
        finally:
            self._free.append(connection)

    async def aclose(self) -> None:
        """Close every connection."""
        for connection in self._all:
            await connection.aclose()


def _call_record(call: Call, stats: RequestStats, error: str | None, number: int) -> CallRecord:
    return CallRecord(
        call_id=uuid4().hex,
        service=SERVICE,
        endpoint=call.endpoint,
        status=stats.status,
        error=error,
        attempt=number,
        latency_ms=stats.latency_ms if stats.latency_ms is not None else stats.elapsed_ms(),
        in_flight=stats.in_flight,
        input_tokens=stats.input_tokens,
        output_tokens=stats.output_tokens,
        cost_usd=None,
        started_at=stats.sent_at,
        request_id=stats.request_id,
    )
