"""Asking a conversation's questions: each in a thread of its own, or all in one.

The published measurement asks in one thread. Where an answer is lost there, the thread is read
back, and a question that it holds is never put to it again.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from time import perf_counter

from locomo_assets.backboard.answers import (
    AnswerResult,
    AskProtocol,
    answered,
    unanswered,
)
from locomo_assets.backboard.client import BackboardClient
from locomo_assets.backboard.messages import same_text
from locomo_assets.backboard.models import Message
from locomo_assets.backboard.reconcile import said, said_after
from locomo_assets.backboard.transport import SERVICE
from locomo_assets.http.concurrency import first_failure
from locomo_assets.http.errors import (
    AmbiguousError,
    BackboardError,
    NotFoundError,
    RunFailedError,
)
from locomo_assets.http.limits import patiently
from locomo_assets.http.retry import SENSELESS
from locomo_assets.locomo.model import Question

# How long a run whose stream was lost may take to leave its answer in the thread.
_RUN_S, _PAUSE_S = 120.0, 1.0


@dataclass(slots=True)
class PublishedThread:
    """The one thread of a published phase. `held` counts the questions that it holds.

    `held` is None where it is not known; it is then read before the next question.
    """

    client: BackboardClient
    thread_id: str
    protocol: AskProtocol
    held: int | None = None

    async def ask(self, question: Question) -> AnswerResult:
        """Put the question once; read back what became of it where its answer was lost.

        Raises the errors of `SENSELESS`; every other failure is `unanswered`.
        """
        asks, asked_at, reason = 0, None, None
        try:
            before = await self._held()
            for asks in range(1, self.client.retry.asks + 1):
                asked_at = datetime.now(UTC)
                try:
                    got = await self.client.ask(
                        self.thread_id,
                        question.question,
                        memory=self.protocol.memory_mode,
                        llm_provider=self.protocol.llm_provider,
                        llm_model=self.protocol.llm_model,
                    )
                    self.held = before + 1
                    return answered(question, self.protocol, self.thread_id, got, asks)
                except RunFailedError as error:
                    # Whether the thread kept the question is read before the next one.
                    self.held = None
                    return self._unanswered(question, str(error), asked_at, asks)
                except AmbiguousError as error:
                    self.held, reason = None, str(error)
                    kept = await said_after(self.client, self.thread_id, before, error)
                    self.held = len(kept)
                    if self.held > before:
                        return await self._read_back(question, asked_at, asks, reason)
                    await asyncio.sleep(self.client.retry.wait_s(asks, error.retry_after_s))
        except SENSELESS:
            raise
        except BackboardError as error:
            reason = str(error)
        return self._unanswered(question, reason or "not asked", asked_at, asks)

    async def answer_of_earlier_process(
        self, question: Question, asked_before: Sequence[Question]
    ) -> AnswerResult | None:
        """What became of a question that an earlier process may have put; None: it had not.

        `asked_before` are the questions with a known outcome. Raises errors of `errors`.
        """
        kept = said(await self.client.get_thread(self.thread_id))
        self.held = len(kept)
        times = sum(same_text(message.content, question.question) for message in kept)
        known = sum(same_text(one.question, question.question) for one in asked_before)
        if times <= known:
            return None
        when = kept[-1].created_at or datetime.now(UTC)
        return await self._read_back(question, when, 0, "the process that asked it was stopped")

    async def _held(self) -> int:
        if self.held is None:
            self.held = len(said(await self.client.get_thread(self.thread_id)))
        return self.held

    async def _read_back(
        self, question: Question, asked_at: datetime, asks: int, reason: str
    ) -> AnswerResult:
        """The answer that the thread keeps behind its last question, if one comes in time."""
        begun = perf_counter()
        while True:
            reply = _last_reply((await self.client.get_thread(self.thread_id)).messages)
            if reply is not None and reply.status in (None, "completed") and reply.content.strip():
                return AnswerResult(
                    question=question,
                    protocol=self.protocol,
                    outcome="answered",
                    asked_at=asked_at,
                    asks=asks,
                    answer=reply.content,
                    thread_id=self.thread_id,
                    message_id=reply.message_id,
                    memory_operation_id=reply.memory_operation_id,
                    read_back=True,
                )
            over = reply is not None and reply.status in ("completed", "failed", "cancelled")
            if over or perf_counter() - begun > _RUN_S:
                why = f"{reason}; the thread holds the question and no answer"
                return self._unanswered(question, why, asked_at, asks)
            await asyncio.sleep(_PAUSE_S)

    def _unanswered(
        self, question: Question, reason: str, asked_at: datetime | None, asks: int
    ) -> AnswerResult:
        return unanswered(
            question,
            self.protocol,
            reason,
            thread_id=self.thread_id,
            asked_at=asked_at,
            asks=asks,
        )


def _last_reply(messages: Sequence[Message]) -> Message | None:
    for message in reversed(messages):
        if message.role in (None, "user"):
            return None
        if message.role == "assistant":
            return message
    return None


def alone(question: Question) -> str:
    """The question's own text, as its message."""
    return question.question


