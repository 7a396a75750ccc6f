"""Each turn exactly once and in order, by the server's own record, whatever happens."""

import asyncio
import random
from dataclasses import replace
from pathlib import Path

import pytest

from locomo_assets.backboard.ingest import (
    IngestionResult,
    IngestProgress,
    IngestProtocol,
    ingest,
)
from locomo_assets.backboard.reconcile import IngestState
from locomo_assets.errors import LocomoError
from locomo_assets.http.errors import (
    ThreadDamagedError,
    ThreadMismatchError,
    UnreachableError,
)
from locomo_assets.standin.settings import StandinSettings
from locomo_assets_tests.backboard.clients import QUICK
from locomo_assets_tests.backboard.factories import CONVERSATION, TEXTS, session
from locomo_assets_tests.backboard.faulty_transport import (
    DONE_502,
    DONE_ERROR_200,
    DONE_HTML,
    ERROR_200,
    FAILED_500,
    FAULTS,
    HTML,
    LATE,
    LOST,
    VANISHED,
    FaultyService,
    Seen,
    do_nothing,
    faulty_service,
)
from locomo_assets_tests.backboard.journals import MemoryJournal

BY_TURN = IngestProtocol()
BY_CONVERSATION = IngestProtocol(memory_wait="conversation")
TURNS = sum(len(texts) for texts in TEXTS)


async def ingested(
    service: FaultyService,
    protocol: IngestProtocol = BY_CONVERSATION,
    journal: MemoryJournal | None = None,
) -> IngestionResult:
    return await ingest(
        service.client,
        CONVERSATION,
        protocol,
        assistant_name="LoCoMo Test Assistant 1",
        journal=journal or MemoryJournal(),
    )


def check_rows(result: IngestionResult) -> None:
    assert [(turn.session_index, turn.turn_index) for turn in result.turns] == [
        (turn.session_index, turn.turn_index) for turn in CONVERSATION.turns
    ]
    assert len({turn.message_id for turn in result.turns}) == TURNS
    assert len({turn.thread_id for turn in result.turns}) == len(TEXTS)
    ids = [operation.memory_operation_id for operation in result.operations]
    assert len(set(ids)) == len(ids)


@pytest.mark.parametrize("protocol", [BY_TURN, BY_CONVERSATION])
async def test_a_conversation_is_told(tmp_path: Path, protocol: IngestProtocol) -> None:
    journal, seen = MemoryJournal(), list[IngestProgress]()
    async with faulty_service(tmp_path) as service:
        result = await ingest(
            service.client,
            CONVERSATION,
            protocol,
            assistant_name="LoCoMo Test Assistant 1",
            journal=journal,
            progress=seen.append,
        )
        messages = await service.transport.messages()
        assistants = await service.client.list_assistants()
    assert [[text for _, text, _ in thread] for thread in messages] == TEXTS
    assert [{str(meta) for _, _, meta in thread} for thread in messages] == [
        {str({"custom_timestamp": f"2023-05-0{day}T13:56:00Z"})} for day in (8, 9)
    ] + [{str({"custom_timestamp": "2023-05-10T13:56:00Z"})}]
    check_rows(result)
    assert [one.name for one in assistants] == ["LoCoMo Test Assistant 1"]
    assert result.numbers() | {"duration_s": 0} == {
        "sessions": 3,
        "turns": TURNS,
        "turns_ingested": TURNS,
        "operations_completed": TURNS,
        "operations_failed": 0,
        "operations_timed_out": 0,
        "memories": len(result.memories),
        "duration_s": 0,
    }
    assert len(result.memories) > 0
    assert result.turns_read_back == 0
    assert all(turn.latency_ms is not None and turn.latency_ms > 0 for turn in result.turns)
    assert all(op.wait_ms is not None and op.wait_ms >= 0 for op in result.operations)
    assert (seen[-1].turns, seen[-1].operations_ended) == (TURNS, TURNS)
    assert seen[-1].operations_open == 0
    state = await journal.load()
    assert state.turns == result.turns
    assert state.assistant_id == result.assistant_id
    assert set(state.operations) == set(result.operations)
    assert {turn.thread_id for turn in result.turns} == set(state.threads.values())
    assert len(result.turns) == len(result.operations) == TURNS


