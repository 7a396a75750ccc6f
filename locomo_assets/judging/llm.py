"""A language model as judge, through any OpenAI-compatible API.

Here: connecting to it, and asking it one by one; by batches is `batch`. The prompt is `prompt`,
what is sent and answered `completion`, each request's record `recording`.

Retries are the `openai` package's own (408, 409, 429, 5xx, lost connections; bounded; Retry-After
obeyed).
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from time import perf_counter

import httpx2
import openai

from locomo_assets.http.budget import VERDICT, place_in
from locomo_assets.http.calls import CallOptions, CallRecord, Record
from locomo_assets.judging.batch import BatchJudge
from locomo_assets.judging.completion import (
    PARAMETERS,
    Usage,
    cause,
    failed,
    raise_if_hopeless,
    read_completion,
    request_body,
)
from locomo_assets.judging.http_client import RecordingClient
from locomo_assets.judging.judge import (
    COMPLETIONS,
    OPENAI_URL,
    JudgeError,
    JudgeIdentity,
    Judgement,
    Reply,
    Verdict,
    with_votes,
)
from locomo_assets.judging.prompts import Prompt, PromptIdentity, read_prompt
from locomo_assets.prices import PriceTable
from locomo_assets.redaction import hide, keep_out_of_logs
from locomo_assets.urls import checked_base_url, checked_key

STANDIN = "standin"


class LLMJudge:
    """Give one with `connect`, which makes sure that the key and the model are good."""

    def __init__(
        self,
        client: openai.AsyncOpenAI,
        identity: JudgeIdentity,
        prompt: Prompt,
        prices: PriceTable,
        options: CallOptions,
    ) -> None:
        self._client = client
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
        """A judge that is known to answer; closes its connections at the end.

        `prompt` is a packaged prompt's name or a file's path. Asks the server for the model
        first, which costs nothing: a server that says it is the stand-in is named so in every
        verdict, and one that is not OpenAI by its host.

        Raises JudgeError: the prompt is unusable, the URL or the key is unusable or refused, the
        server can't be reached, the model is not there.
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
        options = replace(options, record=_without_key(key, options.record))
        timeout = httpx2.Timeout(timeout_s, connect=min(10.0, timeout_s))
        http = RecordingClient(url, options, timeout)
        async with openai.AsyncOpenAI(
            api_key=key, base_url=url, max_retries=max_retries, http_client=http
        ) as client:
            system = await _probed_system(client, client.base_url.host, model)
            identity = llm_identity(system, model, chosen)
            judge = cls(client, identity, chosen, prices, options)
            http.cost_usd = judge._cost_usd
            yield judge

    async def probe(self) -> str:
        """Ask for the model once more, which is free; the system as in `JudgeIdentity`."""
        host = self._client.base_url.host
        return await _probed_system(self._client, host, self._identity.model)

    def batches(self, votes: int = 1) -> BatchJudge:
        """The same judge, asked by batches; the connection stays this one's to close."""
        return BatchJudge(
            self._client,
            with_votes(self._identity, votes),
            self._prompt,
            cost_usd=partial(self._cost_usd, batch=True),
            record=self._options.record,
            budget=self._options.budget,
        )

    async def judge(self, question: str, gold_answer: str, answer: str, category: int) -> Judgement:
        """See `judge.Judge`; the category changes nothing here."""
        async with (
            self._options.limits.slot(COMPLETIONS),
            place_in(self._options.budget, VERDICT) as told,
        ):
            start = perf_counter()
            reply, usage = await self._ask(
                self._prompt.fill(
                    question=question, gold_answer=gold_answer, generated_answer=answer
                )
            )
            latency_ms = (perf_counter() - start) * 1000.0
            told(usage.prompt_tokens, usage.completion_tokens)
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
            raise_if_hopeless(error, self._client.base_url.host)
            return failed(cause(error, self._client.api_key)), Usage()
        return read_completion(response.content)

    def _cost_usd(
        self, input_tokens: int, output_tokens: int, *, batch: bool = False
    ) -> float | None:
        if self._identity.system == STANDIN:
            return 0.0
        return self._prices.cost_usd(self._identity.model, input_tokens, output_tokens, batch=batch)


def _without_key(key: str, record: Record) -> Record:
    """A closure, because a partial shows its arguments."""

    def cleaned(call: CallRecord) -> None:
        request_id, error = (said and hide(said, key) for said in (call.request_id, call.error))
        record(replace(call, request_id=request_id, error=error))

    return cleaned


def llm_identity(system: str, model: str, prompt: PromptIdentity) -> JudgeIdentity:
    """Who judges with a model of a system (`openai`, `standin`, a host) and a prompt."""
    prefix = "" if system == "openai" else f"{system}:"
    return JudgeIdentity(
        name=f"{prefix}{model}/{prompt.label}",
        system=system,
        model=model,
        prompt_name=prompt.name,
        prompt_sha256=prompt.sha256,
        parameters=PARAMETERS,
    )


async def _probed_system(client: openai.AsyncOpenAI, host: str, model: str) -> str:
    is_openai = host == httpx2.URL(OPENAI_URL).host
    try:
        found = await client.models.retrieve(model)
    except openai.APIError as error:
        raise_if_hopeless(error, host)
        if isinstance(error, openai.APIStatusError) and error.status_code < 500:
            if not is_openai and not isinstance(error, openai.RateLimitError):
                return host
            if isinstance(error, openai.NotFoundError):
                raise JudgeError(
                    f"judge {model} at {host}: there is no such model for this key; check "
                    "LOCOMO_JUDGE_MODEL"
                ) from None
        raise JudgeError(
            f"judge {model} at {host}: {cause(error, client.api_key)}; try again later"
        ) from None
    except ValueError:
        return host
    if getattr(found, "owned_by", None) == STANDIN:
        return STANDIN
    return "openai" if is_openai else host
