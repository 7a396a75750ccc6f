"""The `openai` package's HTTP client, widened to report each request that it makes.

So the package's own retries are recorded one by one, and each answer is bounded and without
registered keys before the package sees it.
"""

import asyncio
import re
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from time import perf_counter
from typing import Any
from uuid import uuid4

import httpx2
import openai

from locomo_assets.bounded import (
    ANSWER_BYTES,
    BATCH_FILE_BYTES,
    GZIP_ONLY,
    UnusableBodyError,
    read_answer,
)
from locomo_assets.completions.asker import Asker
from locomo_assets.completions.server_errors import error_within, read_error, read_json
from locomo_assets.http.calls import (
    API_VERSION,
    CallOptions,
    CallRecord,
    allow_last_moment,
    log_body,
    tls_context,
    until_allowed,
    whole_number,
)
from locomo_assets.http.errors import parse_retry_after
from locomo_assets.network import proxy_for
from locomo_assets.redaction import hide_in_answer

# The longest Retry-After that the `openai` package obeys.
_LONGEST_PAUSE_S = 60.0

# The header by which the `openai` package is told whether to try again.
_REPEAT = "x-should-retry"

_OF_THE_WIRE = ("content-encoding", "content-length", "transfer-encoding")

_IDS = (
    (re.compile(r"^/models/.+$"), "/models/{model}"),
    (re.compile(r"^/files/[^/]+"), "/files/{file}"),
    (re.compile(r"^/batches/[^/]+"), "/batches/{batch}"),
)


class RecordingClient(httpx2.AsyncClient):
    """Does what the options say around every attempt, except asking the budget.

    `cost_usd` is the price of input and output tokens; it may be set later.
    """

    cost_usd: Callable[[int, int], float | None]

    def __init__(
        self,
        base_url: str,
        options: CallOptions,
        timeout: httpx2.Timeout,
        asker: Asker,
        *,
        transport: httpx2.AsyncBaseTransport | None = None,
    ) -> None:
        is_remote = transport is None
        super().__init__(
            headers=GZIP_ONLY,
            timeout=timeout,
            transport=transport,
            verify=tls_context(options.min_tls) if is_remote else True,
            proxy=proxy_for(base_url) if is_remote else None,
            trust_env=False,
            # `Limits` bounds what is in flight. Waiting in the pool would count as latency.
            limits=httpx2.Limits(max_connections=None, max_keepalive_connections=64),
        )
        self._base_path = httpx2.URL(base_url).path.rstrip("/")
        self._options = options
        self._asker = asker
        self._in_flight: Counter[str] = Counter()
        self.cost_usd = lambda _input_tokens, _output_tokens: None

    async def send(self, request: httpx2.Request, **how: Any) -> httpx2.Response:
        """Send the request, and record it."""
        if request.method == "POST":
            await until_allowed()
            request.extensions["trace"] = allow_last_moment
        path = request.url.path.removeprefix(self._base_path)
        for found, template in _IDS:
            path = found.sub(template, path)
        endpoint = f"{request.method} {path}"
        limited_as = self._asker.limited_as(endpoint)
        self._in_flight[endpoint] += 1
        in_flight = self._in_flight[endpoint]
        started_at, start = datetime.now(UTC), perf_counter()
        log_body(self._asker.service, endpoint, "sent", _body(request))
        response: httpx2.Response | None = None
        status: int | None = None
        error: str | None = None
        try:
            opened = await super().send(request, **{**how, "stream": True})
            if self._options.watch is not None:
                self._options.watch(opened)
            response = await _whole(opened, endpoint)
            status = opened.status_code
            log_body(self._asker.service, endpoint, "received", response.content)
            if response.is_success:
                self._options.limits.succeeded(limited_as, in_flight)
            elif response.status_code == 429 and response.headers.get(_REPEAT) != "false":
                after_s = parse_retry_after(response.headers.get("retry-after"))
                pause_s = after_s and min(after_s, _LONGEST_PAUSE_S)
                self._options.limits.throttled(limited_as, start, pause_s)
            if response.is_error:
                error = f"HTTP {response.status_code}"
            return response
        except asyncio.CancelledError:
            error = "cancelled"
            raise
        except Exception as failure:
            error = type(failure).__name__
            raise
        finally:
            self._in_flight[endpoint] -= 1
            tokens = (None, None) if response is None else _tokens(response)
            known = tokens[0] is not None and tokens[1] is not None
            self._options.record(
                CallRecord(
                    call_id=uuid4().hex,
                    service=self._asker.service,
                    endpoint=endpoint,
                    status=status,
                    error=error,
                    attempt=int(request.headers.get("x-stainless-retry-count", "0")) + 1,
                    latency_ms=(perf_counter() - start) * 1000.0,
                    in_flight=in_flight,
                    input_tokens=tokens[0],
                    output_tokens=tokens[1],
                    cost_usd=self.cost_usd(tokens[0] or 0, tokens[1] or 0) if known else None,
                    started_at=started_at,
                    request_id=None if response is None else response.headers.get("x-request-id"),
                )
            )


def client_at(url: str, key: str, **how: Any) -> openai.AsyncOpenAI:
    """With a version in the URL it is Azure, which has its own header for the key."""
    plain, _, query = url.partition("?")
    if not query:
        return openai.AsyncOpenAI(api_key=key, base_url=plain, **how)
    version = httpx2.QueryParams(query)[API_VERSION]
    return openai.AsyncAzureOpenAI(api_key=key, base_url=plain, api_version=version, **how)


async def _whole(opened: httpx2.Response, endpoint: str) -> httpx2.Response:
    """The answer with its body read. Raises an error that the package does not try again, as the
    answer may have been paid for; of a failure nothing but its status counts.

    A success with an error inside becomes that error, which the package may try again."""
    is_file = endpoint.endswith("/content")
    body = b""
    try:
        body = await read_answer(opened, BATCH_FILE_BYTES if is_file else ANSWER_BYTES)
    except UnusableBodyError as error:
        if not opened.is_error:
            text = f"the answer can't be read: {error}"
            raise openai.APIError(text, opened.request, body=None) from None
    finally:
        await opened.aclose()
    status = opened.status_code
    if opened.is_success and not is_file and (within := error_within(body)):
        status = within.status
    headers = {
        name: hide_in_answer(value)
        for name, value in opened.headers.items()
        if name not in _OF_THE_WIRE
    }
    if status >= 400 and read_error(read_json(body), status).fatal:
        headers[_REPEAT] = "false"
    return httpx2.Response(
        status,
        headers=headers,
        content=body,
        request=opened.request,
        extensions=opened.extensions,
    )


def _tokens(response: httpx2.Response) -> tuple[int | None, int | None]:
    """Input and output tokens of a whole answer; None if it does not say."""
    body = read_json(response.content)
    usage = body.get("usage") if isinstance(body, dict) else None
    if not isinstance(usage, dict):
        return None, None
    return whole_number(usage.get("prompt_tokens")), whole_number(usage.get("completion_tokens"))


def _body(request: httpx2.Request) -> bytes | None:
    """What is sent; None for a file, which is read only while it is uploaded."""
    try:
        return request.content
    except httpx2.RequestNotRead:
        return None
