"""The judge's files and batches in the stand-in's state.

A batch is settled exactly once, by whichever process asks first after its end.
"""

import json
import sqlite3
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from locomo_assets.standin.state import StandinState

Fate = Literal["completed", "failed", "expired"]

# The shares of a batch's time after which it is validated, and its requests are done.
_VALIDATED, _DONE = 0.1, 0.9


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file at the judge."""

    file_id: str
    filename: str
    purpose: str
    content: bytes
    created_at: float


@dataclass(frozen=True, slots=True)
class StoredBatch:
    """A batch; `judged` and `failed` count requests and are None until it is settled."""

    batch_id: str
    input_file_id: str
    metadata: Mapping[str, str]
    fate: Fate
    errors: Sequence[Mapping[str, Any]]
    created_at: float
    ends_at: float
    cancelled_at: float | None
    requests: int
    judged: int | None
    failed: int | None
    output_file_id: str | None
    error_file_id: str | None

    def progress(self, now: float) -> float:
        """The elapsed share of its time, from 0 to 1; a cancelled batch makes no progress."""
        now = now if self.cancelled_at is None else self.cancelled_at
        duration = self.ends_at - self.created_at
        return 1.0 if now >= self.ends_at else max(0.0, (now - self.created_at) / duration)

    def begun(self, now: float) -> int:
        """How many requests were carried out by then."""
        if self.fate == "failed":
            return 0
        share = min(1.0, max(0.0, (self.progress(now) - _VALIDATED) / (_DONE - _VALIDATED)))
        return int(share * self.requests) // (2 if self.fate == "expired" else 1)

    def status(self, now: float) -> str:
        """The status as the Batch API names it."""
        if self.cancelled_at is not None:
            return "cancelled"
        progress = self.progress(now)
        if progress >= 1.0:
            return self.fate
        if progress < _VALIDATED:
            return "validating"
        return "in_progress" if progress < _DONE else "finalizing"


@dataclass(frozen=True, slots=True)
class Outcome:
    """The results of a batch's requests: the contents of its files, and counts."""

    output: bytes
    errors: bytes
    judged: int
    failed: int


class BatchState:
    """Files and batches in a state; every method is one transaction."""

    def __init__(self, state: StandinState) -> None:
        self._state = state

    def save_file(self, filename: str, purpose: str, content: bytes) -> StoredFile:
        """Save a new file."""
        with self._state.writing() as db:
            return _insert_file(db, filename, purpose, content)

    def file(self, file_id: str) -> StoredFile | None:
        """The file, or None."""
        rows = self._state.read(
            "SELECT file_id, filename, purpose, content, created_at FROM files WHERE file_id = ?",
            (file_id,),
        )
        return StoredFile(*rows[0]) if rows else None

    def delete_file(self, file_id: str) -> bool:
        """Delete a file; whether it existed."""
        with self._state.writing() as db:
            deleted = db.execute("DELETE FROM files WHERE file_id = ?", (file_id,))
            return deleted.rowcount == 1

    def create(
        self,
        input_file_id: str,
        metadata: Mapping[str, str],
        *,
        requests: int,
        fate: Fate,
        errors: Sequence[Mapping[str, Any]],
        delay_s: float,
    ) -> StoredBatch:
        """Create a batch that ends after `delay_s`, or at once if it fails."""
        now = time.time()
        created = StoredBatch(
            batch_id=f"batch_{uuid.uuid4().hex}",
            input_file_id=input_file_id,
            metadata=metadata,
            fate=fate,
            errors=errors,
            created_at=now,
            ends_at=now if fate == "failed" else now + delay_s,
            cancelled_at=None,
            requests=requests,
            judged=None,
            failed=None,
            output_file_id=None,
            error_file_id=None,
        )
        with self._state.writing() as db:
            db.execute(
                "INSERT INTO batches (batch_id, input_file_id, metadata_json, fate, errors_json,"
                " created_at, ends_at, requests) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    created.batch_id,
                    input_file_id,
                    json.dumps(metadata),
                    fate,
                    json.dumps(errors),
                    now,
                    created.ends_at,
                    requests,
                ),
            )
        return created

    def batch(self, batch_id: str) -> StoredBatch | None:
        """The batch, or None."""
        rows = self._state.read("SELECT * FROM batches WHERE batch_id = ?", (batch_id,))
        return _batch(rows[0]) if rows else None

    def batches(self, *, after: str | None, limit: int) -> list[StoredBatch]:
        """Batches created before the batch `after`, newest first."""
        rows = self._state.read(
            "SELECT * FROM batches WHERE seq < coalesce("
            "(SELECT seq FROM batches WHERE batch_id = ?), 9e18) ORDER BY seq DESC LIMIT ?",
            (after, limit),
        )
        return [_batch(row) for row in rows]

    def cancel(self, batch_id: str) -> None:
        """Cancel a batch, unless it is over."""
        now = time.time()
        with self._state.writing() as db:
            db.execute(
                "UPDATE batches SET cancelled_at = ? WHERE batch_id = ? AND ends_at > ?"
                " AND cancelled_at IS NULL",
                (now, batch_id, now),
            )

    def settle(self, batch_id: str, work: Callable[[StoredBatch, bytes], Outcome]) -> None:
        """Carry out the requests of a batch that is over with `work`, but never twice."""
        with self._state.writing() as db:
            rows = self._state.read(
                "SELECT * FROM batches WHERE batch_id = ? AND judged IS NULL", (batch_id,)
            )
            if not rows:
                return
            batch = _batch(rows[0])
            request_file = self.file(batch.input_file_id)
            outcome = work(batch, request_file.content if request_file else b"")
            files = [
                _insert_file(db, f"{batch_id}_{name}.jsonl", "batch_output", content).file_id
                if content
                else None
                for name, content in (("output", outcome.output), ("error", outcome.errors))
            ]
            db.execute(
                "UPDATE batches SET judged = ?, failed = ?, output_file_id = ?, error_file_id = ?"
                " WHERE batch_id = ?",
                (outcome.judged, outcome.failed, *files, batch_id),
            )


def _insert_file(db: sqlite3.Connection, filename: str, purpose: str, content: bytes) -> StoredFile:
    created = StoredFile(f"file-{uuid.uuid4().hex}", filename, purpose, content, time.time())
    db.execute(
        "INSERT INTO files (file_id, filename, purpose, content, created_at)"
        " VALUES (?, ?, ?, ?, ?)",
        (created.file_id, filename, purpose, content, created.created_at),
    )
    return created


def _batch(row: Sequence[Any]) -> StoredBatch:
    # Columns in the order of `batches.sql`, after `seq`.
    _, batch_id, file_id, metadata, fate, errors, *rest = row
    return StoredBatch(batch_id, file_id, json.loads(metadata), fate, json.loads(errors), *rest)
