"""The cost limit of a run: a call reserves what it may cost, and reports what it used.

Prices, the limit and the amount spent before are given by the caller.
"""

import asyncio
import math
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from locomo_assets.errors import LocomoError
from locomo_assets.http.errors import PermanentError, TransientError

ANSWER, VERDICT, BATCHED_VERDICT = "answer", "verdict", "batched verdict"
"""The kinds of call that are paid for by tokens."""

RecordUsage = Callable[[int | None, int | None], None]
"""Takes input and output tokens, None where unknown."""


class BudgetReachedError(LocomoError):
    """The next call could cost more than is left."""


class Budget:
    """At most `max_cost_usd`, of which `spent_usd` is spent already. Used from one event loop.

    A call may cost as much as the most expensive one of its kind so far; it is sent if that still
    fits beside the calls under way. A call whose cost stays unknown, because its answer was lost,
    counts as the most expensive one. So only a call that costs more than any before it can pass
    the limit, and only by the difference.
    """

    def __init__(self, max_cost_usd: float = math.inf, spent_usd: float = 0.0) -> None:
        self.max_cost_usd = max_cost_usd
        self.spent_usd = spent_usd
        self._reserved_usd = 0.0
        self._prices: dict[str, Callable[[int, int], float | None]] = {}
        self._highest_usd: dict[str, float] = {}
        self._changed = asyncio.Event()

    def price(
        self, kind: str, cost_usd: Callable[[int, int], float | None], expected_usd: float
    ) -> None:
        """Set the price of a kind of call. `expected_usd` is what the first one may cost."""
        self._prices[kind] = cost_usd
        self._highest_usd[kind] = expected_usd

    @asynccontextmanager
    async def reserve(
        self, kind: str, calls: int = 1, *, sent: bool = False
    ) -> AsyncIterator[RecordUsage]:
        """Reserve the cost of a call, or of `calls` calls sent as one; yields `record_usage`.

        Waits while the calls under way could use up the rest. Raises `BudgetReachedError` if it
        would not fit even if they cost nothing. Calls that an earlier run has `sent` are counted,
        but neither wait nor stop.
        """
        if not sent:
            await self._wait_for_room(kind, calls)
        reserved = calls * self._highest_usd.get(kind, 0.0)
        cost: float | None = None

        def record_usage(input_tokens: int | None, output_tokens: int | None) -> None:
            nonlocal cost
            if input_tokens is not None and output_tokens is not None and kind in self._prices:
                cost = self._prices[kind](input_tokens, output_tokens)

        self._reserved_usd += reserved
        try:
            yield record_usage
        except (PermanentError, TransientError):
            cost = 0.0  # certainly not carried out
            raise
        finally:
            self._reserved_usd -= reserved
            self.spent_usd += reserved if cost is None else cost
            self._highest_usd[kind] = max(self._highest_usd.get(kind, 0.0), (cost or 0.0) / calls)
            self._changed.set()
            self._changed = asyncio.Event()

    async def _wait_for_room(self, kind: str, calls: int) -> None:
        what = kind if calls == 1 else f"{calls} {kind}s"
        while True:
            needed = self.spent_usd + calls * self._highest_usd.get(kind, 0.0)
            if needed > self.max_cost_usd:
                raise BudgetReachedError(
                    f"cost limit: {self.spent_usd:.4f} of {self.max_cost_usd:g} USD are spent and "
                    f"the next {what} may cost {needed - self.spent_usd:.4f}; raise "
                    "LOCOMO_MAX_COST_USD and run it again: what is stored is not paid for again"
                )
            if needed + self._reserved_usd <= self.max_cost_usd + 1e-9:
                return
            await self._changed.wait()
