"""A failure is `unanswered` with its reason, never an answer; nothing is asked needlessly."""

import asyncio
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from locomo_assets.backboard import ask
from locomo_assets.backboard.answers import AnswerResult, AskProtocol
from locomo_assets.backboard.ask import QuestionThread, ask_all
from locomo_assets.backboard.client import MESSAGES
from locomo_assets.backboard.ingest import IngestProtocol, ingest
from locomo_assets.backboard.transport import SERVICE
from locomo_assets.errors import LocomoError
from locomo_assets.http.errors import KeyRefusedError, NotFoundError, UnreachableError
from locomo_assets.http.limits import Limits
from locomo_assets.locomo.model import Question
from locomo_assets.standin.settings import StandinSettings
from locomo_assets_tests.backboard.clients import QUICK, quick_client
from locomo_assets_tests.backboard.factories import CONVERSATION, TEXTS
from locomo_assets_tests.backboard.faulty_transport import (
    CUT,
    DONE_429,
    DONE_502,
    LOST,
    REFUSED_429,
    REVOKED,
    UNREACHED,
    VANISHED,
    FaultyService,
    Seen,
    faulty_service,
)
from locomo_assets_tests.backboard.journals import MemoryJournal

ISOLATED = AskProtocol(name="isolated")
PUBLISHED = AskProtocol(name="published")
QUESTIONS = CONVERSATION.questions


async def ingested_assistant(service: FaultyService) -> str:
    """An assistant that knows the conversation; the transport's counts begin after it."""
    protocol = IngestProtocol(memory_wait="conversation")
    result = await ingest(
        service.client, CONVERSATION, protocol, assistant_name="a", journal=MemoryJournal()
    )
    service.transport.reset()
    return result.assistant_id


async def ask_questions(
    service: FaultyService, assistant_id: str, protocol: AskProtocol, **more: object
) -> tuple[AnswerResult, ...]:
    kept: list[AnswerResult] = []

    async def keep(result: AnswerResult) -> None:
        kept.append(result)

    results = await ask_all(service.client, assistant_id, QUESTIONS, protocol, keep, **more)  # type: ignore[arg-type]  # a test's own choice
    assert sorted(kept, key=lambda one: one.question_index) == list(results)
    assert [one.question_index for one in results] == [one.question_index for one in QUESTIONS]
    return results


def threads_asked(texts: list[list[str]]) -> list[list[str]]:
    return [thread for thread in texts if thread not in TEXTS]


async def test_isolated_questions(tmp_path: Path) -> None:
    async with faulty_service(tmp_path) as service:
        assistant_id = await ingested_assistant(service)
        before = await service.client.list_memories(assistant_id)
        results = await ask_questions(service, assistant_id, ISOLATED)
        after = await service.client.list_memories(assistant_id)
        messages = [thread for thread in await service.transport.messages() if len(thread) == 2]
    assert before == after
    assert [one.outcome for one in results] == ["answered"] * 5
    assert results[0].answer is not None
    assert "Rex" in results[0].answer
    assert len({one.thread_id for one in results}) == 5
    assert sorted(thread[0][1] for thread in messages) == sorted(q.question for q in QUESTIONS)
    assert {one.answer for one in results} == {thread[1][1] for thread in messages}
    for one in results:
        assert one.retrieved
        assert one.latency_ms is not None
        assert one.first_chunk_ms is not None
        assert one.first_chunk_ms <= one.latency_ms
        assert one.input_tokens is not None
        assert one.in_flight is not None
        assert (one.asks, one.reason, one.read_back) == (1, None, False)
        assert one.llm_model == "standin-extractive-1"
    row = results[0].row()
    assert (row["memory_mode"], row["question_protocol"]) == ("Readonly", "isolated")
    assert row["retrieved"] == len(results[0].retrieved_rows())
    assert [one["rank"] for one in results[0].retrieved_rows()][:2] == [1, 2]


async def test_isolated_questions_go_side_by_side_up_to_the_limit(tmp_path: Path) -> None:
    settings = StandinSettings(first_chunk_latency_ms=30)
    async with faulty_service(tmp_path, settings, limits=Limits(8, {SERVICE: 2})) as service:
        assistant_id = await ingested_assistant(service)
        results = await ask_questions(service, assistant_id, ISOLATED)
    assert max(one.in_flight or 0 for one in results) == 2
    posted = [record for record in service.records.all if record.endpoint == MESSAGES]
    assert max(record.in_flight or 0 for record in posted) == 2


async def test_published_questions(tmp_path: Path) -> None:
    async with faulty_service(tmp_path) as service:
        assistant_id = await ingested_assistant(service)
        results = await ask_questions(service, assistant_id, PUBLISHED)
        (thread,) = [one for one in await service.transport.messages() if len(one) == 10]
    assert [text for role, text, _ in thread if role == "user"] == [q.question for q in QUESTIONS]
    assert [text for role, text, _ in thread if role == "assistant"] == [r.answer for r in results]
    assert len({one.thread_id for one in results}) == 1
    assert all(one.memory_operation_id for one in results)
    assert results[0].row()["memory_mode"] == "Auto"