async def test_a_turn_waits_for_the_memory_of_the_one_before(tmp_path: Path) -> None:
    async with faulty_service(tmp_path, StandinSettings(memory_delay_ms=20)) as service:
        result = await ingested(service, BY_TURN)
        sent = [turn.sent_at for turn in result.turns]
        ended = [operation.ended_at for operation in result.operations]
    assert all(
        after is not None and after > end for after, end in zip(sent[1:], ended, strict=False)
    )
    assert [operation.status for operation in result.operations] == ["completed"] * TURNS


@pytest.mark.parametrize("wait", ["turn", "conversation"])
async def test_operations_that_fail_or_never_end_are_counted(tmp_path: Path, wait: str) -> None:
    settings = StandinSettings(memory_failed_share=0.4, memory_stuck_share=0.4, seed=2)
    protocol = IngestProtocol(
        memory_wait="turn" if wait == "turn" else "conversation", memory_time_out_s=0.05
    )
    async with faulty_service(tmp_path, settings) as service:
        result = await ingested(service, protocol)
        assert await service.transport.texts() == TEXTS
    numbers = result.numbers()
    counts = [numbers[f"operations_{end}"] for end in ("completed", "failed", "timed_out")]
    assert sum(counts) == TURNS
    assert min(counts) > 0
    timed_out = [one for one in result.operations if one.status == "timed_out"]
    assert all(one.wait_ms is not None and one.wait_ms >= 45.0 for one in timed_out)


@pytest.mark.parametrize("seed", range(8))
async def test_every_turn_once_through_any_faults(tmp_path: Path, seed: int) -> None:
    dice = random.Random(seed)
    async with faulty_service(tmp_path, retry=replace(QUICK, attempts=12, asks=12)) as service:
        service.transport.fault = lambda _: dice.choice(FAULTS) if dice.random() < 0.3 else None
        result = await ingested(service, BY_TURN if seed % 2 else BY_CONVERSATION)
        assert await service.transport.texts() == TEXTS
    check_rows(result)
    assert len(service.records.all) == len(service.transport.requests)


LOST_ANSWERS = [LOST, VANISHED, FAILED_500, DONE_502, HTML, DONE_HTML, ERROR_200, DONE_ERROR_200]
CARRIED_OUT = (LOST, DONE_502, DONE_HTML, DONE_ERROR_200)


@pytest.mark.parametrize("fault", LOST_ANSWERS)
async def test_a_lost_answer_is_looked_for_before_sending_again(tmp_path: Path, fault: str) -> None:
    async with faulty_service(tmp_path) as service:
        service.transport.fault = lambda seen: fault if seen.is_message and seen.nth == 2 else None
        result = await ingested(service)
        assert await service.transport.texts() == TEXTS
    sent = sum(seen.is_message for seen in service.transport.requests)
    carried_out = fault in CARRIED_OUT
    assert sent == TURNS + (0 if carried_out else 1)
    assert result.turns_read_back == (1 if carried_out else 0)
    check_rows(result)


@pytest.mark.parametrize("fault", LOST_ANSWERS)
async def test_a_lost_assistant_or_thread_is_looked_for_before_making_another(
    tmp_path: Path, fault: str
) -> None:
    async with faulty_service(tmp_path) as service:

        def first_of_each(seen: Seen) -> str | None:
            makes = seen.path.endswith(("/assistants", "/threads"))
            return fault if seen.method == "POST" and makes and seen.nth == 0 else None

        service.transport.fault = first_of_each
        result = await ingested(service)
        assert len(await service.client.list_assistants()) == 1
        assert len(await service.client.list_threads(result.assistant_id)) == len(TEXTS)
        assert await service.transport.texts() == TEXTS


