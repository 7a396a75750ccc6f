"""A conversation into the service's memory, each turn exactly once.

Here: the order of things: assistant, a thread for each session, turn after turn, memory
operations, a snapshot of the memories; and what to do when an answer is lost on the way. What is
said is `turns`, reading back is `readback`, waiting for memory is `operations`, what outlives a
killed process is `journal`, protocol and result are `ingestion`.
"""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from time import perf_counter

from locomo_assets.backboard.client import BackboardClient
from locomo_assets.backboard.journal import (
    EndedOperation,
    IngestedTurn,
    IngestionResult,
    IngestJournal,
    IngestProgress,
    IngestProtocol,
    IngestState,
)
from locomo_assets.backboard.messages import message_text
from locomo_assets.backboard.operations import OpenOperation, OperationWatch
from locomo_assets.backboard.reconcile import (
    check_turns,
    found_on_server,
    recovered_turn,
    said,
    said_after,
)
from locomo_assets.http.concurrency import first_failure
from locomo_assets.http.errors import AmbiguousError
from locomo_assets.locomo.model import Conversation, Session


def _silent(_: IngestProgress) -> None:
    pass


async def ingest(
    client: BackboardClient,
    conversation: Conversation,
    protocol: IngestProtocol,
    *,
    assistant_name: str,
    journal: IngestJournal,
    progress: Callable[[IngestProgress], None] = _silent,
) -> IngestionResult:
    """Tell the conversation to a new assistant, or go on with one that was begun.

    `assistant_name` must name this ingestion alone: an assistant of that name is taken for the
    one whose creation was not kept in the journal. Raises the errors of `errors`; after any of
    them, or after a kill, calling it again with the same journal goes on where it stopped.
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
        self._spare: list[str] = []
        self._turns: list[IngestedTurn] = []
        self._with_operation = 0
        self._operations: dict[str, EndedOperation] = {}

    async def run(self) -> IngestionResult:
        started_at, start = datetime.now(UTC), perf_counter()
        state = await self._journal.load()
        await self._take_up(state)
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
        messages_on_server = await self._count_on_server()
        memories = await self._client.list_memories(self._assistant_id)
        return IngestionResult(
            assistant_id=self._assistant_id,
            sessions=len(self._conversation.sessions),
            turns=tuple(self._turns),
            operations=self._operations_in_order(),
            memories=tuple(memories),
            turns_read_back=sum(turn.latency_ms is None for turn in self._turns),
            messages_on_server=messages_on_server,
            started_at=started_at,
            ended_at=datetime.now(UTC),
            duration_s=perf_counter() - start,
        )

    async def _take_up(self, state: IngestState) -> None:
        """Know the assistant, and what it has been told already."""
        self._turns = list(state.turns)
        self._with_operation = sum(turn.memory_operation_id is not None for turn in self._turns)
        self._operations = {one.memory_operation_id: one for one in state.operations}
        self._assistant_id = state.assistant_id or await self._assistant()
        if state.assistant_id is None:
            await self._journal.assistant_created(self._assistant_id)
        found = await found_on_server(self._client, self._conversation, self._assistant_id, state)
        self._threads, self._spare = found.threads, list(found.spare)
        for session_index, thread_id in found.threads.items():
            if session_index not in state.threads:
                await self._journal.thread_created(session_index, thread_id)
        for turn in found.recovered:
            await self._confirm(turn)

    async def _assistant(self) -> str:
        doubt: AmbiguousError | None = None
        for ask in range(1, self._client.retry.asks + 1):
            # Also before the first attempt: a killed process may have created it and told nobody.
            found = await self._client.list_assistants(name=self._assistant_name)
            if found:
                return found[0].assistant_id
            try:
                created = await self._client.create_assistant(
                    self._assistant_name,
                    description=self._protocol.description,
                    llm_provider=self._protocol.llm_provider,
                    llm_model=self._protocol.llm_model,
                )
                return created.assistant_id
            except AmbiguousError as error:
                doubt = error
                await asyncio.sleep(self._client.retry.wait_s(ask, error.retry_after_s))
        raise doubt or AssertionError("at least one attempt is made")

    async def _send_all(self) -> None:
        for session in self._conversation.sessions:
            done = sum(turn.session_index == session.session_index for turn in self._turns)
            if done == len(session.turns):
                continue
            thread_id = await self._thread(session)
            doubtful = False
            for position in range(done, len(session.turns)):
                turn, was_doubtful = await self._send(session, position, thread_id)
                doubtful = doubtful or was_doubtful
                await self._confirm(turn)
                await self._mind_operation(turn)
            if doubtful:
                # A request given up for lost may have been saved after its turn was sent again.
                messages = said(await self._client.get_thread(thread_id))
                check_turns(thread_id, session, messages, least=len(session.turns))

    async def _count_on_server(self) -> int:
        """How many messages the service itself counts, once each thread is seen to be right.

        `ThreadMismatchError` where a thread does not hold its session's turns, each once: no
        question must be asked of such a memory.
        """

        async def count(session: Session) -> int:
            thread_id = self._threads[session.session_index]
            messages = said(await self._client.get_thread(thread_id))
            check_turns(thread_id, session, messages, least=len(session.turns))
            return len(messages)

        async with asyncio.TaskGroup() as group:
            counts = [
                group.create_task(count(session))
                for session in self._conversation.sessions
                if session.turns
            ]
        return sum(task.result() for task in counts)

    async def _thread(self, session: Session) -> str:
        known = self._threads.get(session.session_index)
        if known is not None:
            return known
        thread_id = self._spare.pop() if self._spare else await self._new_thread()
        self._threads[session.session_index] = thread_id
        await self._journal.thread_created(session.session_index, thread_id)
        return thread_id

    async def _new_thread(self) -> str:
        doubt: AmbiguousError | None = None
        for ask in range(1, self._client.retry.asks + 1):
            try:
                return (await self._client.create_thread(self._assistant_id)).thread_id
            except AmbiguousError as error:
                doubt = error
                await asyncio.sleep(self._client.retry.wait_s(ask, error.retry_after_s))
                listed = await self._client.list_threads(self._assistant_id)
                known = set(self._threads.values())
                lost = [one.thread_id for one in listed if one.thread_id not in known]
                if lost:
                    return lost[0]
        raise doubt or AssertionError("at least one attempt is made")

    async def _send(
        self, session: Session, position: int, thread_id: str
    ) -> tuple[IngestedTurn, bool]:
        """The turn as the service has it, and whether an answer was lost on the way."""
        turn = session.turns[position]
        doubt: AmbiguousError | None = None
        for ask in range(1, self._client.retry.asks + 1):
            try:
                saved = await self._client.add_message(
                    thread_id,
                    message_text(turn),
                    memory=self._protocol.memory,
                    custom_timestamp=session.started_at,
                    llm_provider=self._protocol.llm_provider,
                    llm_model=self._protocol.llm_model,
                )
            except AmbiguousError as error:
                doubt = error
                messages = await said_after(self._client, thread_id, position, error)
                check_turns(thread_id, session, messages[: position + 1], least=position)
                if len(messages) > position:
                    return recovered_turn(session, position, thread_id, messages[position]), True
                await asyncio.sleep(self._client.retry.wait_s(ask, error.retry_after_s))
                continue
            row = IngestedTurn(
                session_index=session.session_index,
                turn_index=turn.turn_index,
                dia_id=turn.dia_id,
                thread_id=thread_id,
                message_id=saved.message_id,
                memory_operation_id=saved.memory_operation_id,
                sent_at=saved.sent_at,
                latency_ms=saved.latency_ms,
            )
            return row, doubt is not None
        raise doubt or AssertionError("at least one attempt is made")

    async def _confirm(self, turn: IngestedTurn) -> None:
        self._turns.append(turn)
        self._with_operation += turn.memory_operation_id is not None
        await self._journal.turn_confirmed(turn)
        self._tell()

    async def _mind_operation(self, turn: IngestedTurn) -> None:
        if turn.memory_operation_id is None:
            return
        operation = OpenOperation(turn.memory_operation_id, turn, perf_counter())
        if self._protocol.memory_wait == "turn":
            await self._watch.wait(operation)
        else:
            self._watch.add(operation)

    async def _wait_for_earlier(self) -> None:
        async with asyncio.TaskGroup() as group:
            for operation in self._open_operations():
                group.create_task(self._watch.wait(operation))

    def _open_operations(self) -> list[OpenOperation]:
        """Those of turns confirmed before this process, or read back by it."""
        return [
            OpenOperation(turn.memory_operation_id, turn, None)
            for turn in self._turns
            if turn.memory_operation_id and turn.memory_operation_id not in self._operations
        ]

    async def _operation_ended(self, operation: EndedOperation) -> None:
        self._operations[operation.memory_operation_id] = operation
        self._tell()
        await self._journal.operation_ended(operation)

    def _operations_in_order(self) -> tuple[EndedOperation, ...]:
        of_turns = (turn.memory_operation_id for turn in self._turns)
        return tuple(
            self._operations[one] for one in of_turns if one is not None and one in self._operations
        )

    def _tell(self) -> None:
        self._progress(
            IngestProgress(
                conversation=self._conversation.conversation,
                turns=len(self._turns),
                turns_total=self._turns_total,
                operations_ended=len(self._operations),
                operations_open=self._with_operation - len(self._operations),
            )
        )
