"""The rows of memories, and how a message's operation adds and changes them.

The transactions belong to `state`.
"""

import json
import sqlite3
import time
import uuid
from collections.abc import Sequence
from dataclasses import astuple, replace
from datetime import UTC, datetime
from typing import Any

from locomo_assets.standin.facts import restated
from locomo_assets.standin.memories.pro import with_date
from locomo_assets.standin.records import Memory, Message, NewMemory, OperationResult

SELECT_MEMORIES = (
    "SELECT memory_id, text, said_at, thread_id, message_id, visible_at, updated_at,"
    " written_metadata_json, pro FROM memories"
)
INSERT_MEMORY = (
    "INSERT INTO memories (memory_id, assistant_id, text, said_at, thread_id, message_id,"
    " visible_at, updated_at, written_metadata_json, pro)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
COUNT_CHANGE = "UPDATE assistants SET memory_changes = memory_changes + 1 WHERE assistant_id = ?"


def new_id() -> str:
    """A new id of any record."""
    return str(uuid.uuid4())


def memory_of(row: Sequence[Any]) -> Memory:
    """The memory in a row of `SELECT_MEMORIES`."""
    return Memory(
        memory_id=row[0],
        text=row[1],
        said_at=datetime.fromtimestamp(row[2], UTC),
        thread_id=row[3],
        message_id=row[4],
        visible_at=row[5],
        updated_at=row[6],
        written_metadata=None if row[7] is None else json.loads(row[7]),
        pro=bool(row[8]),
    )


def memory_row(memory: Memory, assistant_id: str, memory_id: str) -> tuple[Any, ...]:
    """The arguments of `INSERT_MEMORY`: this memory, maybe of another assistant, with this id."""
    return (
        memory_id,
        assistant_id,
        memory.text,
        memory.said_at.timestamp(),
        memory.thread_id,
        memory.message_id,
        memory.visible_at,
        memory.updated_at,
        None if memory.written_metadata is None else json.dumps(memory.written_metadata),
        memory.pro,
    )


def insert_operation(
    db: sqlite3.Connection, assistant_id: str, message: Message, memory: NewMemory
) -> None:
    """Store the operation of a message, and what it forms."""
    ends_at = message.created_at + memory.delay_s
    memory_id, results_json = None, None
    if memory.fate == "formed" and memory.facts is None:
        memory_id = new_id()
        text = message.content
        left = Memory(
            memory_id=memory_id,
            text=with_date(text, memory.said_at.date()) if memory.pro else text,
            said_at=memory.said_at,
            thread_id=message.thread_id,
            message_id=message.message_id,
            visible_at=ends_at,
            pro=memory.pro,
        )
        db.execute(INSERT_MEMORY, memory_row(left, assistant_id, memory_id))
    elif memory.fate == "formed":
        results = _remember_facts(db, assistant_id, message, memory, ends_at)
        results_json = json.dumps([astuple(one) for one in results])
    db.execute(
        "INSERT INTO operations (operation_id, assistant_id, memory_id, ends_at, results_json)"
        " VALUES (?, ?, ?, ?, ?)",
        (
            message.memory_operation_id,
            assistant_id,
            memory_id,
            None if memory.fate == "stuck" else ends_at,
            results_json,
        ),
    )


def _remember_facts(
    db: sqlite3.Connection,
    assistant_id: str,
    message: Message,
    memory: NewMemory,
    visible_at: float,
) -> list[OperationResult]:
    """Add each fact, or change the memory that it restates; a change is visible at once."""
    results = []
    for fact in memory.facts or ():
        known = db.execute(
            "SELECT memory_id, text FROM memories WHERE assistant_id = ?"
            " AND written_metadata_json ->> '$.speaker' = ? ORDER BY seq",
            (assistant_id, fact.speaker),
        )
        old = restated(fact, known)
        if old is None:
            formed = Memory(
                memory_id=new_id(),
                text=fact.text,
                said_at=memory.said_at,
                thread_id=message.thread_id,
                message_id=message.message_id,
                visible_at=visible_at,
                pro=memory.pro,
            )
            metadata = {**formed.metadata, "speaker": fact.speaker}
            shown = replace(formed, written_metadata=metadata)
            db.execute(INSERT_MEMORY, memory_row(shown, assistant_id, shown.memory_id))
            results.append(OperationResult(shown.memory_id, "ADD", fact.text))
        elif old[1]:
            db.execute(
                "UPDATE memories SET text = ?, updated_at = ? WHERE memory_id = ?",
                (fact.text, time.time(), old[0]),
            )
            db.execute(COUNT_CHANGE, (assistant_id,))
            results.append(OperationResult(old[0], "UPDATE", fact.text))
        else:
            results.append(OperationResult(old[0], "NONE", fact.text))
    return results
