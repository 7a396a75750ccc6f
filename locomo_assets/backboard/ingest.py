"""A conversation into the service's memory, each turn exactly once.

An ingestion creates an assistant and a thread for each session, sends turn after turn, waits for
the memory operations, and takes a snapshot of the memories. What is already there after a lost
answer or a killed process is found by `reconcile`.
"""

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from time import perf_counter
from typing import Literal

from locomo_assets.backboard.client import BackboardClient
from locomo_assets.backboard.messages import message_text
from locomo_assets.backboard.models import Memory
from locomo_assets.backboard.operations import OpenOperation, OperationWatch
from locomo_assets.backboard.options import PUBLISHED, ServiceOptions
from locomo_assets.backboard.protocols import protocol_label
from locomo_assets.backboard.reconcile import (
    EndedOperation,
    IngestedTurn,
    IngestJournal,
    IngestState,
    check_turns,
    compare_with_server,
    count_messages,
    failed_turn,
    recovered_turn,
    sent_messages,
)
from locomo_assets.errors import LocomoError
from locomo_assets.http.errors import UnexpectedAnswerError
from locomo_assets.http.limits import first_failure
from locomo_assets.locomo.model import Conversation, Session

NO_OPERATIONS = (
    "not a single memory operation though memory is on: the form of the service's answer may have "
    "changed (its messages carry no memory_operation_id)"
)


