"""What ends an ingestion: refusals, errors behind 200, turns that the service failed at."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from locomo_assets.backboard.ingest import IngestProtocol
from locomo_assets.http.errors import (
    AmbiguousError,
    KeyRefusedError,
    RetrySettings,
    ThreadDamagedError,
    UnexpectedAnswerError,
)
from locomo_assets_tests.backboard.clients import QUICK
from locomo_assets_tests.backboard.factories import TEXTS
from locomo_assets_tests.backboard.faulty_transport import (
    ERROR_200,
    ERROR_TEXT,
    HTML,
    LOST,
    REVOKED,
    VANISHED,
    Seen,
    faulty_service,
)
from locomo_assets_tests.backboard.journals import MemoryJournal
from locomo_assets_tests.backboard.test_ingest import BY_CONVERSATION, BY_TURN, TURNS, ingested


@pytest.mark.parametrize("protocol", [BY_TURN, BY_CONVERSATION])
async def test_a_key_refused_on_the_way_ends_it_with_its_own_error(
    tmp_path: Path, protocol: IngestProtocol
) -> None:
    async with faulty_service(tmp_path) as service:
        service.transport.fault = lambda seen: REVOKED if seen.number > 8 else None
        with pytest.raises(KeyRefusedError):
            await ingested(service, protocol)


async def test_a_turn_that_can_never_be_sent_ends_it(tmp_path: Path) -> None:
    async with faulty_service(
        tmp_path, retry=RetrySettings(asks=3, base_s=0.001, quiet_s=0.0, quiet_after_overdue_s=0.0)
    ) as service:
        service.transport.fault = lambda seen: (
            VANISHED if seen.is_message and seen.nth >= 2 else None
        )
        with pytest.raises(AmbiguousError, match="run it again"):
            await ingested(service)
    assert sum(seen.is_message for seen in service.transport.requests) == 2 + 3


@pytest.mark.parametrize("fault", [ERROR_200, HTML])
async def test_an_error_behind_200_ends_it_at_its_first_turn(tmp_path: Path, fault: str) -> None:
    retry = replace(QUICK, asks=3, quiet_s=0.0)
    async with faulty_service(tmp_path, retry=retry) as service:
        service.transport.fault = lambda seen: fault if seen.is_message and seen.nth >= 2 else None
        with pytest.raises(AmbiguousError, match=ERROR_TEXT if fault == ERROR_200 else "not JSON"):
            await ingested(service)
        assert await service.transport.texts() == [TEXTS[0][:2]]
    assert sum(seen.is_message for seen in service.transport.requests) == 2 + 3


@pytest.mark.parametrize("said", [{"error": ERROR_TEXT}, {"detail": [{"msg": ERROR_TEXT}]}])
@pytest.mark.parametrize("path", ["/operations/", "/memories", "/threads", "/threads/"])
async def test_an_error_behind_200_of_any_other_call_ends_it_in_its_own_words(
    tmp_path: Path, path: str, said: object
) -> None:
    async with faulty_service(tmp_path) as service:

        def fail(seen: Seen, answer: Any) -> Any:
            ends = seen.path.endswith(path) if path != "/operations/" else path in seen.path
            is_thread = path == "/threads/" and seen.path.rpartition("/")[0].endswith("/threads")
            return said if seen.method == "GET" and (ends or is_thread) else answer

        service.transport.edit = fail
        with pytest.raises(UnexpectedAnswerError, match=ERROR_TEXT):
            await ingested(service)


def failing(status: str, *, at: int, form: str) -> Any:
    """An edit: the turn of this number has a status, where it is answered or in its thread."""

    def edit(seen: Seen, answer: Any) -> Any:
        if form == "in the thread" and "messages" in answer and seen.method == "GET":
            for one in answer["messages"][at : at + 1]:
                one["status"] = status
        elif not (seen.is_message and seen.nth == at):
            pass
        elif form == "answered":
            return {**answer, "status": status, "error": "no embedding"}
        elif form == "answered in a list":
            return {"messages": [{**answer, "role": "user", "status": status}]}
        elif form == "answered without an id":
            return {"status": status, "message": "no embedding"}
        return answer

    return edit


@pytest.mark.parametrize("protocol", [BY_TURN, BY_CONVERSATION])
@pytest.mark.parametrize("status", ["FAILED", "failed", "CANCELLED", "cancelled"])
@pytest.mark.parametrize("form", ["answered", "answered in a list", "answered without an id"])
async def test_a_turn_that_the_service_failed_at_is_not_ingested(
    tmp_path: Path, protocol: IngestProtocol, status: str, form: str
) -> None:
    """It is in the thread: neither sent again, nor any turn after it."""
    journal = MemoryJournal()
    async with faulty_service(tmp_path) as service:
        service.transport.edit = failing(status, at=2, form=form)
        with pytest.raises(ThreadDamagedError, match=r"turn D1:3 .* \((failed|cancelled)"):
            await ingested(service, protocol, journal)
        assert await service.transport.texts() == [TEXTS[0][:3]]
    assert [turn.dia_id for turn in (await journal.load()).turns] == ["D1:1", "D1:2"]


@pytest.mark.parametrize("status", ["FAILED", "cancelled"])
async def test_a_turn_that_is_found_failed_in_its_thread_is_not_ingested(
    tmp_path: Path, status: str
) -> None:
    journal = MemoryJournal()
    async with faulty_service(tmp_path) as service:
        service.transport.edit = failing(status, at=2, form="in the thread")
        with pytest.raises(ThreadDamagedError, match=r"turn D\d:3 .*new assistant"):
            await ingested(service, journal=journal)
        assert await service.transport.texts() == TEXTS
        # Nor by whoever goes on, or reads a lost answer back.
        with pytest.raises(ThreadDamagedError, match=r"turn D\d:3"):
            await ingested(service, journal=journal)
        assert await service.transport.texts() == TEXTS
    async with faulty_service(tmp_path / "lost") as service:
        service.transport.edit = failing(status, at=2, form="in the thread")
        service.transport.fault = lambda seen: LOST if seen.is_message and seen.nth == 2 else None
        with pytest.raises(ThreadDamagedError, match="turn D1:3"):
            await ingested(service)
        assert await service.transport.texts() == [TEXTS[0][:3]]


async def test_turns_without_a_single_memory_operation_are_no_ingestion(tmp_path: Path) -> None:
    """The id may have another name or place by now: nobody knows whether memory has formed."""

    def renamed(_: Seen, answer: Any) -> Any:
        if isinstance(answer, dict):
            for one in (answer, *answer.get("messages", ())):
                one["operation"] = one.pop("memory_operation_id", None)
        return answer

    journal = MemoryJournal()
    async with faulty_service(tmp_path) as service:
        service.transport.edit = renamed
        for _ in range(2):
            with pytest.raises(UnexpectedAnswerError, match=r"no memory_operation_id") as caught:
                await ingested(service, journal=journal)
            assert await service.transport.texts() == TEXTS
        result = await ingested(service, IngestProtocol(memory="off"))
    assert f"{TURNS} saved turns of conv-t" in str(caught.value)
    assert result.completeness()["operations"] == 0


async def test_some_turns_without_a_memory_operation_are_well(tmp_path: Path) -> None:
    def dropped(seen: Seen, answer: Any) -> Any:
        return {**answer, "memory_operation_id": None} if seen.is_message and seen.nth else answer

    async with faulty_service(tmp_path) as service:
        service.transport.edit = dropped
        result = await ingested(service)
    assert result.completeness() == {"messages_on_server": TURNS, "operations": 1}