async def ask_all(
    client: BackboardClient,
    assistant_id: str,
    questions: Sequence[Question],
    protocol: AskProtocol,
    on_answer: Callable[[AnswerResult], Awaitable[None]],
    *,
    message: Callable[[Question], str] = alone,
    thread_id: str | None = None,
    asked_before: Sequence[Question] = (),
) -> tuple[AnswerResult, ...]:
    """Ask them all; the results stand in the order of the questions.

    `on_answer` gets each result as it comes; if isolated, several at a time, and `message` says
    what is sent for a question. To resume a published phase, give its `thread_id` and the
    questions `asked_before`: a first question that the thread holds already is read back, not
    asked. A failure is `unanswered`. Raises only `KeyRefusedError`, `UnreachableError` and, for an
    assistant that is not there, `NotFoundError`, which every further question would meet, and
    what `on_answer` raises; nothing is asked after that.
    """
    results: dict[int, AnswerResult] = {}

    async def keep(result: AnswerResult) -> None:
        results[result.question_index] = result
        await on_answer(result)

    if not protocol.writes_memory:
        await _all_isolated(client, assistant_id, questions, protocol, message=message, keep=keep)
    elif questions:
        thread = await _thread(client, assistant_id, thread_id, protocol)
        await _all_published(thread, questions, asked_before if thread_id else None, keep)
    return tuple(results[question.question_index] for question in questions)


async def _all_isolated(
    client: BackboardClient,
    assistant_id: str,
    questions: Sequence[Question],
    protocol: AskProtocol,
    *,
    message: Callable[[Question], str],
    keep: Callable[[AnswerResult], Awaitable[None]],
) -> None:
    async def one(question: Question) -> None:
        with patiently():
            answer = await _ask_isolated(client, assistant_id, question, protocol, message)
        await keep(answer)

    with first_failure():
        async with asyncio.TaskGroup() as group:
            for question in questions:
                end = await client.limits.begin(SERVICE)
                # A task that is cancelled before it begins runs no line of its own.
                group.create_task(one(question)).add_done_callback(end)


async def _all_published(
    thread: PublishedThread,
    questions: Sequence[Question],
    asked_before: Sequence[Question] | None,
    keep: Callable[[AnswerResult], Awaitable[None]],
) -> None:
    rest = list(questions)
    if asked_before is not None:
        earlier = await thread.answer_of_earlier_process(rest[0], asked_before)
        if earlier is not None:
            await keep(earlier)
            del rest[0]
    for question in rest:
        await keep(await thread.ask(question))


async def _thread(
    client: BackboardClient, assistant_id: str, thread_id: str | None, protocol: AskProtocol
) -> PublishedThread:
    if thread_id is not None:
        return PublishedThread(client, thread_id, protocol)
    # An empty thread too many does no harm, so a creation in doubt is simply made again.
    for ask in range(1, client.retry.asks):
        try:
            thread = await client.create_thread(assistant_id)
        except AmbiguousError as error:
            await asyncio.sleep(client.retry.wait_s(ask, error.retry_after_s))
        else:
            return PublishedThread(client, thread.thread_id, protocol, held=0)
    thread = await client.create_thread(assistant_id)
    return PublishedThread(client, thread.thread_id, protocol, held=0)


async def _ask_isolated(
    client: BackboardClient,
    assistant_id: str,
    question: Question,
    protocol: AskProtocol,
    message: Callable[[Question], str],
) -> AnswerResult:
    """In a fresh thread, and in another one if the answer is lost: no memory is written."""
    thread_id: str | None = None
    asked_at: datetime | None = None
    reason, ask = "not asked", 0
    for ask in range(1, client.retry.asks + 1):
        thread_id = None
        try:
            thread_id = (await client.create_thread(assistant_id)).thread_id
            asked_at = datetime.now(UTC)
            got = await client.ask(
                thread_id,
                message(question),
                memory=protocol.memory_mode,
                llm_provider=protocol.llm_provider,
                llm_model=protocol.llm_model,
            )
            return answered(question, protocol, thread_id, got, ask)
        except SENSELESS:
            raise
        except (AmbiguousError, RunFailedError) as error:
            reason = str(error)
            if ask < client.retry.asks:
                await asyncio.sleep(client.retry.wait_s(ask, error.retry_after_s))
        except BackboardError as error:
            if isinstance(error, NotFoundError) and thread_id is None:
                raise
            reason = str(error)
            break
    return unanswered(question, protocol, reason, thread_id=thread_id, asked_at=asked_at, asks=ask)
