"""An attempt's rows, saved while they come, and found again by the run that resumes it.

To be used under the partition's lease: only then nobody else is at work on what is unfinished.
"""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Hashable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any, TypeVar

from locomo_assets.history.provenance import Lineage, UnfinishedAttempt
from locomo_assets.history.store import Attempt, HistoryStore
from locomo_assets.http.calls import CallRecord
from locomo_assets.http.limits import first_failure, run_in_thread, start_in_daemon_thread
from locomo_assets.prices import ModelPrice
from locomo_assets.runs.context import Task

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Row = Mapping[str, Any]


def flat_row(record: "DataclassInstance") -> dict[str, Any]:
    """Its fields as they are; `asdict` would copy each of them deeply, which takes much longer."""
    return {one.name: getattr(record, one.name) for one in fields(record)}


def call_rows(calls: Sequence[CallRecord], price: ModelPrice) -> list[Row]:
    """Rows of the `calls` table; a cost the client did not know is filled in."""
    rows: list[Row] = []
    for call in calls:
        row = flat_row(call)
        if call.cost_usd is None and call.output_tokens is not None:
            row["cost_usd"] = price.cost_usd(call.input_tokens or 0, call.output_tokens)
        rows.append(row)
    return rows


SAVED_EVERY_S = 2.0
_LAST_SAVE_S = 20.0


class CheckpointWriter:
    """Rows on their way into an attempt. Tables are saved in the order given, calls last.

    `calls` grows while requests are made. `on_saved` gets a table and its rows, in the event
    loop, after each save but the last.
    """

    def __init__(
        self,
        attempt: Attempt,
        tables: Sequence[str],
        calls: Sequence[CallRecord],
        price: ModelPrice,
        on_saved: Callable[[str, Sequence[Row]], None] | None = None,
    ) -> None:
        self._attempt = attempt
        self._on_saved = on_saved
        self._waiting: dict[str, list[Row]] = {table: [] for table in tables}
        self._calls = calls
        self._calls_saved = 0
        self._price = price
        self._one_at_a_time = threading.Lock()
        self._rows_added = 0
        self._rows_saved = 0
        self._turn = asyncio.Lock()

    def add(self, table: str, *rows: Row) -> None:
        """Saved within `SAVED_EVERY_S`, or with the next `save`."""
        self._waiting[table] += rows
        self._rows_added += len(rows)

    async def save(self) -> None:
        """Returns when all that was added is saved. Many that wait share one save."""
        wanted = self._rows_added
        async with self._turn:
            if self._rows_saved >= wanted:
                return
            adding = self._rows_added
            saved = await asyncio.to_thread(self.save_now)
            self._rows_saved = adding
        if self._on_saved is not None:
            for table, rows in saved.items():
                self._on_saved(table, rows)

    def save_now(self) -> dict[str, list[Row]]:
        """`save` that blocks; what it saved."""
        saved: dict[str, list[Row]] = {}
        with self._one_at_a_time:
            for table, waiting in self._waiting.items():
                rows = waiting[:]
                self._attempt.append(table, rows)
                del waiting[: len(rows)]
                saved[table] = rows
            calls = self._calls[self._calls_saved :]
            self._attempt.append("calls", call_rows(calls, self._price))
            self._calls_saved += len(calls)
        return saved

    async def save_now_and_then(self) -> None:
        """Never returns."""
        while True:
            await asyncio.sleep(SAVED_EVERY_S)
            if any(self._waiting.values()):
                await self.save()


@asynccontextmanager
async def checkpointing(writer: CheckpointWriter) -> AsyncIterator[None]:
    """Saves while the block lasts, and what is left at its end, also if it is cancelled or fails.

    A failure to save ends the block: nothing is paid for that can't be kept.
    """
    try:
        with first_failure():
            async with asyncio.TaskGroup() as group:
                ticking = group.create_task(writer.save_now_and_then())
                yield
                ticking.cancel()
    except BaseException:
        # In a thread that can't hold up the process: the storage may be what hangs.
        await asyncio.wait([start_in_daemon_thread(writer.save_now)], timeout=_LAST_SAVE_S)
        raise
    await run_in_thread(writer.save_now)


K = TypeVar("K", bound=Hashable)
AnyRow = Mapping[str, Any]


def resumable_lineage(lineage: Lineage, task: Task, fingerprint: str, **extra: Any) -> Lineage:
    """The lineage under which `resumable_attempts` finds an attempt again."""
    own = {"fingerprint": fingerprint, "forced": task.force, **extra}
    return replace(lineage, extra={**lineage.extra, **own})


def resumable_attempts(
    store: HistoryStore, asset: str, task: Task, fingerprint: str
) -> list[UnfinishedAttempt]:
    """Unfinished attempts at just this work, oldest first.

    A forced task pays for everything again, so it resumes only what a forced one began; and a
    repeat asks again what has answers, so it resumes only what the same repeat began to ask.
    """

    def is_same(extra: Mapping[str, Any]) -> bool:
        if extra.get("fingerprint") != fingerprint:
            return False
        if extra.get("forced"):
            return True
        return not task.force and extra.get("repeat") in (None, task.repeat)

    unfinished = store.unfinished(asset, task.release, task.conversation)
    return [attempt for attempt in unfinished if is_same(attempt.lineage.extra)]


async def finish(
    attempt: Attempt, store: HistoryStore, left: Iterable[UnfinishedAttempt], **extra: Any
) -> None:
    """Commit the attempt with the rows of those it went on with."""

    def commit() -> None:
        for earlier in left:
            attempt.adopt(store, earlier)
        attempt.merge()
        attempt.commit(**extra)

    await run_in_thread(commit)


def first_complete(
    rows: Iterable[AnyRow], key: Callable[[AnyRow], K], is_complete: Callable[[AnyRow], bool]
) -> dict[K, AnyRow]:
    """Of the rows of one attempt that have the same key, the one that counts.

    It is the first complete one, or where none is complete the first. Rows must come in the
    order of their times. The others stay in the history as superseded; the views
    `current_answers` and `current_judgements` go by the same rule.
    """
    counts: dict[K, AnyRow] = {}
    for row in rows:
        known = counts.get(key(row))
        if known is None or (is_complete(row) and not is_complete(known)):
            counts[key(row)] = row
    return counts