@pytest.mark.parametrize("fault", [CUT, LOST, VANISHED, DONE_502, REFUSED_429, DONE_429])
async def test_an_isolated_answer_that_is_lost_is_read_back_before_it_is_asked_for_again(
    tmp_path: Path, fault: str
) -> None:
    async with faulty_service(tmp_path) as service:
        assistant_id = await ingested_assistant(service)
        service.transport.fault = lambda seen: fault if seen.is_message and seen.nth == 1 else None
        results = await ask_questions(service, assistant_id, ISOLATED)
        texts = threads_asked(await service.transport.texts())
        posted = sum(seen.is_message for seen in service.transport.requests)
    done = fault not in (VANISHED, REFUSED_429)
    assert [one.outcome for one in results] == ["answered"] * 5
    assert sorted(one.asks for one in results) == [1, 1, 1, 1, 1 if done else 2]
    assert [one.read_back for one in results].count(True) == done
    assert sorted(map(len, texts)) == [2] * 5
    assert posted == 5 if done else 6
    assert (
        len({one.answer for one in results if one.question.question == "What is Ann's dog called?"})
        == 1
    )


async def test_an_isolated_question_whose_thread_is_noted_is_read_back(tmp_path: Path) -> None:
    """By the next process: from those threads that hold an answer."""
    noted: dict[int, str] = {}
    async with faulty_service(tmp_path) as service:
        assistant_id = await ingested_assistant(service)

        async def note(question: Question, thread_id: str) -> None:
            assert (await service.client.get_thread(thread_id)).messages == ()
            noted[question.question_index] = thread_id

        await ask_questions(service, assistant_id, ISOLATED, on_thread=note)
        assert len(noted) == 5
        noted[3] = (await service.client.create_thread(assistant_id)).thread_id
        noted[4] = "00000000-0000-0000-0000-000000000000"
        service.transport.reset()
        again = await ask_questions(service, assistant_id, ISOLATED, asked_in=noted)
        posted = sum(seen.is_message for seen in service.transport.requests)
    assert [one.outcome for one in again] == ["answered"] * 5
    assert [one.read_back for one in again] == [True, True, True, False, False]
    assert [one.asks for one in again] == [0, 0, 0, 1, 1]
    assert posted == 2


@pytest.mark.parametrize(("fault", "reason"), [(VANISHED, "lost"), (REFUSED_429, "429")])
async def test_an_isolated_question_that_always_fails_is_unanswered(
    tmp_path: Path, fault: str, reason: str
) -> None:
    async with faulty_service(tmp_path) as service:
        assistant_id = await ingested_assistant(service)
        service.transport.fault = lambda seen: fault if seen.is_message else None
        results = await ask_questions(service, assistant_id, ISOLATED)
    for one in results:
        assert (one.outcome, one.answer, one.asks) == ("unanswered", None, 4)
        assert one.reason is not None
        assert reason in one.reason
        assert one.row()["latency_ms"] is None


@pytest.mark.parametrize("protocol", [ISOLATED, PUBLISHED])
async def test_runs_that_fail_are_unanswered(tmp_path: Path, protocol: AskProtocol) -> None:
    async with faulty_service(tmp_path, StandinSettings(run_failed_share=1.0)) as service:
        assistant_id = await ingested_assistant(service)
        results = await ask_questions(service, assistant_id, protocol)
        posted = sum(seen.is_message for seen in service.transport.requests)
    assert [one.outcome for one in results] == ["unanswered"] * 5
    assert all("run_failed" in (one.reason or "") for one in results)
    assert posted == (5 if protocol is PUBLISHED else 5 * QUICK.asks)


@pytest.mark.parametrize("text", ["", " \n"])
async def test_an_answer_without_text_is_one_and_has_its_cost(text: str) -> None:
    events = [
        {"type": "content_streaming", "content": text},
        {"type": "run_ended", "status": "COMPLETED", "output_tokens": 9},
    ]
    body = "".join(f"data: {json.dumps(event)}\n\n" for event in events)
    answers = {"threads": httpx.Response(200, json={"thread_id": "t"})}
    transport = httpx.MockTransport(
        lambda request: answers.get(
            request.url.path.rsplit("/", 1)[-1], httpx.Response(200, content=body)
        )
    )
    async with quick_client("http://standin.invalid/api", transport=transport) as client:
        (result,) = await ask_all(client, "a", QUESTIONS[:1], ISOLATED, ignored)
    assert (result.outcome, result.answer, result.output_tokens) == ("answered", text, 9)
    assert (result.reason, result.asks) == (None, 1)


