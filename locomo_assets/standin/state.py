"""The stand-in's state in SQLite: assistants, threads, messages, memories and their operations.

Any number of server processes may share it. A memory is visible only after its delay. The judge's
files and batches are in the same database, through `batch_state`.
"""

import json
import sqlite3
import threading
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from filelock import FileLock

from locomo_assets.errors import LocomoError
from locomo_assets.standin.records import (
    Assistant,
    Memory,
    Message,
    NewMemory,
    Operation,
    Thread,
)

BUSY_TIMEOUT_S = 30.0

# Each version's statements, in order; a file of an earlier version gets those it lacks.
_SCHEMAS = ("schema.sql", "batches.sql")
_SCHEMA_VERSION = len(_SCHEMAS)


class StandinStateError(LocomoError):
    """The stand-in's state file can't be used."""


class StandinState:
    """The state in one SQLite file; safe to share between processes and threads.

    Every method is one transaction. Opening and every method raise `StandinStateError` if the
    file can't be used: not a state, of another version, damaged, locked, or on a full disk.
    """

    def __init__(self, path: Path) -> None:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._db = sqlite3.connect(
                path, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False
            )
        except (OSError, sqlite3.Error) as error:
            raise StandinStateError(
                f"{path}: the stand-in's state can't be opened ({error}); give another path"
            ) from error
        # All threads share one connection; without the lock they would share a transaction.
        self._lock = threading.RLock()
        self._path = path
        try:
            # SQLite does not wait for other processes when it changes the journal mode.
            with FileLock(f"{path}.lock", timeout=BUSY_TIMEOUT_S), self._translate_errors():
                self._db.execute("PRAGMA journal_mode = WAL")
                version = self._prepare()
                # A power cut may lose the last messages but not the file; a kill loses nothing.
                self._db.execute("PRAGMA synchronous = NORMAL")
                self._db.execute("PRAGMA foreign_keys = ON")
        except OSError as error:
            self._db.close()
            raise StandinStateError(
                f"{path}.lock: the stand-in's state can't be locked ({error}); give another path"
            ) from error
        except StandinStateError:
            self._db.close()
            raise
        if version != _SCHEMA_VERSION:
            self._db.close()
            raise StandinStateError(
                f"{path}: the stand-in's state has version {version}, this program reads "
                f"{_SCHEMA_VERSION}; delete the file or give another path"
            )

    def close(self) -> None:
        """Close the file; the state can't be used afterwards."""
        with self._lock:
            self._db.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    # assistants

    def create_assistant(self, name: str, fields: Mapping[str, Any]) -> Assistant:
        """Create an assistant without memories."""
        created = Assistant(_new_id(), name, fields, time.time())
        with self.writing() as db:
            _insert_assistant(db, created)
        return created

    def assistants(self, *, skip: int, limit: int, name: str | None) -> list[Assistant]:
        """Assistants in the order of creation; `name` must match exactly."""
        where, arguments = ("", ()) if name is None else (" WHERE name = ?", (name,))
        rows = self.read(
            f"SELECT assistant_id, name, fields_json, created_at FROM assistants{where}"  # noqa: S608 - `where` is one of two constants
            " ORDER BY seq LIMIT ? OFFSET ?",
            (*arguments, limit, skip),
        )
        return [_assistant(row) for row in rows]

    def assistant(self, assistant_id: str) -> Assistant | None:
        """The assistant, or None."""
        rows = self.read(
            "SELECT assistant_id, name, fields_json, created_at FROM assistants"
            " WHERE assistant_id = ?",
            (assistant_id,),
        )
        return _assistant(rows[0]) if rows else None

    def update_assistant(
        self, assistant_id: str, name: str | None, fields: Mapping[str, Any]
    ) -> Assistant | None:
        """Change the given fields and keep the others; None if there is no such assistant."""
        with self.writing():
            old = self.assistant(assistant_id)
            if old is None:
                return None
            new = Assistant(
                assistant_id, name or old.name, {**old.fields, **fields}, old.created_at
            )
            self._db.execute(
                "UPDATE assistants SET name = ?, fields_json = ? WHERE assistant_id = ?",
                (new.name, json.dumps(new.fields), assistant_id),
            )
        return new

    def delete_assistant(self, assistant_id: str) -> bool:
        """Delete it with its threads, messages and memories; whether it existed."""
        with self.writing() as db:
            deleted = db.execute("DELETE FROM assistants WHERE assistant_id = ?", (assistant_id,))
            return deleted.rowcount == 1

    def clone_assistant(
        self,
        assistant_id: str,
        *,
        name: str | None,
        fields: Mapping[str, Any],
        copy_memories: bool,
    ) -> tuple[Assistant, int] | None:
        """Clone an assistant, without threads; return it and how many memories were copied.

        `fields` override the original's. None if there is no such assistant.
        """
        now = time.time()
        with self.writing() as db:
            old = self.assistant(assistant_id)
            if old is None:
                return None
            clone = Assistant(
                _new_id(), name or f"{old.name} (copy)"[:255], {**old.fields, **fields}, now
            )
            _insert_assistant(db, clone)
            copied = self.memories(assistant_id, now=now) if copy_memories else []
            db.executemany(
                _INSERT_MEMORY, [_memory_row(m, clone.assistant_id, _new_id()) for m in copied]
            )
        return clone, len(copied)

    # threads and messages

    def create_thread(self, assistant_id: str) -> Thread | None:
        """Create a thread; None if there is no such assistant."""
        created = Thread(_new_id(), assistant_id, time.time())
        try:
            with self.writing() as db:
                db.execute(
                    "INSERT INTO threads (thread_id, assistant_id, created_at) VALUES (?, ?, ?)",
                    (created.thread_id, assistant_id, created.created_at),
                )
        except sqlite3.IntegrityError:
            return None
        return created

    def threads(self, assistant_id: str, *, skip: int, limit: int) -> list[Thread]:
        """Threads in the order of creation."""
        rows = self.read(
            "SELECT thread_id, assistant_id, created_at FROM threads WHERE assistant_id = ?"
            " ORDER BY seq LIMIT ? OFFSET ?",
            (assistant_id, limit, skip),
        )
        return [Thread(*row) for row in rows]

    def thread(self, thread_id: str) -> Thread | None:
        """The thread, or None."""
        rows = self.read(
            "SELECT thread_id, assistant_id, created_at FROM threads WHERE thread_id = ?",
            (thread_id,),
        )
        return Thread(*rows[0]) if rows else None

    def delete_thread(self, thread_id: str) -> bool:
        """Delete it with its messages, not the assistant's memories; whether it existed."""
        with self.writing() as db:
            deleted = db.execute("DELETE FROM threads WHERE thread_id = ?", (thread_id,))
            return deleted.rowcount == 1

    def messages(self, thread_id: str) -> list[Message]:
        """The thread's messages in the order they were saved."""
        rows = self.read(
            "SELECT message_id, thread_id, role, content, status, metadata_json,"
            " memory_operation_id, created_at FROM messages WHERE thread_id = ? ORDER BY seq",
            (thread_id,),
        )
        return [
            Message(
                message_id=row[0],
                thread_id=row[1],
                role=row[2],
                content=row[3],
                status=row[4],
                metadata=json.loads(row[5]),
                memory_operation_id=row[6],
                created_at=row[7],
            )
            for row in rows
        ]

    def save_message(
        self,
        thread: Thread,
        *,
        role: str,
        content: str,
        status: str,
        metadata: Mapping[str, Any],
        memory: NewMemory | None,
    ) -> Message | None:
        """Save a message, and start a memory operation if it is to form a memory.

        None if the thread was deleted.
        """
        now = time.time()
        operation_id = _new_id() if memory else None
        message = Message(
            _new_id(), thread.thread_id, role, content, status, metadata, operation_id, now
        )
        try:
            with self.writing() as db:
                db.execute(
                    "INSERT INTO messages (message_id, thread_id, role, content, status,"
                    " metadata_json, memory_operation_id, created_at)"
                    " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                    (
                        message.message_id,
                        message.thread_id,
                        role,
                        content,
                        status,
                        json.dumps(metadata),
                        operation_id,
                        now,
                    ),
                )
                if memory:
                    _insert_operation(db, thread.assistant_id, message, memory)
        except sqlite3.IntegrityError:
            return None
        return message

    # memories

    def memories(self, assistant_id: str, *, now: float) -> list[Memory]:
        """Memories visible at `now` (epoch seconds), in the order their messages arrived."""
        rows = self.read(
            "SELECT memory_id, text, said_at, thread_id, message_id, visible_at FROM memories"
            " WHERE assistant_id = ? AND visible_at <= ? ORDER BY seq",
            (assistant_id, now),
        )
        return [
            Memory(row[0], row[1], datetime.fromtimestamp(row[2], UTC), row[3], row[4], row[5])
            for row in rows
        ]

    def memory_stats(self, assistant_id: str, *, now: float) -> tuple[int, float | None]:
        """How many memories are visible at `now`, and when the last became visible.

        Memories never change and are deleted only with their assistant, so an equal number means
        an equal set.
        """
        rows = self.read(
            "SELECT count(*), max(visible_at) FROM memories"
            " WHERE assistant_id = ? AND visible_at <= ?",
            (assistant_id, now),
        )
        return rows[0][0], rows[0][1]

    def operation(self, operation_id: str) -> Operation | None:
        """The memory operation, or None."""
        rows = self.read(
            "SELECT memory_id, ends_at FROM operations WHERE operation_id = ?", (operation_id,)
        )
        if not rows:
            return None
        memory_id, ends_at = rows[0]
        if ends_at is None or ends_at > time.time():
            return Operation(operation_id, "IN_PROGRESS", None)
        return Operation(operation_id, "COMPLETED" if memory_id else "ERROR", memory_id)

    # transactions

    def _prepare(self) -> int:
        with self.writing() as db:
            version: int = db.execute("PRAGMA user_version").fetchone()[0]
            for name in _SCHEMAS[version:]:
                schema = files(__package__).joinpath(name).read_text(encoding="utf-8")
                for statement in schema.split(";"):
                    db.execute(statement)
                version += 1
                db.execute(f"PRAGMA user_version = {version}")
        return version

    def read(self, sql: str, arguments: Sequence[Any]) -> list[Any]:
        """The rows of one SELECT."""
        with self._lock, self._translate_errors():
            return self._db.execute(sql, arguments).fetchall()

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """A transaction, rolled back if the block fails."""
        with self._lock, self._translate_errors():
            # A transaction that starts with a read can't wait for another process's write.
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
                self._db.execute("COMMIT")
            except BaseException:
                # SQLite may have rolled back already, for example on a full disk.
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise

    @contextmanager
    def _translate_errors(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.IntegrityError:
            raise
        except sqlite3.Error as error:
            raise StandinStateError(
                f"{self._path}: the stand-in's state can't be used ({error}); "
                "make room, delete it, or give another path"
            ) from error


_INSERT_MEMORY = (
    "INSERT INTO memories"
    " (memory_id, assistant_id, text, said_at, thread_id, message_id, visible_at)"
    " VALUES (?, ?, ?, ?, ?, ?, ?)"
)


def _new_id() -> str:
    return str(uuid.uuid4())


def _assistant(row: Sequence[Any]) -> Assistant:
    return Assistant(row[0], row[1], json.loads(row[2]), row[3])


def _insert_assistant(db: sqlite3.Connection, created: Assistant) -> None:
    db.execute(
        "INSERT INTO assistants (assistant_id, name, fields_json, created_at) VALUES (?, ?, ?, ?)",
        (created.assistant_id, created.name, json.dumps(created.fields), created.created_at),
    )


def _memory_row(memory: Memory, assistant_id: str, memory_id: str) -> tuple[Any, ...]:
    return (
        memory_id,
        assistant_id,
        memory.text,
        memory.said_at.timestamp(),
        memory.thread_id,
        memory.message_id,
        memory.visible_at,
    )


def _insert_operation(
    db: sqlite3.Connection, assistant_id: str, message: Message, memory: NewMemory
) -> None:
    ends_at = message.created_at + memory.delay_s
    memory_id = _new_id() if memory.fate == "formed" else None
    if memory_id:
        left = Memory(
            memory_id=memory_id,
            text=message.content,
            said_at=memory.said_at,
            thread_id=message.thread_id,
            message_id=message.message_id,
            visible_at=ends_at,
        )
        db.execute(_INSERT_MEMORY, _memory_row(left, assistant_id, memory_id))
    db.execute(
        "INSERT INTO operations (operation_id, assistant_id, memory_id, ends_at)"
        " VALUES (?, ?, ?, ?)",
        (
            message.memory_operation_id,
            assistant_id,
            memory_id,
            None if memory.fate == "stuck" else ends_at,
        ),
    )
