"""The stand-in's state in SQLite: assistants, threads, messages, memories and their operations.

Any number of server processes may share it. A memory is visible only after its delay. The judge's
files and batches are in the same database, through `batch_state`.
"""

import json
import sqlite3
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from locomo_assets.standin.database import StateDatabase
from locomo_assets.standin.memories.forming import (
    COUNT_CHANGE,
    INSERT_MEMORY,
    SELECT_MEMORIES,
    insert_operation,
    memory_of,
    memory_row,
    new_id,
)
from locomo_assets.standin.records import (
    Assistant,
    Memory,
    MemoryStats,
    Message,
    NewMemory,
    Operation,
    OperationResult,
    Thread,
)


class StandinState(StateDatabase):
    """The records in the file; every method is one transaction."""

    # assistants

    def create_assistant(self, name: str, fields: Mapping[str, Any]) -> Assistant:
        """Create an assistant without memories."""
        created = Assistant(new_id(), name, fields, time.time())
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
                new_id(), name or f"{old.name[:250]} Copy", {**old.fields, **fields}, now
            )
            _insert_assistant(db, clone)
            copied = self.memories(assistant_id, now=now) if copy_memories else []
            db.executemany(
                INSERT_MEMORY, [memory_row(m, clone.assistant_id, new_id()) for m in copied]
            )
        return clone, len(copied)

    # threads and messages

    def create_thread(self, assistant_id: str) -> Thread | None:
        """Create a thread; None if there is no such assistant."""
        created = Thread(new_id(), assistant_id, time.time())
        try:
            with self.writing() as db:
                db.execute(
                    "INSERT INTO threads (thread_id, assistant_id, created_at) VALUES (?, ?, ?)",
                    (created.thread_id, assistant_id, created.created_at),
                )
        except sqlite3.IntegrityError:
            return None
        return created

    def threads(self, *, skip: int, limit: int, assistant_id: str | None = None) -> list[Thread]:
        """Threads in the order of creation, of one assistant or of all."""
        where, arguments = (
            ("", ()) if assistant_id is None else (" WHERE assistant_id = ?", (assistant_id,))
        )
        rows = self.read(
            f"SELECT thread_id, assistant_id, created_at FROM threads{where}"  # noqa: S608 - `where` is one of two constants
            " ORDER BY seq LIMIT ? OFFSET ?",
            (*arguments, limit, skip),
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
        operation_id = new_id() if memory else None
        message = Message(
            new_id(), thread.thread_id, role, content, status, metadata, operation_id, now
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
                    insert_operation(db, thread.assistant_id, message, memory)
        except sqlite3.IntegrityError:
            return None
        return message

    # memories

    def memories(self, assistant_id: str, *, now: float) -> list[Memory]:
        """Memories visible at `now` (epoch seconds), in the order their messages arrived."""
        rows = self.read(
            f"{SELECT_MEMORIES} WHERE assistant_id = ? AND visible_at <= ? ORDER BY seq",
            (assistant_id, now),
        )
        return [memory_of(row) for row in rows]

    def memory(self, assistant_id: str, memory_id: str, *, now: float) -> Memory | None:
        """The assistant's memory if it is visible at `now`, or None."""
        rows = self.read(
            f"{SELECT_MEMORIES} WHERE assistant_id = ? AND memory_id = ? AND visible_at <= ?",
            (assistant_id, memory_id, now),
        )
        return memory_of(rows[0]) if rows else None

    def memory_stats(self, assistant_id: str, *, now: float) -> MemoryStats:
        """What there is at `now`, without reading the memories."""
        ((total, last_updated, changes),) = self.read(
            "SELECT count(*), max(max(visible_at, coalesce(updated_at, 0))), coalesce("
            " (SELECT memory_changes FROM assistants WHERE assistant_id = ?), 0)"
            " FROM memories WHERE assistant_id = ? AND visible_at <= ?",
            (assistant_id, assistant_id, now),
        )
        return MemoryStats(total, last_updated, changes)

    def write_memory(
        self, assistant_id: str, text: str, metadata: Mapping[str, Any], said_at: datetime
    ) -> Memory | None:
        """Add a memory that no message formed, visible at once; None without the assistant."""
        written = Memory(new_id(), text, said_at, "", "", time.time(), written_metadata=metadata)
        try:
            with self.writing() as db:
                db.execute(INSERT_MEMORY, memory_row(written, assistant_id, written.memory_id))
        except sqlite3.IntegrityError:
            return None
        return written

    def update_memory(
        self,
        assistant_id: str,
        memory_id: str,
        text: str,
        *,
        metadata: Mapping[str, Any] | None,
        said_at: datetime | None,
    ) -> Memory | None:
        """Change a visible memory; what is None stays. None if there is no such memory."""
        now = time.time()
        with self.writing() as db:
            old = self.memory(assistant_id, memory_id, now=now)
            if old is None:
                return None
            new = replace(
                old,
                text=text,
                said_at=said_at or old.said_at,
                updated_at=now,
                written_metadata=old.metadata if metadata is None else metadata,
            )
            db.execute(
                "UPDATE memories SET text = ?, said_at = ?, updated_at = ?,"
                " written_metadata_json = ? WHERE memory_id = ?",
                (text, new.said_at.timestamp(), now, json.dumps(new.written_metadata), memory_id),
            )
            db.execute(COUNT_CHANGE, (assistant_id,))
        return new

    def delete_memory(self, assistant_id: str, memory_id: str) -> bool:
        """Delete a visible memory; whether there was one."""
        with self.writing() as db:
            deleted = db.execute(
                "DELETE FROM memories WHERE assistant_id = ? AND memory_id = ? AND visible_at <= ?",
                (assistant_id, memory_id, time.time()),
            )
            db.execute(COUNT_CHANGE, (assistant_id,))
            return deleted.rowcount == 1

    def delete_memories(self, assistant_id: str) -> int:
        """Delete all memories of an assistant, also those to come; how many there were."""
        with self.writing() as db:
            deleted = db.execute("DELETE FROM memories WHERE assistant_id = ?", (assistant_id,))
            db.execute(COUNT_CHANGE, (assistant_id,))
            return deleted.rowcount

    def operation(self, operation_id: str) -> Operation | None:
        """The memory operation, or None."""
        rows = self.read(
            "SELECT memory_id, results_json, ends_at FROM operations WHERE operation_id = ?",
            (operation_id,),
        )
        if not rows:
            return None
        memory_id, results_json, ends_at = rows[0]
        if ends_at is None or ends_at > time.time():
            return Operation(operation_id, "IN_PROGRESS")
        if results_json is not None:
            done = tuple(OperationResult(*one) for one in json.loads(results_json))
            return Operation(operation_id, "COMPLETED", done)
        if memory_id is None:
            return Operation(operation_id, "ERROR")
        return Operation(operation_id, "COMPLETED", (OperationResult(memory_id, "ADD", ""),))


def _assistant(row: Sequence[Any]) -> Assistant:
    return Assistant(row[0], row[1], json.loads(row[2]), row[3])


def _insert_assistant(db: sqlite3.Connection, created: Assistant) -> None:
    db.execute(
        "INSERT INTO assistants (assistant_id, name, fields_json, created_at) VALUES (?, ?, ?, ?)",
        (created.assistant_id, created.name, json.dumps(created.fields), created.created_at),
    )
