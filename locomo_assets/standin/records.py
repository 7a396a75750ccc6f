"""The records in the stand-in's state, as frozen values."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from locomo_assets.standin.facts import Fact

MemoryFate = Literal["formed", "failed", "stuck"]


@dataclass(frozen=True, slots=True)
class Assistant:
    """An assistant. `fields` are the client's besides the name; `created_at` in epoch seconds."""

    assistant_id: str
    name: str
    fields: Mapping[str, Any]
    created_at: float


@dataclass(frozen=True, slots=True)
class Thread:
    """One conversation of an assistant."""

    thread_id: str
    assistant_id: str
    created_at: float


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a thread."""

    message_id: str
    thread_id: str
    role: str
    content: str
    status: str
    metadata: Mapping[str, Any]
    memory_operation_id: str | None
    created_at: float


@dataclass(frozen=True, slots=True)
class Memory:
    """What was said and when (UTC). It is visible from `visible_at` on, in epoch seconds.

    `updated_at` is None until a client changes it, `written_metadata` while it is as a message
    formed it. `pro`: Memory Pro formed it.
    """

    memory_id: str
    text: str
    said_at: datetime
    thread_id: str
    message_id: str
    visible_at: float
    updated_at: float | None = None
    written_metadata: Mapping[str, Any] | None = None
    pro: bool = False

    @property
    def content(self) -> str:
        """The memory as clients see it: their own words, or the date and the message's text."""
        if self.written_metadata is not None:
            return self.text
        return f"[{self.said_at.day} {self.said_at:%B %Y}] {self.text}"

    @property
    def metadata(self) -> Mapping[str, Any]:
        """The client's own, or where and when it was said."""
        if self.written_metadata is not None:
            return self.written_metadata
        return {
            "thread_id": self.thread_id,
            "message_id": self.message_id,
            "timestamp": self.said_at.isoformat(),
        }


@dataclass(frozen=True, slots=True)
class MemoryStats:
    """An assistant's visible memories. With equal `changes`, an equal `total` is an equal set.

    `changes` counts changes and deletions; what a message forms only adds to `total`.
    """

    total: int
    last_updated: float | None
    changes: int


@dataclass(frozen=True, slots=True)
class OperationResult:
    """What an operation did to one memory: `event` is ADD, UPDATE, or NONE if it was known."""

    memory_id: str
    event: str
    memory: str


@dataclass(frozen=True, slots=True)
class Operation:
    """A memory operation: `status` is IN_PROGRESS, COMPLETED (maybe without results) or ERROR."""

    operation_id: str
    status: str
    results: tuple[OperationResult, ...] = ()


@dataclass(frozen=True, slots=True)
class NewMemory:
    """What a message will form: when it was said, the delay, and whether it succeeds.

    `facts` are remembered in place of the message's words; None: one memory, word for word.
    """

    said_at: datetime
    delay_s: float
    fate: MemoryFate
    facts: Sequence[Fact] | None = None
    pro: bool = False