async def test_a_turn_saved_late_and_twice_is_found_out(tmp_path: Path) -> None:
    retry = replace(QUICK, quiet_after_overdue_s=0.001)
    async with faulty_service(tmp_path, retry=retry) as service:
        service.transport.fault = lambda seen: LATE if seen.is_message and seen.nth == 2 else None

        async def wait_for_it(number: int) -> None:
            if sum(seen.is_message for seen in service.transport.requests[: number + 1]) == 5:
                await service.transport.late_requests()

        service.transport.before = wait_for_it
        service.transport.late_s = 0.5
        with pytest.raises(ThreadDamagedError, match="session 1") as caught:
            await ingested(service)
    assert "into a new assistant" in str(caught.value)


async def test_a_late_turn_is_waited_for(tmp_path: Path) -> None:
    retry = replace(QUICK, quiet_after_overdue_s=0.3)
    async with faulty_service(tmp_path, retry=retry) as service:
        service.transport.fault = lambda seen: LATE if seen.is_message and seen.nth == 2 else None
        result = await ingested(service)
        assert await service.transport.texts() == TEXTS
    assert result.turns_read_back == 1


class Killed(BaseException):
    """Stands for the end of the process."""


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("at", [0, 1, 3, 7, 12, 20])
@pytest.mark.parametrize("behind", [2, 100])
async def test_a_killed_ingestion_goes_on(
    tmp_path: Path, at: int, after: bool, behind: int
) -> None:
    """Killed at a request, before or after the server carried it out; the journal may lag."""
    journal = MemoryJournal()
    async with faulty_service(tmp_path) as service:

        async def kill(number: int) -> None:
            if number == at:
                raise Killed

        if after:
            service.transport.after = kill
        else:
            service.transport.before = kill
        with pytest.raises(Killed):
            await ingested(service, BY_TURN if at % 2 else BY_CONVERSATION, journal)
        service.transport.before = service.transport.after = do_nothing
        kept = MemoryJournal(lagging(await journal.load(), behind))
        result = await ingested(service, BY_CONVERSATION, kept)
        assert await service.transport.texts() == TEXTS
        assert len(await service.client.list_assistants()) == 1
    check_rows(result)
    assert (await kept.load()).turns == result.turns


def lagging(state: IngestState, behind: int) -> IngestState:
    """The state as a journal that lost its last facts would have it."""
    turns = state.turns[: max(0, len(state.turns) - behind)]
    threads = {turn.session_index: turn.thread_id for turn in turns}
    return IngestState(state.assistant_id if turns else None, threads, turns, ())


async def test_a_finished_ingestion_is_not_told_again(tmp_path: Path) -> None:
    journal = MemoryJournal()
    async with faulty_service(tmp_path) as service:
        first = await ingested(service, BY_CONVERSATION, journal)
        sent = sum(seen.is_message for seen in service.transport.requests)
        second = await ingested(service, BY_CONVERSATION, journal)
        assert sum(seen.is_message for seen in service.transport.requests) == sent
    assert second.turns == first.turns
    assert second.operations == first.operations
    assert {one.memory_id for one in second.memories} == {one.memory_id for one in first.memories}


async def test_a_session_without_turns_gets_no_thread(tmp_path: Path) -> None:
    first, *rest = CONVERSATION.sessions
    empty = session(7)
    conversation = replace(CONVERSATION, sessions=(empty, first, empty, *rest))
    journal = MemoryJournal()
    async with faulty_service(tmp_path) as service:
        for _ in range(2):
            result = await ingest(
                service.client, conversation, BY_CONVERSATION, assistant_name="a", journal=journal
            )
            assert await service.transport.texts() == TEXTS
        assert len(await service.client.list_threads(result.assistant_id)) == len(TEXTS)


