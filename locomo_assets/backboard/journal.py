"""What an ingestion must remember to go on where it stopped.

Here: the rows, the state made of them, and the interface of a journal, with one that forgets
with its process. The journal that outlives a process is the history's. `ingesting` writes it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol


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


class MemoryJournal:
    """A journal that lives as long as its process: for notebooks and tests."""

    def __init__(self, state: IngestState | None = None) -> None:
        state = state or IngestState()
        self._assistant_id = state.assistant_id
        self._threads = dict(state.threads)
        self._turns = list(state.turns)
        self._operations = list(state.operations)

    async def load(self) -> IngestState:
        return IngestState(
            self._assistant_id, dict(self._threads), tuple(self._turns), tuple(self._operations)
        )

    async def assistant_created(self, assistant_id: str) -> None:
        self._assistant_id = assistant_id

    async def thread_created(self, session_index: int, thread_id: str) -> None:
        self._threads[session_index] = thread_id

    async def turn_confirmed(self, turn: IngestedTurn) -> None:
        self._turns.append(turn)

    async def operation_ended(self, operation: EndedOperation) -> None:
        self._operations.append(operation)
