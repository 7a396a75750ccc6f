"""What was retrieved for a question: rows of `retrievals`, and found again in them.

One retrieval serves every k, answering model and prompt: an equal one is not asked for again.
"""

import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby

from locomo_assets.backboard.answers import RETRIEVED, Retrieval
from locomo_assets.backboard.models import Memory, Retrieved
from locomo_assets.history.provenance import UnfinishedAttempt, committed_ids
from locomo_assets.locomo.model import Conversation, Question
from locomo_assets.runs.checkpoint import Row
from locomo_assets.runs.context import RunContext, Task, fingerprint
from locomo_assets.runs.stages import MemorySource

TABLE = "retrievals"


@dataclass(frozen=True, slots=True)
class StoredRetrieval:
    """The memories of one retrieval, best first, and beside each when it was said, if known.

    `rows` are to be saved in the attempt at work; none where they are safe elsewhere.
    """

    retrieval_id: str
    memories: tuple[Memory, ...]
    dates: tuple[datetime | None, ...]
    rows: tuple[Row, ...] = ()

    def lines(self, k: int) -> list[str]:
        """The first k memories as the answering model is given them: a line each, dated."""
        pairs = zip(self.memories[:k], self.dates[:k], strict=True)
        return [" ".join(f"{_date(one.memory, date)}{one.memory}".split()) for one, date in pairs]


def _date(memory: str, date: datetime | None) -> str:
    """The date before a memory's text; nothing where the text tells it itself."""
    if date is None:
        return ""
    month = f"{date:%B}"
    spelled = (
        f"{date:%Y-%m-%d}",
        f"{date.day} {month} {date.year}",
        f"{date.day} {month}, {date.year}",
        f"{month} {date.day}, {date.year}",
    )
    return "" if any(one in memory for one in spelled) else f"[{date:%Y-%m-%d}] "


def retrieval_fingerprint(run: RunContext, source: MemorySource, question: Question) -> str:
    """What a retrieval depends on: the memories, the question, the path, the kind of memory."""
    return fingerprint(
        {
            "kind": "retrieval",
            "version": 1,
            "ingestion": None if source.ingestion is None else source.ingestion.attempt_id,
            "question_index": question.question_index,
            "question": question.question,
            "path": _protocol(run).path,
            "limit": RETRIEVED,
            "memory": run.ask_protocol.options.memory,
        }
    )


def new_retrieval(
    run: RunContext,
    source: MemorySource,
    conversation: Conversation,
    question: Question,
    got: Retrieved,
) -> StoredRetrieval:
    """What just came, with the rows that keep it: one without a rank if nothing was found."""
    # A memory's time after the last session is that of its storing.
    before = max(session.started_at for session in conversation.sessions).replace(
        hour=23, minute=59, second=59
    )
    retrieval_id = uuid.uuid4().hex
    shared = {
        "retrieval_id": retrieval_id,
        "fingerprint": retrieval_fingerprint(run, source, question),
        "ingestion_id": source.ingestion_id,
        "question_index": question.question_index,
        "path": _protocol(run).path,
        "latency_ms": got.latency_ms,
        "retrieved_at": got.retrieved_at,
    }
    memories = got.memories[:RETRIEVED]
    dates = tuple(memory.dated(before) for memory in memories)
    rows = [
        {
            **shared,
            "rank": rank,
            "memory_id": memory.memory_id,
            "memory": memory.memory,
            "score": memory.score,
            "memory_date": date,
        }
        for rank, (memory, date) in enumerate(zip(memories, dates, strict=True), 1)
    ]
    return StoredRetrieval(retrieval_id, memories, dates, tuple(rows or [shared]))


def stored_retrievals(
    run: RunContext, task: Task, adopted: Sequence[UnfinishedAttempt] = ()
) -> dict[str, StoredRetrieval]:
    """Fingerprint → the newest stored retrieval of the task's release and conversation.

    Those of unfinished attempts count, too: to be used under the partition's lease. Their rows are
    saved again, except those of `adopted`, which are committed with the attempt at work. A forced
    task knows only what it retrieved itself.
    """
    where = {"release": task.release, "conversation": task.conversation}
    committed = [] if task.force else run.store.manifests(asset="answers", **where)
    unfinished = [] if task.force else run.store.unfinished("answers", *where.values())
    safe = committed_ids(committed) | {attempt.attempt_id for attempt in adopted}
    copied = [attempt for attempt in unfinished if attempt.attempt_id not in safe]
    kept = run.store.read(TABLE, [*committed, *adopted]).to_pylist()
    found = dict(_read(kept))
    for key, retrieval in _read(run.store.read(TABLE, copied).to_pylist(), is_copied=True):
        found.setdefault(key, retrieval)
    return found


def times_retrieved(
    run: RunContext, task: Task, source: MemorySource, questions: Sequence[Question]
) -> int:
    """Of how many of these questions the memories are retrieved, and committed."""
    if run.ask_protocol.retrieval is None or task.force:
        return 0
    where = {"release": task.release, "conversation": task.conversation}
    committed = run.store.manifests(asset="answers", **where)
    known = set(run.store.read(TABLE, committed, ("fingerprint",))["fingerprint"].to_pylist())
    return sum(retrieval_fingerprint(run, source, question) in known for question in questions)


def _read(rows: Sequence[Row], *, is_copied: bool = False) -> Iterator[tuple[str, StoredRetrieval]]:
    ordered = sorted(
        rows, key=lambda row: (row["retrieved_at"], row["retrieval_id"], row["rank"] or 0)
    )
    for (_, retrieval_id), group in groupby(
        ordered, key=lambda row: (row["retrieved_at"], row["retrieval_id"])
    ):
        # A copy of a row may have been committed beside it.
        ranked = {row["rank"]: row for row in group}
        memories = [
            (Memory(row["memory_id"], row["memory"], None, row["score"], None, None), row)
            for rank, row in ranked.items()
            if rank is not None
        ]
        yield (
            next(iter(ranked.values()))["fingerprint"],
            StoredRetrieval(
                retrieval_id,
                tuple(memory for memory, _ in memories),
                tuple(row["memory_date"] for _, row in memories),
                tuple(map(_own_columns, ranked.values())) if is_copied else (),
            ),
        )


_OWN_COLUMNS = (
    "retrieval_id",
    "fingerprint",
    "ingestion_id",
    "question_index",
    "rank",
    "memory_id",
    "memory",
    "score",
    "path",
    "latency_ms",
    "retrieved_at",
    "memory_date",
)


def _own_columns(row: Row) -> Row:
    return {name: row[name] for name in _OWN_COLUMNS}


def _protocol(run: RunContext) -> Retrieval:
    retrieval = run.ask_protocol.retrieval
    assert retrieval is not None  # noqa: S101  # asked for with that protocol alone
    return retrieval