async def stopped_after(service: FaultyService, turns: int) -> MemoryJournal:
    """An ingestion that ended after so many turns, the server being gone."""
    journal = MemoryJournal()
    service.transport.fault = lambda seen: (
        "no connection" if seen.is_message and seen.nth >= turns else None
    )
    with pytest.raises(UnreachableError):
        await ingested(service, BY_TURN, journal)
    service.transport.fault = lambda _: None
    assert len((await journal.load()).turns) == turns
    return journal


async def test_operations_left_open_are_awaited_on_resuming(tmp_path: Path) -> None:
    async with faulty_service(tmp_path) as service:
        journal = await stopped_after(service, 5)
        state = await journal.load()
        opened = replace(state, operations=state.operations[:3])
        for protocol in (BY_TURN, BY_CONVERSATION):
            result = await ingested(service, protocol, MemoryJournal(opened))
            assert result.numbers()["operations_completed"] == TURNS
            assert [one.wait_ms is None for one in result.operations[:6]] == [
                *[False] * 3,
                *[True] * 2,
                protocol is BY_CONVERSATION,
            ]
            opened = replace(opened, turns=result.turns[:6], threads=(await journal.load()).threads)


async def test_a_thread_with_a_foreign_message_is_refused(tmp_path: Path) -> None:
    async with faulty_service(tmp_path) as service:
        journal = await stopped_after(service, 2)
        turn = (await journal.load()).turns[-1]
        stamp = CONVERSATION.sessions[0].started_at
        await service.client.add_message(turn.thread_id, "x", memory="off", custom_timestamp=stamp)
        with pytest.raises(ThreadMismatchError, match=r"another message where turn D1:3"):
            await ingested(service, BY_TURN, journal)


async def test_a_thread_with_fewer_turns_than_confirmed_is_refused(tmp_path: Path) -> None:
    async with faulty_service(tmp_path) as service:
        state = await (await stopped_after(service, 2)).load()
        third = replace(state.turns[-1], turn_index=2, dia_id="D1:3")
        journal = MemoryJournal(replace(state, turns=(*state.turns, third)))
        with pytest.raises(ThreadMismatchError, match="2 messages where 3 turns were confirmed"):
            await ingested(service, BY_TURN, journal)


async def test_an_assistant_with_a_foreign_thread_is_refused(tmp_path: Path) -> None:
    async with faulty_service(tmp_path) as service:
        journal = await stopped_after(service, 2)
        assistant_id = (await journal.load()).assistant_id
        assert assistant_id is not None
        thread = await service.client.create_thread(assistant_id)
        stamp = CONVERSATION.sessions[0].started_at
        await service.client.add_message(
            thread.thread_id, "Eve: hi", memory="off", custom_timestamp=stamp
        )
        with pytest.raises(ThreadMismatchError, match="belongs to no session"):
            await ingested(service, BY_TURN, journal)


async def test_cancelling_stops_at_once(tmp_path: Path) -> None:
    journal = MemoryJournal()
    async with faulty_service(tmp_path, StandinSettings(memory_stuck_share=1.0)) as service:
        task = asyncio.create_task(ingested(service, BY_TURN, journal))
        await asyncio.sleep(0.2)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asyncio.wait_for(task, 1.0)
        kept = len((await journal.load()).turns)
        assert await service.transport.texts() == [TEXTS[0][:kept]]


def test_protocols_are_told_apart() -> None:
    assert IngestProtocol().canonical() == IngestProtocol().canonical()
    kinds = [
        IngestProtocol(),
        IngestProtocol(memory_wait="conversation"),
        IngestProtocol(memory_time_out_s=11),
        IngestProtocol(llm_model="other"),
        IngestProtocol(version=2),
    ]
    assert len({str(kind.canonical()) for kind in kinds}) == len(kinds)
    assert IngestProtocol().label() != BY_CONVERSATION.label()
    with pytest.raises(LocomoError, match="choose"):
        IngestProtocol(memory_wait="never")  # type: ignore[arg-type]  # that is the point
