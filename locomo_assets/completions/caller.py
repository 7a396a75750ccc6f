"""A model at an OpenAI-compatible server, asked message by message.

Retries are the `openai` package's own: 408, 409, 429, 5xx and lost connections, bounded, with
Retry-After obeyed. What a reply means belongs to whoever asks.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from time import perf_counter

import httpx2
import openai

from locomo_assets.completions.asker import COMPLETIONS, Asker, checked_server, endpoint_of
from locomo_assets.completions.completion import (
    NO_COMPLETION,
    Completion,
    cut_off,
    read_completion,
)
from locomo_assets.completions.failures import (
    describe_error,
    fatal_error,
    probed_system,
    raise_if_fatal,
    server_error,
)
from locomo_assets.completions.http_client import RecordingClient, client_at
from locomo_assets.completions.parameters import Parameters
from locomo_assets.completions.server_errors import read_json
from locomo_assets.http.calls import CallOptions
from locomo_assets.redaction import keep_out_of_logs

CostUsd = Callable[[int, int], float | None]
"""The price of input and output tokens; None where it is not known."""


@dataclass(frozen=True, slots=True)
class Timed:
    """A completion, and when and how it was asked for; `latency_ms` excludes our own queue."""

    completion: Completion
    asked_at: datetime
    latency_ms: float
    in_flight: int


class Caller:
    """Made by `connect`. `parameters` are those that the model is known to take by now."""

    def __init__(
        self,
        client: openai.AsyncOpenAI,
        asker: Asker,
        model: str,
        system: str,
        *,
        options: CallOptions,
        http: RecordingClient,
    ) -> None:
        self.client = client
        self.model = model
        self.system = system
        """`openai`, `standin`, or the server's host."""
        self.endpoint = ""
        """Where it asks, as `endpoint_of`."""
        self.parameters = Parameters()
        self.are_taken = False
        """Whether the model is known to take the parameters."""
        self.refuses_what_it_took = False
        """Whether it refused a parameter after all: what was remembered of it is not true."""
        self._asker = asker
        self._options = options
        self._http = http
        self._trial = asyncio.Lock()

    @classmethod
    @asynccontextmanager
    async def connect(
        cls,
        asker: Asker,
        model: str,
        *,
        api_key: str,
        base_url: str | None,
        options: CallOptions,
        max_retries: int = 5,
        timeout_s: float = 60.0,
        transport: httpx2.AsyncBaseTransport | None = None,
    ) -> AsyncIterator["Caller"]:
        """Connect to a server, and ask it for the model, which is free.

        Its connections are closed at the end of the block. With a `transport` nothing is connected,
        and the bound on TLS does not hold.

        Raises the asker's error if URL or key are unusable, the key is refused, the server can't
        be reached, or the model is missing.
        """
        url, key = checked_server(asker, base_url, api_key)
        keep_out_of_logs(key)
        timeout = httpx2.Timeout(timeout_s, connect=min(10.0, timeout_s))
        http = RecordingClient(url, options, timeout, asker, transport=transport)
        async with client_at(url, key, max_retries=max_retries, http_client=http) as client:
            system = await probed_system(client, model, asker)
            caller = cls(client, asker, model, system, options=options, http=http)
            caller.endpoint = endpoint_of(url)
            yield caller

    def price(self, cost_usd: CostUsd) -> None:
        """What the records of calls say of their cost."""
        self._http.cost_usd = cost_usd

    async def probe(self) -> str:
        """Ask for the model again, which is free; the server's system."""
        return await probed_system(self.client, self.model, self._asker)

    async def ask(self, message: str, kind: str) -> Timed:
        """The model's reply, within the limits and the budget for this kind of call.

        A failure of this message alone is a completion without text. Raises the asker's error
        where every further message would fail as well, and `BudgetReachedError`.
        """
        options = self._options
        async with (
            options.limits.slot(self._asker.limited_as(COMPLETIONS)) as in_flight,
            options.budget.reserve(kind) as record_usage,
        ):
            asked_at, start = datetime.now(UTC), perf_counter()
            completion = await self._ask(message)
            latency_ms = (perf_counter() - start) * 1000.0
            record_usage(completion.usage.prompt_tokens, completion.usage.completion_tokens)
        return Timed(completion, asked_at, latency_ms, in_flight)

    async def _ask(self, message: str) -> Completion:
        if not self.are_taken:
            # One request finds out what the model takes; the others wait for what it learns.
            async with self._trial:
                if not self.are_taken:
                    return await self._send(message)
        return await self._send(message)

    async def _send(self, message: str) -> Completion:
        while True:
            try:
                # The package's own method for it looks at each field of the body, and reads the
                # answer into a model: more work than the request.
                response = await self.client.post(
                    "/chat/completions",
                    body=self.parameters.body(self.model, message),
                    cast_to=httpx2.Response,
                    options={"security": {"bearer_auth": True}},
                )
            except openai.APIError as error:
                if self._adapt(error):
                    continue
                return Completion(None, self._failed(error))
            completion = read_completion(
                read_json(response.content), self.parameters.limit, self._asker
            )
            is_completion = not (completion.reason or "").startswith(NO_COMPLETION)
            self.are_taken = self.are_taken or is_completion
            return completion

    def _adapt(self, error: openai.APIError) -> bool:
        """Whether another parameter is to be tried in place of the one that is refused."""
        said = server_error(error)
        instead = None if said is None else self.parameters.adapted(said)
        if instead is None:
            return False
        if self.are_taken:
            self.refuses_what_it_took = True
            return False
        self.parameters = instead
        return True

    def _failed(self, error: openai.APIError) -> str:
        host = self.client.base_url.host
        raise_if_fatal(error, host, self._asker)
        said = server_error(error)
        if said is not None and said.is_cut_off:
            self.are_taken = True
            return cut_off(self.parameters.limit, self._asker)
        if said is not None and said.fatal:
            raise fatal_error(said, host, self._asker)
        return describe_error(error)
