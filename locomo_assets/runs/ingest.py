"""The stage that feeds a conversation to a new assistant, or resumes feeding it.

The journal of an ingestion is the rows of its uncommitted attempt. Who resumes keeps the
ingestion's id, and with it the assistant's name, so that an assistant whose creation nobody noted
is found by its name.
"""

import logging
import uuid
from collections.abc import Collection, Sequence
from dataclasses import asdict, fields, replace
from datetime import UTC, datetime
from typing import Any

from locomo_assets.backboard.ingest import IngestProgress, ingest
from locomo_assets.backboard.reconcile import EndedOperation, IngestedTurn, IngestState
from locomo_assets.history.lease import leased
from locomo_assets.history.provenance import UnfinishedAttempt
from locomo_assets.history.store import HistoryStore
from locomo_assets.http.errors import NotFoundError, ThreadDamagedError
from locomo_assets.http.limits import run_in_thread
from locomo_assets.locomo.model import Conversation
from locomo_assets.prices import ModelPrice
from locomo_assets.runs.checkpoint import (
    AnyRow,
    CheckpointWriter,
    checkpointing,
    finish,
    first_complete,
    flat_row,
    resumable_attempts,
    resumable_lineage,
)
from locomo_assets.runs.context import RunContext, Task, noted_calls
from locomo_assets.runs.damage import damaged_ingestions, mark_damaged
from locomo_assets.runs.releases import TABLE as RELEASE_CHECKS
from locomo_assets.runs.releases import refuse_other_release, worst
from locomo_assets.runs.stages import (
    IngestionCounts,
    IngestionReport,
    current_ingestion,
    ingest_fingerprint,
    is_ingested,
)

_log = logging.getLogger(__name__)

TABLES = ("ingest_journal", "ingested_turns", "memory_operations")
"""In the order in which they are to be saved: an operation never before its turn."""


