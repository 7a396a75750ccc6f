"""What the server has, where our own record may be behind.

Here: reading threads back after a lost answer or a killed process, and matching them with the
turns they should hold. There is no idempotency key, so this is what makes a turn ingested once.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from locomo_assets.backboard.client import BackboardClient
from locomo_assets.backboard.journal import IngestedTurn, IngestState
from locomo_assets.backboard.messages import message_text, same_text, session_texts
from locomo_assets.backboard.models import Message, Thread
from locomo_assets.http.errors import AmbiguousError, ThreadMismatchError
from locomo_assets.locomo.model import Conversation, Session


@dataclass(frozen=True, slots=True)
class Found:
    """What the server has of a conversation.

    `threads` by session index, those of the journal included; `recovered` are turns that the
    journal does not know, in order; `spare` are empty threads without a session.
    """

    threads: dict[int, str]
    recovered: tuple[IngestedTurn, ...]
    spare: tuple[str, ...]


def said(thread: Thread) -> tuple[Message, ...]:
    """The messages that were sent, without the service's own."""
    return tuple(one for one in thread.messages if one.role in (None, "user"))


async def said_after(
    client: BackboardClient, thread_id: str, before: int, error: AmbiguousError | None
) -> tuple[Message, ...]:
    """What the thread holds after an ambiguous failure, when it held `before` messages earlier.

    Looks again for a while where the server may still be saving, unless the message is there.
    """
    pauses = client.retry.read_back_s if error is None or error.may_be_running else ()
    messages = said(await client.get_thread(thread_id))
    for pause in pauses:
        if len(messages) > before:
            break
        await asyncio.sleep(pause)
        messages = said(await client.get_thread(thread_id))
    return messages


def check_turns(
    thread_id: str, session: Session, messages: Sequence[Message], *, least: int
) -> None:
    """Raise `ThreadMismatchError` unless the thread holds the session's first turns, each once.

    `least` is the number of turns that it must hold.
    """
    texts = session_texts(session)
    for position, message in enumerate(messages):
        if position >= len(texts):
            what = f"{len(messages)} messages for {len(texts)} turns"
            break
        if not same_text(message.content, texts[position]):
            what = f"another message where turn {session.turns[position].dia_id} should be"
            break
    else:
        if len(messages) >= least:
            return
        what = f"{len(messages)} messages where {least} turns were confirmed"
    raise ThreadMismatchError(
        f"thread {thread_id} of session {session.session_index} holds {what}: its memories can't "
        "be trusted; delete the assistant and ingest the conversation anew"
    )


async def found_on_server(
    client: BackboardClient, conversation: Conversation, assistant_id: str, state: IngestState
) -> Found:
    """Compare the assistant's threads with the conversation, session by session.

    Raises `ThreadMismatchError` where a thread holds anything but the first turns of its
    session, or fewer than the journal confirmed, or where a session has turns before the
    one ahead of it is whole.
    """
    known = set(state.threads.values())
    unknown: list[tuple[str, tuple[Message, ...]]] = []
    for listed in await client.list_threads(assistant_id):
        if listed.thread_id not in known:
            thread = await client.get_thread(listed.thread_id)
            unknown.append((thread.thread_id, said(thread)))
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
                f"server though session {incomplete.session_index} is not whole: delete the "
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
        raise ThreadMismatchError(
            f"assistant {assistant_id} has thread {holding[0][0]}, which belongs to no session of "
            f"{conversation.conversation}: delete the assistant and ingest the conversation anew"
        )
    return Found(threads, tuple(recovered), spare)


def recovered_turn(
    session: Session, position: int, thread_id: str, message: Message
) -> IngestedTurn:
    """The row of a turn that only the server's record tells of."""
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
        return known, said(await client.get_thread(known))
    first = message_text(session.turns[0])
    for index, (_, messages) in enumerate(holding):
        if same_text(messages[0].content, first):
            return holding.pop(index)
    return None, ()