@dataclass(frozen=True, slots=True)
class IngestProtocol:
    """How a conversation is told to the service. The defaults are the published measurement's.

    `memory_wait` is `turn` (wait for each memory operation before the next turn) or `conversation`
    (poll them meanwhile, wait for all at the end), either for at most `memory_time_out_s`.
    """

    name: str = "published"
    memory_wait: Literal["turn", "conversation"] = "turn"
    memory_time_out_s: float = 10.0
    memory: str = "Auto"
    llm_provider: str | None = "google"
    llm_model: str | None = "gemini-2.5-pro"
    description: str = "You are a conversation memory assistant."
    version: int = 1
    options: ServiceOptions = PUBLISHED

    def __post_init__(self) -> None:
        if self.memory_wait not in ("turn", "conversation"):
            raise LocomoError(
                f"memory wait {self.memory_wait!r} is unknown: choose `turn` or `conversation`"
            )

    def label(self) -> str:
        """Its name in the history, which tells what differs from the published one."""
        waited = () if self.memory_wait == "turn" else ("memory awaited at the end",)
        return protocol_label(self.name, (*waited, *self.options.of_assistant().words()))

    def options_json(self) -> str | None:
        """What is set of the service's options, as stored; None where nothing is."""
        told = self.options.of_ingestion()
        return json.dumps(told, sort_keys=True) if told else None

    def canonical(self) -> dict[str, object]:
        """All that shapes what is remembered, for hashing; options that are not set are left out.

        So an ingestion of before there were options counts still.
        """
        options = self.options.of_ingestion()
        return {
            **({"options": options} if options else {}),
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
    """How far it is, including turns and operations of an earlier process."""

    conversation: str
    turns: int
    turns_total: int
    operations_ended: int
    operations_open: int


@dataclass(frozen=True, slots=True)
class IngestionResult:
    """An ingested conversation: its turns in order, what the service remembers, and the times.

    `turns_read_back` is the number of turns whose answer was lost. `messages_on_server` is how
    many messages its threads held in the end. `doubtful_threads` are those, by session index, to
    which a message may still come a second time: count them again.
    """

    assistant_id: str
    sessions: int
    turns: tuple[IngestedTurn, ...]
    operations: tuple[EndedOperation, ...]
    memories: tuple[Memory, ...]
    turns_read_back: int
    messages_on_server: int
    doubtful_threads: dict[int, str]
    started_at: datetime
    ended_at: datetime
    duration_s: float

    def operations_with(self, status: str) -> int:
        """The number of operations that ended as `completed`, `error` or `timed_out`."""
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
        """What `numbers` must match in a complete ingestion: messages by the service's own count,
        and memory operations begun.
        """
        return {
            "messages_on_server": self.messages_on_server,
            "operations": sum(turn.memory_operation_id is not None for turn in self.turns),
        }

    def memory_rows(self) -> list[dict[str, object]]:
        """Rows of the history's `memories`, without the ingestion's id."""
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


def _ignore(_: IngestProgress) -> None:
    pass


async def ingest(
    client: BackboardClient,
    conversation: Conversation,
    protocol: IngestProtocol,
    *,
    assistant_name: str,
    journal: IngestJournal,
    progress: Callable[[IngestProgress], None] = _ignore,
) -> IngestionResult:
    """Tell the conversation to a new assistant, or resume an ingestion.

    `assistant_name` must name this ingestion alone: an assistant of that name is taken for its
    own, even if the journal does not know it. Raises the errors of `http.errors`. After any of
    them, or after a kill, call it again with the same journal to resume.
    """
    ingestion = _Ingestion(
        client,
        conversation,
        protocol,
        assistant_name=assistant_name,
        journal=journal,
        progress=progress,
    )
    with first_failure():
        return await ingestion.run()


class _Ingestion:
    def __init__(
        self,
        client: BackboardClient,
        conversation: Conversation,
        protocol: IngestProtocol,
        *,
        assistant_name: str,
        journal: IngestJournal,
        progress: Callable[[IngestProgress], None],
    ) -> None:
        self._client = client
        self._conversation = conversation
        self._protocol = protocol
        self._assistant_name = assistant_name
        self._journal = journal
        self._progress = progress
        self._turns_total = len(conversation.turns)
        self._watch = OperationWatch(client, protocol.memory_time_out_s, self._operation_ended)
        self._assistant_id = ""
        self._threads: dict[int, str] = {}
        self._doubtful: set[int] = set()
        self._spare: list[str] = []
        self._turns: list[IngestedTurn] = []
        self._with_operation = 0
        self._operations: dict[str, EndedOperation] = {}

    async def run(self) -> IngestionResult:
        started_at, start = datetime.now(UTC), perf_counter()
        state = await self._journal.load()
        await self._resume(state)
        if self._protocol.memory_wait == "turn":
            await self._wait_for_earlier()
            await self._send_all()
        else:
            async with asyncio.TaskGroup() as group:
                sweep = group.create_task(self._watch.sweep())
                for operation in self._open_operations():
                    self._watch.add(operation)
                await self._send_all()
                await self._watch.finish()
                sweep.cancel()
            await self._watch.give_up()
        messages_on_server = await count_messages(self._client, self._conversation, self._threads)
        self._require_operations()
        memories = await self._client.list_memories(self._assistant_id)
        return IngestionResult(
            assistant_id=self._assistant_id,
            sessions=len(self._conversation.sessions),
            turns=tuple(self._turns),
            operations=self._operations_in_order(),
            memories=tuple(memories),
            turns_read_back=sum(turn.latency_ms is None for turn in self._turns),
            messages_on_server=messages_on_server,
            doubtful_threads={index: self._threads[index] for index in sorted(self._doubtful)},
            started_at=started_at,
            ended_at=datetime.now(UTC),
            duration_s=perf_counter() - start,
        )

    async def _resume(self, state: IngestState) -> None:
        """Find the assistant, and what it has been told already."""
        self._turns = list(state.turns)
        self._with_operation = sum(turn.memory_operation_id is not None for turn in self._turns)
        self._operations = {one.memory_operation_id: one for one in state.operations}
        self._assistant_id = state.assistant_id or await self._assistant()
        if state.assistant_id is None:
            await self._journal.assistant_created(self._assistant_id)
        found = await compare_with_server(
            self._client, self._conversation, self._assistant_id, state
        )
        self._threads, self._spare = found.threads, list(found.spare)
        for session_index, thread_id in found.threads.items():
            if session_index not in state.threads:
                await self._journal.thread_created(session_index, thread_id)
        self._doubtful = set(state.doubtful)
        if found.threads:
            # What the stopped process sent last may still be under way.
            last = max(found.threads)
            await self._doubt(last, found.threads[last])
        for turn in found.recovered:
            await self._confirm(turn)

    async def _doubt(self, session_index: int, thread_id: str) -> None:
        if session_index not in self._doubtful:
            self._doubtful.add(session_index)
            await self._journal.thread_doubted(session_index, thread_id)

    async def _assistant(self) -> str:
        async def find(*_: object) -> str | None:
            found = await self._client.list_assistants(name=self._assistant_name)
            return found[0].assistant_id if found else None

        async def create(_ask: int) -> str:
            created = await self._client.create_assistant(
                self._assistant_name,
                description=self._protocol.description,
                llm_provider=self._protocol.llm_provider,
                llm_model=self._protocol.llm_model,
                options=self._protocol.options,
            )
            return created.assistant_id

        # A killed process may have created it without noting it.
        if (known := await find()) is not None:
            return known
        return await self._client.retry.until_certain(create, find)

    async def _send_all(self) -> None:
        for session in self._conversation.sessions:
            done = sum(turn.session_index == session.session_index for turn in self._turns)
            if done == len(session.turns):
                continue
            thread_id = await self._thread(session)
            for position in range(done, len(session.turns)):
                turn = await self._send(session, position, thread_id)
                await self._confirm(turn)
                await self._watch_operation(turn)
            if session.session_index in self._doubtful:
                # A request taken for lost may have been saved after its turn was sent again.
                messages = sent_messages(await self._client.get_thread(thread_id))
                check_turns(thread_id, session, messages, least=len(session.turns))

    async def _thread(self, session: Session) -> str:
        known = self._threads.get(session.session_index)
        if known is not None:
            return known
        thread_id = self._spare.pop() if self._spare else await self._new_thread()
        self._threads[session.session_index] = thread_id
        await self._journal.thread_created(session.session_index, thread_id)
        return thread_id

    async def _new_thread(self) -> str:
        async def create(_ask: int) -> str:
            return (await self._client.create_thread(self._assistant_id)).thread_id

        async def find(*_: object) -> str | None:
            listed = await self._client.list_threads(self._assistant_id)
            known = set(self._threads.values())
            return next((one.thread_id for one in listed if one.thread_id not in known), None)

        return await self._client.retry.until_certain(create, find)

    async def _send(self, session: Session, position: int, thread_id: str) -> IngestedTurn:
        """The turn as the service has it."""
        turn = session.turns[position]

        async def send(_ask: int) -> IngestedTurn:
            saved = await self._client.add_message(
                thread_id,
                message_text(turn),
                memory=self._protocol.memory,
                custom_timestamp=session.started_at,
                llm_provider=self._protocol.llm_provider,
                llm_model=self._protocol.llm_model,
                options=self._protocol.options,
            )
            if saved.failure is not None:
                raise failed_turn(session, position, thread_id, saved.failure)
            return IngestedTurn(
                session_index=session.session_index,
                turn_index=turn.turn_index,
                dia_id=turn.dia_id,
                thread_id=thread_id,
                message_id=saved.message_id,
                memory_operation_id=saved.memory_operation_id,
                sent_at=saved.sent_at,
                latency_ms=saved.latency_ms,
            )

        async def find(*_: object) -> IngestedTurn | None:
            await self._doubt(session.session_index, thread_id)
            messages = sent_messages(await self._client.get_thread(thread_id))
            check_turns(thread_id, session, messages[: position + 1], least=position)
            if len(messages) == position:
                return None
            return recovered_turn(session, position, thread_id, messages[position])

        return await self._client.retry.until_certain(send, find)

    async def _confirm(self, turn: IngestedTurn) -> None:
        self._turns.append(turn)
        self._with_operation += turn.memory_operation_id is not None
        await self._journal.turn_confirmed(turn)
        self._report()

    async def _watch_operation(self, turn: IngestedTurn) -> None:
        if turn.memory_operation_id is None:
            return
        operation = OpenOperation(turn.memory_operation_id, turn, perf_counter())
        if self._protocol.memory_wait == "turn":
            await self._watch.wait(operation)
        else:
            self._watch.add(operation)

    def _require_operations(self) -> None:
        """Without them nobody knows when the memory has formed, nor whether it has."""
        is_on = self._protocol.memory.lower() in ("on", "auto")
        if is_on and self._turns and not self._with_operation:
            raise UnexpectedAnswerError(
                f"{len(self._turns)} saved turns of {self._conversation.conversation}, and "
                f"{NO_OPERATIONS}; see what the service changed, delete assistant "
                f"{self._assistant_id} and run it again to ingest the conversation anew"
            )

    async def _wait_for_earlier(self) -> None:
        async with asyncio.TaskGroup() as group:
            for operation in self._open_operations():
                group.create_task(self._watch.wait(operation))

    def _open_operations(self) -> list[OpenOperation]:
        """Operations of turns confirmed before this process, or read back by it."""
        return [
            OpenOperation(turn.memory_operation_id, turn, None)
            for turn in self._turns
            if turn.memory_operation_id and turn.memory_operation_id not in self._operations
        ]

    async def _operation_ended(self, operation: EndedOperation) -> None:
        self._operations[operation.memory_operation_id] = operation
        self._report()
        await self._journal.operation_ended(operation)

    def _operations_in_order(self) -> tuple[EndedOperation, ...]:
        of_turns = (turn.memory_operation_id for turn in self._turns)
        return tuple(
            self._operations[one] for one in of_turns if one is not None and one in self._operations
        )

    def _report(self) -> None:
        self._progress(
            IngestProgress(
                conversation=self._conversation.conversation,
                turns=len(self._turns),
                turns_total=self._turns_total,
                operations_ended=len(self._operations),
                operations_open=self._with_operation - len(self._operations),
            )
        )