@pytest.mark.parametrize("status", ["FAILED", "CANCELLED", "error", None])
async def test_an_empty_reply_in_a_thread_is_none_unless_it_is_completed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, status: str | None
) -> None:
    monkeypatch.setattr(ask, "_RUN_S", 0.05)
    monkeypatch.setattr(ask, "_PAUSE_S", 0.01)

    def without_words(_: Seen, answer: Any) -> Any:
        for message in answer.get("messages", ()) if isinstance(answer, dict) else ():
            if message["role"] == "assistant":
                message |= {"content": "", "status": status}
        return answer

    async with faulty_service(tmp_path) as service:
        assistant_id = await ingested_assistant(service)
        service.transport.fault = lambda seen: LOST if seen.is_message and seen.nth == 0 else None
        service.transport.edit = without_words
        results = await ask_questions(service, assistant_id, PUBLISHED)
    assert [one.outcome for one in results] == ["unanswered"] + ["answered"] * 4
    assert "holds the question and no answer" in (results[0].reason or "")


@pytest.mark.parametrize("protocol", [ISOLATED, PUBLISHED])
@pytest.mark.parametrize(
    ("fault", "kind"), [(REVOKED, KeyRefusedError), (UNREACHED, UnreachableError)]
)
async def test_what_every_question_would_meet_is_raised(
    tmp_path: Path, protocol: AskProtocol, fault: str, kind: type[Exception]
) -> None:
    kept: list[AnswerResult] = []

    async def keep(result: AnswerResult) -> None:
        kept.append(result)

    async with faulty_service(tmp_path, limits=Limits(1)) as service:
        assistant_id = await ingested_assistant(service)
        service.transport.fault = lambda seen: fault if seen.is_message and seen.nth >= 2 else None
        with pytest.raises(kind):
            await ask_all(service.client, assistant_id, QUESTIONS, protocol, keep)
    assert [one.outcome for one in kept] == ["answered"] * 2


@pytest.mark.parametrize("protocol", [ISOLATED, PUBLISHED])
async def test_an_assistant_that_is_gone_is_raised(tmp_path: Path, protocol: AskProtocol) -> None:
    async with faulty_service(tmp_path) as service:
        assistant_id = await ingested_assistant(service)
        await service.client.delete_assistant(assistant_id)
        with pytest.raises(NotFoundError):
            await ask_questions(service, assistant_id, protocol)


@pytest.mark.parametrize("fault", [CUT, LOST])
@pytest.mark.parametrize("protocol", [ISOLATED, PUBLISHED])
async def test_a_reply_without_words_that_is_lost_is_read_back(
    tmp_path: Path, protocol: AskProtocol, fault: str
) -> None:
    async with faulty_service(tmp_path, StandinSettings(wordless_share=1.0)) as service:
        assistant_id = await ingested_assistant(service)
        service.transport.fault = lambda seen: fault if seen.is_message and seen.nth == 3 else None
        results = await ask_questions(service, assistant_id, protocol)
        posted = sum(seen.is_message for seen in service.transport.requests)
    assert [(one.outcome, one.answer) for one in results] == [("answered", "")] * 5
    assert sum(one.read_back for one in results) == 1
    assert posted == 5


@pytest.mark.parametrize("fault", [CUT, LOST, DONE_502])
async def test_a_published_answer_that_is_lost_is_read_back(tmp_path: Path, fault: str) -> None:
    async with faulty_service(tmp_path) as service:
        assistant_id = await ingested_assistant(service)
        service.transport.fault = lambda seen: fault if seen.is_message and seen.nth == 3 else None
        results = await ask_questions(service, assistant_id, PUBLISHED)
        (texts,) = threads_asked(await service.transport.texts())
    assert texts[::2] == [question.question for question in QUESTIONS]
    assert texts[1::2] == [one.answer for one in results]
    assert [one.read_back for one in results] == [False, False, False, True, False]
    assert results[3].row()["retrieved"] is None


async def test_a_published_question_that_never_came_is_put_again(tmp_path: Path) -> None:
    async with faulty_service(tmp_path) as service:
        assistant_id = await ingested_assistant(service)
        service.transport.fault = lambda seen: (
            VANISHED if seen.is_message and seen.nth in (3, 4) else None
        )
        results = await ask_questions(service, assistant_id, PUBLISHED)
        (texts,) = threads_asked(await service.transport.texts())
    assert texts[::2] == [question.question for question in QUESTIONS]
    assert [one.asks for one in results] == [1, 1, 1, 3, 1]
    assert not any(one.read_back for one in results)


