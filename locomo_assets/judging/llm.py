"""A language model as judge, through any OpenAI-compatible API, asked one by one.

How a model is asked is said in `completions.caller`. Asking in batches belongs to `batch`.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import asdict, replace
from functools import partial
from typing import Any

from locomo_assets.completions.asker import OPENAI
from locomo_assets.completions.caller import Caller, Timed
from locomo_assets.completions.prompts import Prompt
from locomo_assets.http.calls import CallOptions
from locomo_assets.http.limits import VERDICT, BudgetReachedError
from locomo_assets.judging.batch import BatchJudge
from locomo_assets.judging.judge import (
    JudgeError,
    JudgeIdentity,
    Judgement,
    Verdict,
    with_votes,
)
from locomo_assets.judging.prompts import read_prompt
from locomo_assets.judging.verdict_request import (
    JUDGE,
    VerdictParameters,
    llm_identity,
    reply_of,
)
from locomo_assets.prices import STANDIN, PriceTable

_TRIAL = {"question": "How much is 1 + 1?", "gold_answer": "2", "generated_answer": "2"}


PUBLISHED_MODEL = "gpt-4.1"


class LLMJudge:
    """Made by `connect`, which checks the key and the model."""

    def __init__(
        self,
        caller: Caller,
        prompt: Prompt,
        prices: PriceTable,
        options: CallOptions,
        *,
        max_tokens: int | None = None,
    ) -> None:
        self._caller = caller
        self._identity = llm_identity(caller.system, caller.model, prompt)
        self._prompt = prompt
        self._prices = prices
        self._options = options
        caller.parameters = VerdictParameters(max_tokens)
        # The published measurement's own judge takes its parameters, and so does the stand-in.
        is_published = caller.system == OPENAI and caller.model.startswith(PUBLISHED_MODEL)
        caller.are_taken = caller.system == STANDIN or is_published
        caller.price(self._cost_usd)

    @property
    def identity(self) -> JudgeIdentity:
        """Who judges. It never changes after `learn_parameters` or the first reply."""
        return replace(self._identity, parameters=self._caller.parameters.row())

    @property
    def refuses_what_it_took(self) -> bool:
        """Whether it refused a parameter after all: what was remembered of it is not true."""
        return self._caller.refuses_what_it_took

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
        options = options or CallOptions()
        async with Caller.connect(
            JUDGE,
            model,
            api_key=api_key,
            base_url=base_url,
            options=options,
            max_retries=max_retries,
            timeout_s=timeout_s,
        ) as caller:
            yield cls(caller, chosen, prices, options, max_tokens=max_tokens)

    async def probe(self) -> str:
        """Ask for the model again, which is free; the system as in `JudgeIdentity`."""
        return await self._caller.probe()

    @property
    def asked_at(self) -> str:
        """Where it asks, as `endpoint_of`."""
        return self._caller.endpoint

    @property
    def endpoint(self) -> str | None:
        """Where it asks, as `endpoint_of`; None where the system alone says who judges."""
        if self._identity.system in (OPENAI, STANDIN):
            return None
        return self._caller.endpoint

    def name_server(self, system: str) -> None:
        """Give the server another name in the identity, before anything is judged."""
        self._identity = llm_identity(system, self._identity.model, self._prompt)

    def batches(self, votes: int = 1) -> BatchJudge:
        """The same judge, with the parameters known by now, asked in batches."""
        return BatchJudge(
            self._caller.client,
            with_votes(self.identity, votes),
            self._prompt,
            self._caller.parameters,
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
        caller = self._caller
        if caller.are_taken:
            return None
        if known is not None:
            # One of another version may name other fields.
            with suppress(TypeError):
                caller.parameters = replace(caller.parameters, **known)
                caller.are_taken = True
                return None
        try:
            trial = await self._ask(self._prompt.fill(**_TRIAL))
        except BudgetReachedError:
            return None
        if not caller.are_taken:
            raise JudgeError(
                f"judge {self._identity.model} at {caller.client.base_url.host}: it gives no "
                f"verdicts ({reply_of(trial.completion).reason}); check OPENAI_BASE_URL and "
                "LOCOMO_JUDGE_MODEL, or try again later"
            )
        learned = asdict(caller.parameters)
        del learned["max_tokens"]  # the user's own
        return learned

    async def judge(self, question: str, gold_answer: str, answer: str, category: int) -> Judgement:
        """As `Judge.judge`; the category changes nothing."""
        timed = await self._ask(
            self._prompt.fill(question=question, gold_answer=gold_answer, generated_answer=answer)
        )
        reply, usage = reply_of(timed.completion), timed.completion.usage
        tokens = (usage.prompt_tokens, usage.completion_tokens)
        return Judgement(
            verdict=reply.verdict,
            reasoning=reply.reasoning,
            reason=reply.reason,
            input_tokens=tokens[0],
            output_tokens=tokens[1],
            cost_usd=None if None in tokens else self._cost_usd(tokens[0] or 0, tokens[1] or 0),
            latency_ms=timed.latency_ms,
            agreement=None if reply.verdict is Verdict.UNSCORED else 1.0,
        )

    async def _ask(self, message: str) -> Timed:
        return await self._caller.ask(message, VERDICT)

    def _cost_usd(
        self, input_tokens: int, output_tokens: int, *, batch: bool = False
    ) -> float | None:
        if self._identity.system == STANDIN:
            return 0.0
        return self._prices.cost_usd(self._identity.model, input_tokens, output_tokens, batch=batch)
