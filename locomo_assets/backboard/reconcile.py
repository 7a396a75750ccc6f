"""How far an ingestion is: by our own journal, and by the server's record where ours is behind.

The service takes no idempotency key. So after a lost answer or a killed process the threads are
read back and compared with the turns that they should hold: each turn is ingested once.
"""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from locomo_assets.backboard.client import BackboardClient
from locomo_assets.backboard.messages import fold, message_text, same_text, session_texts
from locomo_assets.backboard.models import FAILED_STATUSES, Message, Thread
from locomo_assets.http.errors import ThreadDamagedError, ThreadMismatchError
from locomo_assets.locomo.model import Conversation, Session


@dataclass(frozen=True, slots=True)
class IngestedTurn:
    """A turn that the service has.

    If our answer was lost and the turn was read back: `latency_ms` is None, `sent_at` the server's
    time if it gives one, and `memory_operation_id` known only if the thread says it.
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
    """A memory operation that is waited for no longer.

    `status` is `completed`, `error` or `timed_out` (it may still end). `wait_ms` counts from the
    turn's confirmation, and is None if that was in an earlier process.
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
    """How far an ingestion is: `threads` by session index, turns and operations in order.

    `doubtful` are the sessions of which a message may still arrive a second time.
    """

    assistant_id: str | None = None
    threads: Mapping[int, str] = field(default_factory=dict)
    turns: tuple[IngestedTurn, ...] = ()
    operations: tuple[EndedOperation, ...] = ()
    doubtful: frozenset[int] = frozenset()


class IngestJournal(Protocol):
    """Our own record of an ingestion; the one that outlives a process is kept in the history.

    A fact may be stored a little later than it is noted, but never in another order and never
    with gaps: what is missing at the end is found again on the server.
    """

    async def load(self) -> IngestState: ...

    async def assistant_created(self, assistant_id: str) -> None: ...

    async def thread_created(self, session_index: int, thread_id: str) -> None: ...

    async def thread_doubted(self, session_index: int, thread_id: str) -> None: ...

    async def turn_confirmed(self, turn: IngestedTurn) -> None: ...

    async def operation_ended(self, operation: EndedOperation) -> None: ...


@dataclass(frozen=True, slots=True)
class ServerState:
    """What the server has of a conversation.

    `threads` are by session index and include the journal's. `recovered` are the turns that the
    journal does not know, in order. `spare` are empty threads without a session.
    """

    threads: dict[int, str]
    recovered: tuple[IngestedTurn, ...]
    spare: tuple[str, ...]


def sent_messages(thread: Thread) -> tuple[Message, ...]:
    """The messages that we sent, without the service's replies."""
    return tuple(one for one in thread.messages if one.role in (None, "user"))


def check_turns(
    thread_id: str, session: Session, messages: Sequence[Message], *, least: int
) -> None:
    """Check that a thread holds the session's first turns, each once, and at least `least`.

    Raises `ThreadDamagedError` if it holds anything else or a turn that failed,
    `ThreadMismatchError` if it holds fewer.
    """
    texts = session_texts(session)
    where = f"thread {thread_id} of session {session.session_index} holds"
    for position, message in enumerate(messages):
        if position < len(texts) and same_text(message.content, texts[position]):
            if message.status in FAILED_STATUSES:
                raise failed_turn(session, position, thread_id, message.status or "")
            continue
        earlier = [
            one
            for one in range(min(position, len(texts)))
            if same_text(message.content, texts[one])
        ]
        if earlier:
            what = f"turn {session.turns[earlier[0]].dia_id} a second time"
        elif position < len(texts):
            what = f"another message where turn {session.turns[position].dia_id} should be"
        else:
            what = f"{len(messages)} messages for {len(texts)} turns"
        raise ThreadDamagedError(f"{where} {what}: {_INGEST_ANEW}")
    if len(messages) < least:
        raise ThreadMismatchError(
            f"{where} {len(messages)} messages where {least} turns were confirmed: run it again; "
            "if it says so again, delete the assistant, and the conversation is ingested anew"
        )


def failed_turn(
    session: Session, position: int, thread_id: str, failure: str
) -> ThreadDamagedError:
    """For a turn that the service took and says it failed at.

    It may be in the thread, and no call is documented that takes it out or tries it again: sent
    again it could be there twice.
    """
    return ThreadDamagedError(
        f"turn {session.turns[position].dia_id} in thread {thread_id} of session "
        f"{session.session_index} was not remembered, the service says ({failure}): {_INGEST_ANEW}"
    )


