"""An attempt's rows, saved in small parts while they come.

Here: when they are saved, and who is told. What a killed run has saved is found again by
`resuming`.
"""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress

from locomo_assets.backboard.calls import CallRecord
from locomo_assets.backboard.tasks import first_failure
from locomo_assets.history.errors import HistoryError
from locomo_assets.history.store import Attempt
from locomo_assets.measurement.aside import aside
from locomo_assets.measurement.rows import Row, call_rows
from locomo_assets.prices import PriceTable

SAVED_EVERY_S = 2.0


class Saver:
    """Rows on their way into an attempt. Tables are saved in the order given, calls last.

    `free`: the requests cost nothing, whatever `model` costs elsewhere. `on_saved` is told a table
    and its rows, in the event loop, after each save but the last.
    """

    def __init__(
        self,
        attempt: Attempt,
        tables: Sequence[str],
        *,
        calls: Sequence[CallRecord],
        prices: PriceTable,
        model: str,
        free: bool = False,
        on_saved: Callable[[str, Sequence[Row]], None] | None = None,
    ) -> None:
        self._attempt = attempt
        self._on_saved = on_saved
        self._waiting: dict[str, list[Row]] = {table: [] for table in tables}
        self._calls = calls
        self._calls_saved = 0
        self._prices = prices
        self._model = model
        self._free = free
        self._one_at_a_time = threading.Lock()

    def add(self, table: str, *rows: Row) -> None:
        """Saved within `SAVED_EVERY_S`, or with the next `save`."""
        self._waiting[table] += rows

    async def save(self) -> None:
        """Returns when all that was added is saved."""
        saved = await asyncio.to_thread(self.save_now)
        if self._on_saved is not None:
            for table, rows in saved.items():
                self._on_saved(table, rows)

    def save_now(self) -> dict[str, list[Row]]:
        """`save` that blocks, for where nothing can be awaited any more; what it saved."""
        saved: dict[str, list[Row]] = {}
        with self._one_at_a_time:
            for table, waiting in self._waiting.items():
                rows = waiting[:]
                self._attempt.append(table, rows)
                del waiting[: len(rows)]
                saved[table] = rows
            calls = self._calls[self._calls_saved :]
            self._attempt.append(
                "calls", call_rows(calls, self._prices, self._model, free=self._free)
            )
            self._calls_saved += len(calls)
        return saved

    async def save_now_and_then(self) -> None:
        """Never returns."""
        while True:
            await asyncio.sleep(SAVED_EVERY_S)
            if any(self._waiting.values()):
                await self.save()


@asynccontextmanager
async def saving(saver: Saver) -> AsyncIterator[None]:
    """Saves while the block lasts, and what is left at its end, also if it is cancelled or fails.

    A failure to save ends the block: nothing is paid for that can't be kept.
    """
    try:
        with first_failure():
            async with asyncio.TaskGroup() as group:
                ticking = group.create_task(saver.save_now_and_then())
                yield
                ticking.cancel()
    except BaseException:
        with suppress(HistoryError):
            saver.save_now()
        raise
    await aside(saver.save_now)
