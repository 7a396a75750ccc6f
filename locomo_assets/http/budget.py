"""What a run may still spend: asked before each paid call, told its cost afterwards.

Here: the count and the stop. Prices are `prices`', the amount spent before and the limit are
given by `pipeline.services`; the clients ask before they send.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from locomo_assets.errors import LocomoError
from locomo_assets.http.errors import PermanentError, TransientError

ANSWER, VERDICT, BATCHED_VERDICT = "answer", "verdict", "batched verdict"
"""The kinds of call that are paid for by tokens."""

Told = Callable[[int | None, int | None], None]
"""Takes a call's input and output tokens, None where unknown."""


class BudgetReachedError(LocomoError):
    """The next call could cost more than is left."""


class Budget:
    """At most `max_cost_usd`, of which `spent_usd` is gone already. Used from one event loop.

    A call is let go if the dearest of its kind so far would still fit beside those under way;
    one whose cost stays unknown (its answer was lost) counts as the dearest. A call that is
    dearer than any before may therefore pass the limit, by what it is dearer.
    """

    def __init__(self, max_cost_usd: float, spent_usd: float = 0.0) -> None:
        self.max_cost_usd = max_cost_usd
        self.spent_usd = spent_usd
        self._under_way_usd = 0.0
        self._prices: dict[str, Callable[[int, int], float | None]] = {}
        self._dearest_usd: dict[str, float] = {}
        self._changed = asyncio.Event()

    def price(
        self, kind: str, cost_usd: Callable[[int, int], float | None], expected_usd: float
    ) -> None:
        """From now on calls of this kind cost so much; `expected_usd`: the first, before any."""
        self._prices[kind] = cost_usd
        self._dearest_usd[kind] = expected_usd

    @asynccontextmanager
    async def place(self, kind: str, calls: int = 1, *, sent: bool = False) -> AsyncIterator[Told]:
        """Around one call, or so many that are made as one: waits while those under way could use
        up the rest. Told of the tokens of all.

        Raises `BudgetReachedError` where it would not fit even if they cost nothing. What an
        earlier run has `sent` already is counted, and not stopped.
        """
        if not sent:
            await self._room(kind, calls)
        dearest = calls * self._dearest_usd.get(kind, 0.0)
        cost: float | None = None

        def told(input_tokens: int | None, output_tokens: int | None) -> None:
            nonlocal cost
            if input_tokens is not None and output_tokens is not None and kind in self._prices:
                cost = self._prices[kind](input_tokens, output_tokens)

        self._under_way_usd += dearest
        try:
            yield told
        except (PermanentError, TransientError):
            cost = 0.0  # surely not carried out
            raise
        finally:
            self._under_way_usd -= dearest
            self.spent_usd += dearest if cost is None else cost
            self._dearest_usd[kind] = max(self._dearest_usd.get(kind, 0.0), (cost or 0.0) / calls)
            self._changed.set()
            self._changed = asyncio.Event()

    async def _room(self, kind: str, calls: int) -> None:
        what = kind if calls == 1 else f"{calls} {kind}s"
        while True:
            needed = self.spent_usd + calls * self._dearest_usd.get(kind, 0.0)
            if needed > self.max_cost_usd:
                raise BudgetReachedError(
                    f"cost limit: {self.spent_usd:.4f} of {self.max_cost_usd:g} USD are spent and "
                    f"the next {what} may cost {needed - self.spent_usd:.4f}; raise "
                    "LOCOMO_MAX_COST_USD and run it again: what is stored is not paid for again"
                )
            if needed + self._under_way_usd <= self.max_cost_usd + 1e-9:
                return
            await self._changed.wait()


@asynccontextmanager
async def place_in(
    budget: Budget | None, kind: str | None, calls: int = 1, *, sent: bool = False
) -> AsyncIterator[Told]:
    """`budget.place(…)`; nothing to wait for without a budget, or for a call that is free."""
    if budget is None or kind is None:
        yield lambda _input_tokens, _output_tokens: None
        return
    async with budget.place(kind, calls, sent=sent) as told:
        yield told
