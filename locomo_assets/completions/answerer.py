"""An answering model of one's own, which answers a question from retrieved memories."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime

import httpx2

from locomo_assets.completions.answer_request import (
    ANSWERER,
    AnswererIdentity,
    AnswerParameters,
    fill,
)
from locomo_assets.completions.caller import Caller
from locomo_assets.completions.completion import EMPTY
from locomo_assets.completions.prompts import Prompt
from locomo_assets.http.calls import CallOptions
from locomo_assets.http.limits import ANSWER
from locomo_assets.prices import ModelPrice, PriceTable, is_free


@dataclass(frozen=True, slots=True)
class OwnAnswer:
    """What the model said, or the `reason` why there is no answer.

    A reply without words is an answer. Tokens are as the API counts them, None where it doesn't;
    `memory_tokens` is the memories' part of `input_tokens`, by their share of the characters: an
    estimate. `cost_usd` is None where a price or the tokens are unknown.
    """

    text: str | None
    reason: str | None
    model: str | None
    input_tokens: int | None
    output_tokens: int | None
    memory_tokens: int | None
    cost_usd: float | None
    asked_at: datetime
    latency_ms: float
    in_flight: int


class Answerer:
    """Made by `connect`, which checks the key and the model."""

    def __init__(
        self, caller: Caller, identity: AnswererIdentity, prompt: Prompt, prices: PriceTable
    ) -> None:
        self._caller = caller
        self.identity = identity
        self._prompt = prompt
        self._price = ModelPrice(prices, identity.model, is_free(caller.system))
        caller.parameters = AnswerParameters()
        caller.price(self._price.cost_usd)

    @property
    def system(self) -> str:
        """`openai`, `standin` if the server says so, or its host."""
        return self._caller.system

    @classmethod
    @asynccontextmanager
    async def connect(
        cls,
        identity: AnswererIdentity,
        prompt: Prompt,
        *,
        api_key: str,
        base_url: str | None,
        prices: PriceTable,
        options: CallOptions,
        max_retries: int = 5,
        timeout_s: float = 60.0,
        transport: httpx2.AsyncBaseTransport | None = None,
    ) -> AsyncIterator["Answerer"]:
        """Connect to the model's server, which is asked for the model first: that is free.

        Its connections are closed at the end of the block. Raises AnswererError if URL or key are
        unusable, the key is refused, the server can't be reached, or the model is missing.
        """
        async with Caller.connect(
            ANSWERER,
            identity.model,
            api_key=api_key,
            base_url=base_url,
            options=options,
            max_retries=max_retries,
            timeout_s=timeout_s,
            transport=transport,
        ) as caller:
            yield cls(caller, identity, prompt, prices)

    async def probe(self) -> str:
        """Ask for the model again, which is free; the server's system."""
        return await self._caller.probe()

    async def answer(self, question: str, memories: Sequence[str]) -> OwnAnswer:
        """The model's answer from these memories, a line each.

        Raises AnswererError where every further question would fail as well, and
        `BudgetReachedError`.
        """
        filled = fill(self._prompt, question, memories)
        timed = await self._caller.ask(filled.message, ANSWER)
        said, usage = timed.completion, timed.completion.usage
        is_silence = said.reason == EMPTY
        read, written = usage.prompt_tokens, usage.completion_tokens
        is_counted = read is not None and written is not None
        cost_usd = self._price.cost_usd(read or 0, written or 0) if is_counted else None
        return OwnAnswer(
            text="" if is_silence else said.text,
            reason=None if is_silence else said.reason,
            model=said.model,
            input_tokens=read,
            output_tokens=written,
            memory_tokens=None if read is None else round(read * filled.memory_share),
            cost_usd=0.0 if self._price.free else cost_usd,
            asked_at=timed.asked_at,
            latency_ms=timed.latency_ms,
            in_flight=timed.in_flight,
        )