class StoredIngestJournal:
    """Assistant and threads are saved at once, turns and operations within seconds.

    What a kill leaves unsaved is found on the server again. `assistant_id` is None until known.
    """

    def __init__(
        self,
        writer: CheckpointWriter,
        *,
        ingestion_id: str,
        assistant_name: str,
        state: IngestState,
    ) -> None:
        self._writer = writer
        self._own = {"ingestion_id": ingestion_id}
        self._assistant_name = assistant_name
        self.assistant_id = state.assistant_id
        self._state = state

    async def load(self) -> IngestState:
        await self._note("begun")
        return self._state

    async def assistant_created(self, assistant_id: str) -> None:
        self.assistant_id = assistant_id
        await self._note("assistant_created")

    async def thread_created(self, session_index: int, thread_id: str) -> None:
        await self._note("thread_created", session_index=session_index, thread_id=thread_id)

    async def thread_doubted(self, session_index: int, thread_id: str) -> None:
        await self._note("thread_doubted", session_index=session_index, thread_id=thread_id)

    async def turn_confirmed(self, turn: IngestedTurn) -> None:
        row = {**self._own, "assistant_id": self.assistant_id, **flat_row(turn)}
        self._writer.add("ingested_turns", row)

    async def operation_ended(self, operation: EndedOperation) -> None:
        self._writer.add("memory_operations", {**self._own, **flat_row(operation)})

    async def _note(self, event: str, **more: Any) -> None:
        row = {
            **self._own,
            "event": event,
            "assistant_name": self._assistant_name,
            "assistant_id": self.assistant_id,
            "noted_at": datetime.now(UTC),
            **more,
        }
        self._writer.add("ingest_journal", row)
        await self._writer.save()


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
        doubtful=frozenset(
            row["session_index"] for row in events if row["event"] == "thread_doubted"
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


_ASSET = "ingested_memories"


async def ingest_conversation(run: RunContext, task: Task) -> IngestionReport:
    """Feeds the conversation, turn by turn, to a new assistant; or finds it already fed.

    What a killed run began is resumed, each turn sent once. `LeaseTakenError` if another
    run is at it, `OtherReleaseError` if the feed names another release than the task's. Nothing
    is done where the question protocol rests on no ingestion.
    """
    if not run.ask_protocol.needs_ingestion:
        why = f"memory is off in the question protocol {run.ask_protocol.label()}"
        return IngestionReport(counts=IngestionCounts(), skipped=why)
    conversation, sha256 = run.conversation(task.conversation)
    reused = _reused(run, task, sha256, conversation)
    if reused is not None:
        return reused
    async with leased(run.store.storage, run.lineage(_ASSET, task, sha256)):
        # Whoever held the lease until now may have done it.
        reused = _reused(run, task, sha256, conversation)
        return reused or await _ingest(run, task, sha256, conversation)


def _reused(
    run: RunContext, task: Task, sha256: str, conversation: Conversation
) -> IngestionReport | None:
    known = current_ingestion(run, task, sha256)
    if known is None or not is_ingested(run, task, sha256):
        return None
    run.progress.add(turns=len(conversation.turns))
    return IngestionReport(counts=IngestionCounts.from_json(known.extra["numbers"]))


async def _ingest(
    run: RunContext, task: Task, sha256: str, conversation: Conversation
) -> IngestionReport:
    own_fingerprint = ingest_fingerprint(run, task, sha256)
    lineage = run.lineage(_ASSET, task, sha256)
    before = await run.watch.check(task.release, _ASSET, "before")
    refuse_other_release(run.store, lineage, before)
    ingestion_id, left, state = await _where_it_stopped(run, task, own_fingerprint)
    name = f"LoCoMo Test Assistant {ingestion_id[:8]} {task.conversation} {task.release}"[:255]
    attempt = run.store.begin(
        resumable_lineage(lineage, task, own_fingerprint, ingestion_id=ingestion_id)
    )
    attempt.append(RELEASE_CHECKS, [before.row()])
    done = 0

    def on_progress(now: IngestProgress) -> None:
        nonlocal done
        run.progress.add(turns=now.turns - done)
        done = now.turns

    protocol = run.ingest_protocol
    with noted_calls() as calls:
        price = ModelPrice(run.prices, protocol.llm_model or "", run.is_free)
        writer = CheckpointWriter(attempt, TABLES, calls, price)
        journal = StoredIngestJournal(
            writer, ingestion_id=ingestion_id, assistant_name=name, state=state
        )
        try:
            async with checkpointing(writer):
                result = await ingest(
                    run.client,
                    conversation,
                    protocol,
                    assistant_name=name,
                    journal=journal,
                    progress=on_progress,
                )
        except ThreadDamagedError as error:
            ids = {"ingestion_id": ingestion_id, "assistant_id": journal.assistant_id}
            mark_damaged(run, replace(lineage, extra=ids), str(error))
            raise
    after = await run.watch.check(task.release, _ASSET, "after")
    attempt.append(RELEASE_CHECKS, [after.row()])
    began_at, earlier_s = time_at_work(run.store, left)
    numbers = {**result.numbers(), "duration_s": earlier_s + result.duration_s}
    head = {
        **numbers,
        "ingestion_id": ingestion_id,
        "fingerprint": own_fingerprint,
        "assistant_id": result.assistant_id,
        "base_url": run.base_url,
        "ingest_protocol": protocol.label(),
        "llm_provider": protocol.llm_provider,
        "llm_model": protocol.llm_model,
        "options_json": protocol.options_json(),
        "started_at": began_at or result.started_at,
        "ended_at": result.ended_at,
    }

    def sum_up() -> None:
        attempt.append("ingestions", [head], is_derived=True)
        memories = [{"ingestion_id": ingestion_id, **m} for m in result.memory_rows()]
        attempt.append("memories", memories, is_derived=True)

    await run_in_thread(sum_up)
    counts = IngestionCounts.from_json(
        {**numbers, **result.completeness(), "release_check": worst(before, after)}
    )
    await finish(
        attempt,
        run.store,
        left,
        assistant_id=result.assistant_id,
        numbers=asdict(counts),
        doubtful_threads=result.doubtful_threads,
    )
    return IngestionReport(
        attempt_id=attempt.attempt_id,
        counts=counts,
        turns_of_killed_runs=len(state.turns),
        turns_read_back=result.turns_read_back,
        requests=len(calls),
    )


async def _where_it_stopped(
    run: RunContext, task: Task, own_fingerprint: str
) -> tuple[str, list[UnfinishedAttempt], IngestState]:
    """The newest unfinished ingestion whose assistant is there and undamaged, or a new one."""
    damaged = damaged_ingestions(run.store, task.release, task.conversation)
    if damaged:
        newest = list(damaged.values())[-1].extra
        _log.warning(
            "assistant %s of an earlier run is not used: %s; `locomo-assets remote delete "
            "--damaged` removes it",
            newest["assistant_id"],
            newest["reason"],
        )
    unfinished = resumable_attempts(run.store, _ASSET, task, own_fingerprint)
    by_id: dict[str, list[UnfinishedAttempt]] = {}
    for attempt in unfinished:
        by_id.setdefault(attempt.lineage.extra["ingestion_id"], []).append(attempt)
    for ingestion_id, attempts in reversed(by_id.items()):
        if ingestion_id in damaged:
            continue
        state = state_of(run.store, attempts)
        try:
            if state.assistant_id is not None:
                await run.client.get_assistant(state.assistant_id)
        except NotFoundError:
            continue
        return ingestion_id, attempts, state
    return uuid.uuid4().hex, [], IngestState()


def system_at(store: HistoryStore, base_url: str, releases: Collection[str]) -> str | None:
    """What a service called itself when it ingested for one of these releases; None: unknown."""
    named = [
        row["system"]
        for release in sorted(releases)
        for row in store.read(
            "ingestions",
            store.manifests(asset=_ASSET, release=release),
            ("base_url", "system"),
        ).to_pylist()
        if row["base_url"] == base_url
    ]
    return named[-1] if named else None
