"""What an ingestion is, what it must remember to resume, and what came of it.

The journal is an interface: the one that outlives a process is kept in the history.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, Protocol

from locomo_assets.backboard.models import Memory
from locomo_assets.errors import LocomoError


@dataclass(frozen=True, slots=True)
class IngestedTurn:
    """A turn that the service has.

    Where the server's own record told of it, because our answer was lost: `latency_ms` is None,
    `sent_at` the server's time if it gives one, and `memory_operation_id` known only if the
    thread says it.
    """

    session_index: int
    turn_index: int
    dia_id: str
    thread_id: str
    message_id: str | None
    memory_operation_id: str | None
    sent_at: datetime | None
    latency_ms: float | None


@dataclass(frozen=True, slots=True)
class EndedOperation:
    """A memory operation that needs no more waiting.

    `status` is `completed`, `error` or `timed_out` (not ended in time; it may still end).
    `wait_ms` counts from the turn's confirmation; None where that was in an earlier process.
    """

    memory_operation_id: str
    session_index: int
    turn_index: int
    dia_id: str
    status: str
    memory_ids: tuple[str, ...]
    wait_ms: float | None
    ended_at: datetime


@dataclass(frozen=True, slots=True)
class IngestState:
    """How far an ingestion came: `threads` by session index; turns and operations in order."""

    assistant_id: str | None = None
    threads: Mapping[int, str] = field(default_factory=dict)
    turns: tuple[IngestedTurn, ...] = ()
    operations: tuple[EndedOperation, ...] = ()


class IngestJournal(Protocol):
    """Each method returns when the fact is kept.

    It may be kept a little later, but never in another order and never with gaps: what is
    missing at the end is found again on the server.
    """

    async def load(self) -> IngestState: ...

    async def assistant_created(self, assistant_id: str) -> None: ...

    async def thread_created(self, session_index: int, thread_id: str) -> None: ...

    async def turn_confirmed(self, turn: IngestedTurn) -> None: ...

    async def operation_ended(self, operation: EndedOperation) -> None: ...


@dataclass(frozen=True, slots=True)
class IngestProtocol:
    """How a conversation is told to the service. The defaults are the published measurement's.

    `memory_wait` is `turn` (each operation before the next turn) or `conversation` (polled at
    the side, all awaited at the end), either with `memory_time_out_s` seconds.
    """

    name: str = "published"
    memory_wait: Literal["turn", "conversation"] = "turn"
    memory_time_out_s: float = 10.0
    memory: str = "Auto"
    llm_provider: str | None = "google"
    llm_model: str | None = "gemini-2.5-pro"
    description: str = "You are a conversation memory assistant."
    version: int = 1

    def __post_init__(self) -> None:
        if self.memory_wait not in ("turn", "conversation"):
            raise LocomoError(
                f"memory wait {self.memory_wait!r} is unknown: choose `turn` or `conversation`"
            )

    def label(self) -> str:
        """Its name in the history; waiting at the side is not what was published, and says so."""
        return (
            self.name if self.memory_wait == "turn" else f"{self.name}, memory awaited at the end"
        )

    def canonical(self) -> dict[str, str | int | float | None]:
        """All that shapes what is remembered, for hashing: equal protocols, equal dicts."""
        return {
            "kind": "ingest",
            "version": self.version,
            "name": self.name,
            "memory_wait": self.memory_wait,
            "memory_time_out_s": float(self.memory_time_out_s),
            "memory": self.memory,
            "llm_provider": self.llm_provider,
            "llm_model": self.llm_model,
            "description": self.description,
        }


@dataclass(frozen=True, slots=True)
class IngestProgress:
    """How far it is. Turns and operations of an earlier process are counted in."""

    conversation: str
    turns: int
    turns_total: int
    operations_ended: int
    operations_open: int


@dataclass(frozen=True, slots=True)
class IngestionResult:
    """An ingested conversation: rows in order, what the service remembers now, and the times.

    `turns_read_back` of its turns were learnt from the server's record instead of an answer;
    `messages_on_server` is how many messages its threads held when all was told.
    """

    assistant_id: str
    sessions: int
    turns: tuple[IngestedTurn, ...]
    operations: tuple[EndedOperation, ...]
    memories: tuple[Memory, ...]
    turns_read_back: int
    messages_on_server: int
    started_at: datetime
    ended_at: datetime
    duration_s: float

    def operations_with(self, status: str) -> int:
        """How many operations ended as `completed`, `error` or `timed_out`."""
        return sum(operation.status == status for operation in self.operations)

    def numbers(self) -> dict[str, int | float]:
        """Its counts, named as in the history's `ingestions`."""
        return {
            "sessions": self.sessions,
            "turns": len(self.turns),
            "turns_ingested": len(self.turns),
            "operations_completed": self.operations_with("completed"),
            "operations_failed": self.operations_with("error"),
            "operations_timed_out": self.operations_with("timed_out"),
            "memories": len(self.memories),
            "duration_s": self.duration_s,
        }

    def completeness(self) -> dict[str, int]:
        """What tells a complete ingestion, beside `numbers`: the service's own count of messages,
        and the memory operations that were begun.
        """
        return {
            "messages_on_server": self.messages_on_server,
            "operations": sum(turn.memory_operation_id is not None for turn in self.turns),
        }

    def memory_rows(self) -> list[dict[str, object]]:
        """Its rows of the history's `memories`, as far as known here."""
        return [
            {
                "memory_id": memory.memory_id,
                "memory": memory.memory,
                "metadata_json": memory.metadata_json,
                "created_at": memory.created_at,
                "updated_at": memory.updated_at,
            }
            for memory in self.memories
        ]
