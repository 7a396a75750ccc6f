"""A language model as judge, through any OpenAI-compatible API, asked one by one.

Retries are the `openai` package's own: 408, 409, 429, 5xx and lost connections, bounded, with
Retry-After obeyed. Asking in batches belongs to `batch`.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from time import perf_counter

import httpx2
import openai

from locomo_assets.http.calls import CallOptions, checked_base_url, checked_key
from locomo_assets.http.limits import VERDICT
from locomo_assets.judging.batch import BatchJudge
from locomo_assets.judging.completion import (
    PARAMETERS,
    Usage,
    describe_error,
    raise_if_fatal,
    read_completion,
    request_body,
)
from locomo_assets.judging.http_client import RecordingClient
from locomo_assets.judging.judge import (
    COMPLETIONS,
    OPENAI,
    OPENAI_URL,
    JudgeError,
    JudgeIdentity,
    Judgement,
    Reply,
    Verdict,
    endpoint_of,
    unscored,
    with_votes,
)
from locomo_assets.judging.prompts import Prompt, PromptIdentity, read_prompt
from locomo_assets.prices import STANDIN, PriceTable
from locomo_assets.redaction import keep_out_of_logs


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
        endpoint: str,
    ) -> None:
        self._client = client
        self._endpoint = endpoint
        self._identity = identity
        self._prompt = prompt
        self._prices = prices
        self._options = options

    @property
    def identity(self) -> JudgeIdentity:
        return self._identity

    @classmethod
    @asynccontextmanager
    async def connect(
        cls,
        *,
        api_key: str,
        base_url: str | None = None,
        model: str = "gpt-4.1",
        prompt: str = "generous",
        prices: PriceTable,
        options: CallOptions | None = None,
        max_retries: int = 5,
        timeout_s: float = 60.0,
    ) -> AsyncIterator["LLMJudge"]:
        """Connect to a judge; its connections are closed at the end of the block.

        `prompt` is a packaged prompt's name or a file's path. The server is asked for the model
        first, which is free. Its answer gives the system in every verdict's identity:
        `openai`, `standin` if it says so, or its host, until `name_server` says another.

        Raises JudgeError if prompt, URL or key are unusable, if the key is refused, the server
        can't be reached, or the model is missing.
        """
        chosen = read_prompt(prompt)
        url = checked_base_url(
            base_url or OPENAI_URL,
            service="the judge",
            setting="OPENAI_BASE_URL",
            error=JudgeError,
        )
        key = checked_key(api_key, service="the judge", setting="OPENAI_API_KEY", error=JudgeError)
        keep_out_of_logs(key)
        options = options or CallOptions()
        timeout = httpx2.Timeout(timeout_s, connect=min(10.0, timeout_s))
        http = RecordingClient(url, options, timeout)
        async with openai.AsyncOpenAI(
            api_key=key, base_url=url, max_retries=max_retries, http_client=http
        ) as client:
            system = await _probed_system(client, model)
            identity = llm_identity(system, model, chosen)
            judge = cls(client, identity, chosen, prices, options, endpoint=endpoint_of(url))
            http.cost_usd = judge._cost_usd
            yield judge

    async def probe(self) -> str:
        """Ask for the model again, which is free; the system as in `JudgeIdentity`."""
        return await _probed_system(self._client, self._identity.model)

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
        """The same judge, asked in batches over this judge's connections."""
        return BatchJudge(
            self._client,
            with_votes(self._identity, votes),
            self._prompt,
            cost_usd=partial(self._cost_usd, batch=True),
            record=self._options.record,
            budget=self._options.budget,
        )

    async def judge(self, question: str, gold_answer: str, answer: str, category: int) -> Judgement:
        """As `Judge.judge`; the category changes nothing."""
        async with (
            self._options.limits.slot(COMPLETIONS),
            self._options.budget.reserve(VERDICT) as record_usage,
        ):
            start = perf_counter()
            reply, usage = await self._ask(
                self._prompt.fill(
                    question=question, gold_answer=gold_answer, generated_answer=answer
                )
            )
            latency_ms = (perf_counter() - start) * 1000.0
            record_usage(usage.prompt_tokens, usage.completion_tokens)
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

    async def _ask(self, message: str) -> tuple[Reply, Usage]:
        try:
            response = await self._client.chat.completions.with_raw_response.create(
                **request_body(self._identity.model, message)
            )
        except openai.APIError as error:
            raise_if_fatal(error, self._client.base_url.host)
            return unscored(describe_error(error)), Usage()
        return read_completion(response.content)

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
        parameters=PARAMETERS,
    )


async def _probed_system(client: openai.AsyncOpenAI, model: str) -> str:
    host = client.base_url.host
    is_openai = endpoint_of(str(client.base_url)) == endpoint_of(OPENAI_URL)
    try:
        found = await client.models.retrieve(model)
    except openai.APIError as error:
        raise_if_fatal(error, host)
        if isinstance(error, openai.APIStatusError) and error.status_code < 500:
            if not is_openai and not isinstance(error, openai.RateLimitError):
                return host
            if isinstance(error, openai.NotFoundError):
                raise JudgeError(
                    f"judge {model} at {host}: there is no such model for this key; check "
                    "LOCOMO_JUDGE_MODEL"
                ) from None
        raise JudgeError(
            f"judge {model} at {host}: {describe_error(error)}; try again later"
        ) from None
    except ValueError:
        return host
    if getattr(found, "owned_by", None) == STANDIN:
        return STANDIN
    return OPENAI if is_openai else host
