"""A language model as judge, through any OpenAI-compatible API, asked one by one.

Retries are the `openai` package's own: 408, 409, 429, 5xx and lost connections, bounded, with
Retry-After obeyed. Asking in batches belongs to `batch`.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import asdict, replace
from functools import partial
from time import perf_counter
from typing import Any

import httpx2
import openai

from locomo_assets.completions.asker import (
    COMPLETIONS,
    OPENAI,
    checked_server,
    client_at,
    endpoint_of,
)
from locomo_assets.completions.completion import (
    NO_COMPLETION,
    Usage,
    cut_off,
    describe_error,
    fatal_error,
    probed_system,
    raise_if_fatal,
    server_error,
)
from locomo_assets.completions.http_client import RecordingClient
from locomo_assets.completions.server_errors import read_json
from locomo_assets.http.calls import CallOptions
from locomo_assets.http.limits import VERDICT, BudgetReachedError
from locomo_assets.judging.batch import BatchJudge
from locomo_assets.judging.judge import (
    JudgeError,
    JudgeIdentity,
    Judgement,
    Reply,
    Verdict,
    unscored,
    with_votes,
)
from locomo_assets.judging.prompts import Prompt, PromptIdentity, read_prompt
from locomo_assets.judging.verdict_request import JUDGE, VerdictParameters, read_verdict
from locomo_assets.prices import STANDIN, PriceTable
from locomo_assets.redaction import keep_out_of_logs

_TRIAL = {"question": "How much is 1 + 1?", "gold_answer": "2", "generated_answer": "2"}


PUBLISHED_MODEL = "gpt-4.1"


class LLMJudge:
    """Made by `connect`, which checks the key and the model."""

    def __init__(
        self,
        client: openai.AsyncOpenAI,
        identity: JudgeIdentity,
        prompt: Prompt,
        prices: PriceTable,
        options: CallOptions,
        *,
        max_tokens: int | None = None,
        endpoint: str,
    ) -> None:
        self._client = client
        self._endpoint = endpoint
        self._identity = identity
        self._prompt = prompt
        self._prices = prices
        self._options = options
        self._parameters = VerdictParameters(max_tokens)
        # The published measurement's own judge takes its parameters, and so does the stand-in.
        is_published = identity.system == OPENAI and identity.model.startswith(PUBLISHED_MODEL)
        self._are_taken = identity.system == STANDIN or is_published
        self._trial = asyncio.Lock()
        self.refuses_what_it_took = False
        """Whether it refused a parameter after all: what was remembered of it is not true."""

    @property
    def identity(self) -> JudgeIdentity:
        """Who judges. It never changes after `learn_parameters` or the first reply."""
        return replace(self._identity, parameters=self._parameters.row())

    @classmethod
    @asynccontextmanager
    async def connect(
        cls,
        *,
        api_key: str,
        base_url: str | None = None,
        model: str = PUBLISHED_MODEL,
        prompt: str = "generous",
        prices: PriceTable,
        options: CallOptions | None = None,
        max_tokens: int | None = None,
        max_retries: int = 5,
        timeout_s: float = 60.0,
    ) -> AsyncIterator["LLMJudge"]:
        """Connect to a judge; its connections are closed at the end of the block.

        `prompt` is a packaged prompt's name or a file's path, `max_tokens` the limit of a reply
        (None: see `VerdictParameters`). The server is asked for the model first, which is free. Its
        answer gives the system in every verdict's identity: `openai`, `standin` if it says so, or
        its host, until `name_server` says another.

        Raises JudgeError if prompt, URL or key are unusable, if the key is refused, the server
        can't be reached, or the model is missing.
        """
        chosen = read_prompt(prompt)
        url, key = checked_server(JUDGE, base_url, api_key)
        keep_out_of_logs(key)
        options = options or CallOptions()
        timeout = httpx2.Timeout(timeout_s, connect=min(10.0, timeout_s))
        http = RecordingClient(url, options, timeout, JUDGE)
        async with client_at(url, key, max_retries=max_retries, http_client=http) as client:
            system = await probed_system(client, model, JUDGE)
            identity = llm_identity(system, model, chosen)
            judge = cls(
                client,
                identity,
                chosen,
                prices,
                options,
                endpoint=endpoint_of(url),
                max_tokens=max_tokens,
            )
            http.cost_usd = judge._cost_usd
            yield judge

    async def probe(self) -> str:
        """Ask for the model again, which is free; the system as in `JudgeIdentity`."""
        return await probed_system(self._client, self._identity.model, JUDGE)

    @property
    def asked_at(self) -> str:
        """Where it asks, as `endpoint_of`."""
        return self._endpoint

    @property
    def endpoint(self) -> str | None:
        """Where it asks, as `endpoint_of`; None where the system alone says who judges."""
        if self._identity.system in (OPENAI, STANDIN):
            return None
        return self._endpoint

    def name_server(self, system: str) -> None:
        """Give the server another name in the identity, before anything is judged."""
        self._identity = llm_identity(system, self._identity.model, self._prompt)

    def batches(self, votes: int = 1) -> BatchJudge:
        """The same judge, with the parameters known by now, asked in batches."""
        return BatchJudge(
            self._client,
            with_votes(self.identity, votes),
            self._prompt,
            self._parameters,
            cost_usd=partial(self._cost_usd, batch=True),
            record=self._options.record,
            budget=self._options.budget,
        )

    async def learn_parameters(
        self, known: Mapping[str, Any] | None = None
    ) -> dict[str, Any] | None:
        """Find out by one verdict on a trivial answer what the model takes, unless it is `known`.

        To be awaited before verdicts are looked up by `identity`. Returns what was learned anew.
        Nothing is asked where the budget is used up. Raises JudgeError if no verdict can be had.
        """
        if self._are_taken:
            return None
        if known is not None:
            # One of another version may name other fields.
            with suppress(TypeError):
                self._parameters = replace(self._parameters, **known)
                self._are_taken = True
                return None
        try:
            reply, _, _ = await self._paid(self._prompt.fill(**_TRIAL))
        except BudgetReachedError:
            return None
        if not self._are_taken:
            raise JudgeError(
                f"judge {self._identity.model} at {self._client.base_url.host}: it gives no "
                f"verdicts ({reply.reason}); check OPENAI_BASE_URL and LOCOMO_JUDGE_MODEL, or try "
                "again later"
            )
        learned = asdict(self._parameters)
        del learned["max_tokens"]  # the user's own
        return learned

    async def judge(self, question: str, gold_answer: str, answer: str, category: int) -> Judgement:
        """As `Judge.judge`; the category changes nothing."""
        reply, usage, latency_ms = await self._paid(
            self._prompt.fill(question=question, gold_answer=gold_answer, generated_answer=answer)
        )
        tokens = (usage.prompt_tokens, usage.completion_tokens)
        return Judgement(
            verdict=reply.verdict,
            reasoning=reply.reasoning,
            reason=reply.reason,
            input_tokens=tokens[0],
            output_tokens=tokens[1],
            cost_usd=None if None in tokens else self._cost_usd(tokens[0] or 0, tokens[1] or 0),
            latency_ms=latency_ms,
            agreement=None if reply.verdict is Verdict.UNSCORED else 1.0,
        )

    async def _paid(self, message: str) -> tuple[Reply, Usage, float]:
        """The reply, its tokens and its time in ms, within the limits and the budget."""
        async with (
            self._options.limits.slot(COMPLETIONS),
            self._options.budget.reserve(VERDICT) as record_usage,
        ):
            start = perf_counter()
            reply, usage = await self._ask(message)
            latency_ms = (perf_counter() - start) * 1000.0
            record_usage(usage.prompt_tokens, usage.completion_tokens)
        return reply, usage, latency_ms

    async def _ask(self, message: str) -> tuple[Reply, Usage]:
        if not self._are_taken:
            # One request finds out what the model takes; the others wait for what it learns.
            async with self._trial:
                if not self._are_taken:
                    return await self._send(message)
        return await self._send(message)

    async def _send(self, message: str) -> tuple[Reply, Usage]:
        while True:
            try:
                response = await self._client.chat.completions.with_raw_response.create(
                    **self._parameters.body(self._identity.model, message)
                )
            except openai.APIError as error:
                if self._adapt(error):
                    continue
                return self._failed(error), Usage()
            reply, usage = read_verdict(read_json(response.content), self._parameters.limit)
            is_completion = not (reply.reason or "").startswith(NO_COMPLETION)
            self._are_taken = self._are_taken or is_completion
            return reply, usage

    def _adapt(self, error: openai.APIError) -> bool:
        """Whether another parameter is to be tried in place of the one that is refused."""
        said = server_error(error)
        instead = None if said is None else self._parameters.adapted(said)
        if instead is None:
            return False
        if self._are_taken:
            self.refuses_what_it_took = True
            return False
        self._parameters = instead
        return True

    def _failed(self, error: openai.APIError) -> Reply:
        host = self._client.base_url.host
        raise_if_fatal(error, host, JUDGE)
        said = server_error(error)
        if said is not None and said.is_cut_off:
            self._are_taken = True
            return unscored(cut_off(self._parameters.limit, JUDGE))
        if said is not None and said.fatal:
            raise fatal_error(said, host, JUDGE)
        return unscored(describe_error(error))

    def _cost_usd(
        self, input_tokens: int, output_tokens: int, *, batch: bool = False
    ) -> float | None:
        if self._identity.system == STANDIN:
            return 0.0
        return self._prices.cost_usd(self._identity.model, input_tokens, output_tokens, batch=batch)


def llm_identity(system: str, model: str, prompt: PromptIdentity) -> JudgeIdentity:
    """The identity of a model of a system (as in `JudgeIdentity`) with a prompt."""
    prefix = "" if system == OPENAI else f"{system}:"
    return JudgeIdentity(
        name=f"{prefix}{model}/{prompt.label}",
        system=system,
        model=model,
        prompt_name=prompt.name,
        prompt_sha256=prompt.sha256,
        parameters=VerdictParameters().row(),
    )
