"""Verdicts by batches, over as many runs as they take.

Each step is saved before the next: a batch is *intended* under a name of our own, *created* with
an id, and its results are *collected*. A run that resumes after a kill between the first two finds
the batch at the server by its name, so that no verdict is paid for twice.
"""

import asyncio
import secrets
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from locomo_assets.errors import LocomoError
from locomo_assets.history.provenance import UnfinishedAttempt
from locomo_assets.history.store import HistoryStore
from locomo_assets.http.limits import RecordUsage, gather_limited
from locomo_assets.judging.judge import BatchState, Case, Judgement
from locomo_assets.runs.checkpoint import CheckpointWriter
from locomo_assets.runs.context import Batching

TABLE = "judge_batches"

_NAMED = 3
_FIRST_POLL_S, _LONGEST_POLL_S = 1.0, 60.0


class BatchPendingError(LocomoError):
    """Verdicts are not there yet: nothing has failed, and another run collects them."""

    exit_code = 75

    def __init__(self, pending: Sequence[BatchState], *, forced: bool) -> None:
        super().__init__(_pending_line(pending, forced))
        self.pending = tuple(pending)
        self.forced = forced

    @classmethod
    def together(cls, errors: Sequence["BatchPendingError"]) -> "BatchPendingError":
        """One for the batches of several conversations."""
        pending = [state for error in errors for state in error.pending]
        return cls(pending, forced=any(error.forced for error in errors))


@dataclass(frozen=True, slots=True)
class OpenBatch:
    """A batch that an earlier run sent, or was about to (`batch_id` None), and did not collect."""

    token: str
    fingerprints: tuple[str, ...]
    intended_at: datetime
    batch_id: str | None


@dataclass(frozen=True, slots=True)
class BatchVerdict:
    """A verdict out of a batch."""

    fingerprint: str
    judgement: Judgement
    batch_id: str


def open_batches(store: HistoryStore, left: Sequence[UnfinishedAttempt]) -> list[OpenBatch]:
    """Those that unfinished attempts remember and did not bring to an end, oldest first."""
    events: dict[str, dict[str, Mapping[str, Any]]] = {}
    for row in store.read(TABLE, left).to_pylist():
        events.setdefault(row["token"], {})[row["event"]] = row
    return [
        OpenBatch(
            token,
            tuple(of["intended"]["fingerprints"]),
            of["intended"]["noted_at"],
            of["created"]["batch_id"] if "created" in of else None,
        )
        for token, of in events.items()
        if not of.keys() & {"collected", "never_created"}
    ]


class BatchRun:
    """The batches of one attempt. `keep` takes each verdict, before it is saved."""

    def __init__(
        self,
        batching: Batching,
        writer: CheckpointWriter,
        keep: Callable[[BatchVerdict], None],
        *,
        labels: Mapping[str, str],
        forced: bool,
    ) -> None:
        self._judge = batching.judge
        self._wait_s = batching.wait_s
        self._writer = writer
        self._keep = keep
        self._labels = labels
        self._forced = forced

    async def located(self, left: Sequence[OpenBatch]) -> list[OpenBatch]:
        """Those of them that were created, each with its id."""
        located = await gather_limited(self._with_id, left)
        return [batch for batch in located if batch is not None]

    async def judge(self, located: Sequence[OpenBatch], cases: Mapping[str, Case]) -> None:
        """Collects these batches, and a new one of the cases (by fingerprint) if there are any.

        Raises BatchPendingError where one is not over in time, once the others are collected.
        """
        work: list[OpenBatch | Mapping[str, Case]] = [*located, *([cases] if cases else [])]
        states = await gather_limited(self._one, work)
        pending = [state for state in states if not state.is_over]
        if pending:
            raise BatchPendingError(pending, forced=self._forced)

    async def _one(self, work: OpenBatch | Mapping[str, Case]) -> BatchState:
        if isinstance(work, OpenBatch):
            async with self._judge.reserve(len(work.fingerprints), sent=True) as record_usage:
                return await self._collected(
                    work.token, str(work.batch_id), work.fingerprints, record_usage
                )
        async with self._judge.reserve(len(work)) as record_usage:
            token = secrets.token_hex(16)
            await self._note(token, "intended", fingerprints=list(work))
            batch_id = await self._judge.send(token, work, self._labels)
            await self._note(token, "created", batch_id=batch_id)
            return await self._collected(token, batch_id, work, record_usage)

    async def _with_id(self, batch: OpenBatch) -> OpenBatch | None:
        if batch.batch_id is not None:
            return batch
        batch_id = await self._judge.find(batch.token, batch.intended_at)
        if batch_id is None:
            await self._note(batch.token, "never_created")
            return None
        await self._note(batch.token, "created", batch_id=batch_id)
        return OpenBatch(batch.token, batch.fingerprints, batch.intended_at, batch_id)

    async def _collected(
        self,
        token: str,
        batch_id: str,
        fingerprints: Collection[str],
        record_usage: RecordUsage,
    ) -> BatchState:
        state = await self._waited_for(batch_id)
        if not state.is_over:
            return state
        collected = await self._judge.results(state, fingerprints)
        record_usage(collected.input_tokens, collected.output_tokens)
        for fingerprint, judgement in collected.judgements.items():
            self._keep(BatchVerdict(fingerprint, judgement, batch_id))
        # The verdicts first: a batch that counts as collected is never looked at again.
        await self._writer.save()
        await self._note(token, "collected", batch_id=batch_id, status=state.status)
        return state

    async def _waited_for(self, batch_id: str) -> BatchState:
        deadline, pause_s = time.monotonic() + self._wait_s, _FIRST_POLL_S
        while True:
            state = await self._judge.state(batch_id)
            left_s = deadline - time.monotonic()
            if state.is_over or left_s <= 0:
                return state
            await asyncio.sleep(min(pause_s, left_s))
            pause_s = min(_LONGEST_POLL_S, 1.5 * pause_s)

    async def _note(self, token: str, event: str, **more: Any) -> None:
        row = {"token": token, "event": event, "noted_at": datetime.now(UTC), **more}
        self._writer.add(TABLE, row)
        await self._writer.save()


def _pending_line(pending: Sequence[BatchState], forced: bool) -> str:
    oldest = min(filter(None, (state.created_at for state in pending)), default=None)
    since = f" since {oldest:%Y-%m-%d %H:%M} UTC" if oldest else ""
    done, total = (sum(getattr(state, name) for state in pending) for name in ("done", "total"))
    ids = ", ".join(state.batch_id for state in pending[:_NAMED])
    more = f" and {len(pending) - _NAMED} more" if len(pending) > _NAMED else ""
    are = "batches are" if len(pending) > 1 else "batch is"
    again = "run it again without --force" if forced else "run it again"
    return (
        f"the judge's {are} pending{since} ({ids}{more}: {done} of {total} requests done); "
        f"{again} to collect the verdicts: they take up to 24 hours, and are not paid for twice"
    )
