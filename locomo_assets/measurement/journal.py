"""The ingestion journal that outlives its process: rows of an attempt not committed yet.

Here: facts to rows and back. What a journal is stands in `backboard.journal`, when rows are
saved in `saving`.

The rows are the attempt's own (`ingested_turns`, `memory_operations`), so that committing needs
nothing more; what has no row there goes to `ingest_journal`.
"""

from collections.abc import Sequence
from dataclasses import asdict, fields
from datetime import UTC, datetime
from typing import Any

from locomo_assets.backboard.journal import EndedOperation, IngestedTurn, IngestState
from locomo_assets.history.lineage import UnfinishedAttempt
from locomo_assets.history.store import HistoryStore
from locomo_assets.measurement.resuming import AnyRow, first_complete
from locomo_assets.measurement.saving import Saver

TABLES = ("ingest_journal", "ingested_turns", "memory_operations")
"""In the order in which they are to be saved: an operation never before its turn."""


class StoredIngestJournal:
    """Assistant and threads are saved at once, turns and operations within seconds.

    What a kill leaves unsaved is found on the server again.
    """

    def __init__(
        self, saver: Saver, *, ingestion_id: str, assistant_name: str, state: IngestState
    ) -> None:
        self._saver = saver
        self._own = {"ingestion_id": ingestion_id}
        self._assistant_name = assistant_name
        self._assistant_id = state.assistant_id
        self._state = state

    async def load(self) -> IngestState:
        await self._note("begun")
        return self._state

    async def assistant_created(self, assistant_id: str) -> None:
        self._assistant_id = assistant_id
        await self._note("assistant_created")

    async def thread_created(self, session_index: int, thread_id: str) -> None:
        await self._note("thread_created", session_index=session_index, thread_id=thread_id)

    async def turn_confirmed(self, turn: IngestedTurn) -> None:
        row = {**self._own, "assistant_id": self._assistant_id, **asdict(turn)}
        self._saver.add("ingested_turns", row)

    async def operation_ended(self, operation: EndedOperation) -> None:
        self._saver.add("memory_operations", {**self._own, **asdict(operation)})

    async def _note(self, event: str, **more: Any) -> None:
        row = {
            **self._own,
            "event": event,
            "assistant_name": self._assistant_name,
            "assistant_id": self._assistant_id,
            "noted_at": datetime.now(UTC),
            **more,
        }
        self._saver.add("ingest_journal", row)
        await self._saver.save()


def state_of(store: HistoryStore, attempts: Sequence[UnfinishedAttempt]) -> IngestState:
    """How far unfinished attempts at one ingestion came, together."""
    events, turns, operations = (store.read(name, attempts).to_pylist() for name in TABLES)
    threads = {
        row["session_index"]: row["thread_id"]
        for row in reversed(events)
        if row["event"] == "thread_created"
    }
    return IngestState(
        assistant_id=next((r["assistant_id"] for r in events if r["assistant_id"]), None),
        threads=threads,
        turns=tuple(
            IngestedTurn(**_fields(IngestedTurn, row))
            for _, row in sorted(_once(turns, "session_index", "turn_index").items())
        ),
        operations=tuple(
            EndedOperation(**{**_fields(EndedOperation, row), "memory_ids": tuple(_ids(row))})
            for row in _once(operations, "memory_operation_id").values()
        ),
    )


def time_at_work(
    store: HistoryStore, attempts: Sequence[UnfinishedAttempt]
) -> tuple[datetime | None, float]:
    """When the first attempt began, and the seconds that all worked, each to its last save."""
    began: datetime | None = None
    seconds = 0.0
    for attempt in attempts:
        rows = [row for name in TABLES for row in store.read(name, [attempt]).to_pylist()]
        begun = [row["noted_at"] for row in rows if row.get("event") == "begun"]
        if begun:
            began = min(filter(None, (began, *begun)))
            seconds += (max(row["written_at"] for row in rows) - min(begun)).total_seconds()
    return began, seconds


def _once(rows: Sequence[AnyRow], *key: str) -> dict[tuple[Any, ...], AnyRow]:
    return first_complete(rows, lambda row: tuple(row[name] for name in key), lambda _: True)


def _fields(kind: type, row: AnyRow) -> dict[str, Any]:
    return {one.name: row[one.name] for one in fields(kind)}


def _ids(row: AnyRow) -> Sequence[str]:
    return row["memory_ids"] or ()