async def test_a_published_run_that_failed_after_a_lost_answer_is_unanswered(
    tmp_path: Path,
) -> None:
    async with faulty_service(tmp_path, StandinSettings(run_failed_share=1.0)) as service:
        assistant_id = await ingested_assistant(service)
        service.transport.fault = lambda seen: LOST if seen.is_message and seen.nth == 0 else None
        results = await ask_questions(service, assistant_id, PUBLISHED)
        (texts,) = threads_asked(await service.transport.texts())
    assert texts == [question.question for question in QUESTIONS]
    assert "holds the question and no answer" in (results[0].reason or "")
    assert [one.outcome for one in results] == ["unanswered"] * 5


@pytest.mark.parametrize("saved", [True, False])
async def test_a_published_phase_goes_on_in_its_thread(tmp_path: Path, saved: bool) -> None:
    """Stopped at the fourth question, which repeats the first; the server had it, or had not."""
    kept: list[AnswerResult] = []

    async def keep(result: AnswerResult) -> None:
        kept.append(result)

    async with faulty_service(tmp_path) as service:
        assistant_id = await ingested_assistant(service)

        async def stop(_: int) -> None:
            if sum(seen.is_message for seen in service.transport.requests) == 4:
                raise asyncio.CancelledError

        if saved:
            service.transport.after = stop
        else:
            service.transport.before = stop
        with pytest.raises(asyncio.CancelledError):
            await ask_all(service.client, assistant_id, QUESTIONS, PUBLISHED, keep)
        service.transport.reset()
        assert len(kept) == 3
        rest = await ask_all(
            service.client,
            assistant_id,
            QUESTIONS[3:],
            PUBLISHED,
            keep,
            thread_id=kept[0].thread_id,
            asked_before=QUESTIONS[:3],
        )
        (texts,) = threads_asked(await service.transport.texts())
    assert texts[::2] == [question.question for question in QUESTIONS]
    assert texts[1::2] == [one.answer for one in kept]
    assert [one.read_back for one in rest] == [saved, False]
    assert [one.asks for one in rest] == [0 if saved else 1, 1]


@pytest.mark.parametrize("protocol", [ISOLATED, PUBLISHED])
async def test_nothing_is_asked_after_the_keeper_failed(
    tmp_path: Path, protocol: AskProtocol
) -> None:
    async def full(_: AnswerResult) -> None:
        raise OSError("no space left")

    async with faulty_service(tmp_path, limits=Limits(1)) as service:
        assistant_id = await ingested_assistant(service)
        with pytest.raises(OSError, match="no space left"):
            await ask_all(service.client, assistant_id, QUESTIONS, protocol, full)
        assert sum(seen.is_message for seen in service.transport.requests) == 1


@pytest.mark.parametrize("protocol", [ISOLATED, PUBLISHED])
async def test_cancelling_stops_at_once(tmp_path: Path, protocol: AskProtocol) -> None:
    async with faulty_service(tmp_path, StandinSettings(first_chunk_latency_ms=5000)) as service:
        assistant_id = await ingested_assistant(service)
        task = asyncio.create_task(ask_questions(service, assistant_id, protocol))
        await asyncio.sleep(0.1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asyncio.wait_for(task, 1.0)
        assert service.client.limits.in_flight(SERVICE) == 0


async def test_one_question_in_a_given_thread(tmp_path: Path) -> None:
    async with faulty_service(tmp_path) as service:
        assistant_id = await ingested_assistant(service)
        (first,) = await ask_all(service.client, assistant_id, QUESTIONS[:1], PUBLISHED, ignored)
        service.transport.reset()
        service.transport.fault = lambda seen: LOST if seen.is_message and seen.nth == 0 else None
        thread = QuestionThread(service.client, str(first.thread_id), PUBLISHED)
        again = await thread.ask(QUESTIONS[0])
        (texts,) = threads_asked(await service.transport.texts())
    assert (again.thread_id, again.read_back) == (first.thread_id, True)
    assert texts[::2] == [QUESTIONS[0].question] * 2


async def test_no_questions_cost_nothing(tmp_path: Path) -> None:
    async with faulty_service(tmp_path) as service:
        for protocol in (ISOLATED, PUBLISHED):
            assert await ask_all(service.client, "a", (), protocol, nothing_kept) == ()
        assert service.transport.requests == []


async def ignored(_: AnswerResult) -> None:
    pass


async def nothing_kept(_: AnswerResult) -> None:
    raise AssertionError("there is no answer")


def test_protocols_are_told_apart() -> None:
    kinds = [
        ISOLATED,
        PUBLISHED,
        replace(ISOLATED, llm_model="other"),
        replace(ISOLATED, version=2),
    ]
    assert len({str(kind.canonical()) for kind in kinds}) == len(kinds)
    assert (ISOLATED.writes_memory, PUBLISHED.writes_memory) == (False, True)
    with pytest.raises(LocomoError, match="choose"):
        AskProtocol(name="other")  # type: ignore[arg-type]  # that is the point