_INGEST_ANEW = (
    "its memories can't be trusted; run it again to ingest the conversation into a new assistant"
)


async def count_messages(
    client: BackboardClient, conversation: Conversation, threads: Mapping[int, str]
) -> int:
    """The messages in the threads of these sessions, by the service's own count.

    Raises as `check_turns` unless each thread holds its session's turns, each once: no question
    must be asked of any other memory.
    """

    async def count(session: Session) -> int:
        thread_id = threads[session.session_index]
        messages = sent_messages(await client.get_thread(thread_id))
        check_turns(thread_id, session, messages, least=len(session.turns))
        return len(messages)

    counted = [one for one in conversation.sessions if one.turns and one.session_index in threads]
    async with asyncio.TaskGroup() as group:
        counts = [group.create_task(count(session)) for session in counted]
    return sum(task.result() for task in counts)


def check_asked(thread: Thread, asked: Sequence[str]) -> None:
    """Raise `ThreadDamagedError` if the thread holds a question more often than it was `asked`."""
    times = Counter(fold(text) for text in asked)
    times.subtract(fold(message.content) for message in sent_messages(thread))
    if times and min(times.values()) < 0:
        text = min(times, key=lambda one: times[one])
        raise ThreadDamagedError(
            f"thread {thread.thread_id} holds a question that was not to be asked (again): "
            f"{text[:80]!r}; its answers can't be trusted; run it again to ask in a new thread"
        )


async def compare_with_server(
    client: BackboardClient, conversation: Conversation, assistant_id: str, state: IngestState
) -> ServerState:
    """Compare the assistant's threads with the conversation, session by session.

    Raises as `check_turns` where a thread holds anything but the first turns of its session, or
    fewer than the journal confirmed; likewise where a session has turns though an earlier one is
    incomplete, and where a thread belongs to no session.
    """
    known = set(state.threads.values())
    unknown: list[tuple[str, tuple[Message, ...]]] = []
    for listed in await client.list_threads(assistant_id):
        if listed.thread_id not in known:
            thread = await client.get_thread(listed.thread_id)
            unknown.append((thread.thread_id, sent_messages(thread)))
    spare = tuple(thread_id for thread_id, messages in unknown if not messages)
    holding = [(thread_id, messages) for thread_id, messages in unknown if messages]
    threads = dict(state.threads)
    recovered: list[IngestedTurn] = []
    incomplete: Session | None = None
    for session in (one for one in conversation.sessions if one.turns):
        confirmed = sum(turn.session_index == session.session_index for turn in state.turns)
        thread_id, messages = await _thread_of(client, session, threads, holding)
        if thread_id is None:
            incomplete = incomplete or session
            continue
        check_turns(thread_id, session, messages, least=confirmed)
        if messages and incomplete is not None:
            raise ThreadMismatchError(
                f"session {session.session_index} of {conversation.conversation} has turns on the "
                f"server though session {incomplete.session_index} is incomplete: delete the "
                "assistant and ingest the conversation anew"
            )
        threads[session.session_index] = thread_id
        recovered += [
            recovered_turn(session, position, thread_id, messages[position])
            for position in range(confirmed, len(messages))
        ]
        if len(messages) < len(session.turns):
            incomplete = incomplete or session
    if holding:
        raise ThreadDamagedError(
            f"assistant {assistant_id} has thread {holding[0][0]}, which belongs to no session of "
            f"{conversation.conversation}: {_INGEST_ANEW}"
        )
    return ServerState(threads, tuple(recovered), spare)


def recovered_turn(
    session: Session, position: int, thread_id: str, message: Message
) -> IngestedTurn:
    """The row of a turn that was read back from the server."""
    turn = session.turns[position]
    return IngestedTurn(
        session_index=session.session_index,
        turn_index=turn.turn_index,
        dia_id=turn.dia_id,
        thread_id=thread_id,
        message_id=message.message_id,
        memory_operation_id=message.memory_operation_id,
        sent_at=message.created_at,
        latency_ms=None,
    )


async def _thread_of(
    client: BackboardClient,
    session: Session,
    threads: dict[int, str],
    holding: list[tuple[str, tuple[Message, ...]]],
) -> tuple[str | None, tuple[Message, ...]]:
    known = threads.get(session.session_index)
    if known is not None:
        return known, sent_messages(await client.get_thread(known))
    first = message_text(session.turns[0])
    for index, (_, messages) in enumerate(holding):
        if same_text(messages[0].content, first):
            return holding.pop(index)
    return None, ()
