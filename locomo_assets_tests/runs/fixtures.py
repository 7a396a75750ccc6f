"""What the room's tests measure: the packaged sample; and the stand-in's own record of it."""

import json
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from locomo_assets.backboard.messages import session_texts
from locomo_assets.locomo.model import Conversation
from locomo_assets.locomo.parsing import read_dataset
from locomo_assets.locomo.sample import packaged_sample

DATASET = read_dataset(packaged_sample())


def turn_texts(conversation: Conversation) -> list[str]:
    """What the service must have been told, in order."""
    return [text for session in conversation.sessions for text in session_texts(session)]


@dataclass(frozen=True, slots=True)
class RecordedMessage:
    """A message that the stand-in saved, and when (epoch seconds)."""

    assistant_id: str
    assistant_name: str
    thread_id: str
    message_id: str
    role: str
    content: str
    saved_at: float


class Record:
    """The stand-in's state, read from outside."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def count(self, role: str = "user") -> int:
        """Messages of a role; 0 before the stand-in has made its state."""
        if not self._path.exists():
            return 0
        [(number,)] = self._rows("SELECT count(*) FROM messages WHERE role = ?", role)
        return int(str(number))

    def times(self, role: str) -> list[float]:
        """When each message of a role came, in epoch seconds."""
        rows = self._rows("SELECT created_at FROM messages WHERE role = ?", role)
        return [float(str(at)) for (at,) in rows]

    def answered(self, release: str) -> int:
        """The questions that a release's assistants have answered."""
        [(number,)] = self._rows(
            "SELECT count(*) FROM messages JOIN threads USING (thread_id) "
            "JOIN assistants USING (assistant_id) WHERE role = 'assistant' AND name LIKE ?",
            f"LoCoMo Test Assistant % {release}",
        )
        return int(str(number))

    def told(self, conversation: str, release: str = "%") -> list[list[str]]:
        """For each assistant of a conversation: what it was told and asked, in order."""
        assistants = self._rows(
            "SELECT assistant_id FROM assistants WHERE name LIKE ? AND name NOT LIKE '% clone' "
            "ORDER BY seq",
            f"LoCoMo Test Assistant % {conversation} {release}",
        )
        said = (
            "SELECT content FROM messages JOIN threads USING (thread_id) "
            "WHERE assistant_id = ? AND role = 'user' ORDER BY messages.seq"
        )
        return [[str(text) for (text,) in self._rows(said, str(one))] for (one,) in assistants]

    def assistant_fields(self) -> list[dict[str, object]]:
        """What each assistant was made with."""
        rows = self._rows("SELECT fields_json FROM assistants ORDER BY seq")
        return [json.loads(str(fields)) for (fields,) in rows]

    def messages(self) -> list[RecordedMessage]:
        """All messages, in the order they were saved; none before the stand-in has its state."""
        if not self._path.exists():
            return []
        rows: list[Any] = self._rows(
            "SELECT assistant_id, name, thread_id, message_id, role, content, messages.created_at "
            "FROM messages JOIN threads USING (thread_id) JOIN assistants USING (assistant_id) "
            "ORDER BY messages.seq"
        )
        return [RecordedMessage(*row) for row in rows]

    def _rows(self, sql: str, *arguments: str) -> list[tuple[object, ...]]:
        with closing(sqlite3.connect(self._path, timeout=30)) as db:
            return db.execute(sql, arguments).fetchall()


def assert_told_once(record: Record, conversation: Conversation, release: str = "%") -> None:
    """One assistant, and each turn told to it exactly once and in order."""
    (told,) = record.told(conversation.conversation, release)
    turns = turn_texts(conversation)
    assert [text for text in told if text in set(turns)] == turns
