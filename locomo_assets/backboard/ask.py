"""Asking a conversation's questions: each in a thread of its own, or all in one.

The published measurement asks in one thread. If an answer is lost there, the thread is read back:
a question that it holds is never asked again. Judging the answers belongs to `judging`.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from time import perf_counter

from locomo_assets.backboard.answers import AnswerResult, AskProtocol, answered, unanswered
from locomo_assets.backboard.client import BackboardClient
from locomo_assets.backboard.messages import same_text
from locomo_assets.backboard.models import Message
from locomo_assets.backboard.reconcile import sent_messages, sent_messages_after
from locomo_assets.backboard.transport import SERVICE, Answered
from locomo_assets.http.errors import (
    AmbiguousError,
    BackboardError,
    KeyRefusedError,
    NotFoundError,
    RunFailedError,
    UnreachableError,
)
from locomo_assets.http.limits import first_failure, low_priority
from locomo_assets.locomo.model import Question

_FATAL = (KeyRefusedError, UnreachableError)
"""After these, every further question would fail as well."""

# How long a run whose stream was lost may take to leave its answer in the thread.
_RUN_S, _PAUSE_S = 120.0, 1.0


def question_text(question: Question) -> str:
    """The question alone, as its message."""
    return question.question


async def ask_all(
    client: BackboardClient,
    assistant_id: str,
    questions: Sequence[Question],
    protocol: AskProtocol,
    on_answer: Callable[[AnswerResult], Awaitable[None]],
    *,
    message: Callable[[Question], str] = question_text,
    thread_id: str | None = None,
    asked_before: Sequence[Question] = (),
) -> tuple[AnswerResult, ...]:
    """Ask them all; the results are in the order of the questions.

    `on_answer` gets each result as it comes, several at a time unless the protocol is `published`.
    `message` gives the text that is sent for a question, except in `published`.

    To resume a `published` phase, give its `thread_id` and the questions `asked_before`: if the
    thread holds the first of `questions` already, its answer is read back.

    A failure is `unanswered`. Raises what `on_answer` raises, and what every further question
    would meet: `KeyRefusedError`, `UnreachableError`, and `NotFoundError` for a missing assistant.
    Nothing is asked after that.
    """
    results: dict[int, AnswerResult] = {}

    async def keep(result: AnswerResult) -> None:
        results[result.question_index] = result
        await on_answer(result)

    if not protocol.writes_memory:
        await _ask_isolated(client, assistant_id, questions, protocol, message=message, keep=keep)
    elif questions:
        resumed = thread_id is not None
        thread = await _published_thread(client, assistant_id, thread_id, protocol)
        await _ask_published(thread, questions, asked_before if resumed else None, keep)
    return tuple(results[question.question_index] for question in questions)


async def _ask_isolated(
    client: BackboardClient,
    assistant_id: str,
    questions: Sequence[Question],
    protocol: AskProtocol,
    *,
    message: Callable[[Question], str],
    keep: Callable[[AnswerResult], Awaitable[None]],
) -> None:
    async def one(question: Question) -> None:
        with low_priority():
            answer = await _ask_one(client, assistant_id, question, protocol, message)
        await keep(answer)

    with first_failure():
        async with asyncio.TaskGroup() as group:
            for question in questions:
                release = await client.limits.acquire_task_slot(SERVICE)
                # By callback: a task that is cancelled before it begins runs no line of its own.
                group.create_task(one(question)).add_done_callback(release)


async def _ask_one(
    client: BackboardClient,
    assistant_id: str,
    question: Question,
    protocol: AskProtocol,
    message: Callable[[Question], str],
) -> AnswerResult:
    """In a new thread, and in another one if the answer is lost: no memory is written."""
    thread_id: str | None = None
    asked_at: datetime | None = None
    asks = 0

    async def send(ask: int) -> AnswerResult:
        nonlocal thread_id, asked_at, asks
        thread_id, asks = None, ask
        thread_id = (await client.create_thread(assistant_id)).thread_id
        asked_at = datetime.now(UTC)
        got = await _ask(client, thread_id, message(question), protocol)
        return answered(question, protocol, thread_id, got, ask)

    try:
        doubtful = (AmbiguousError, RunFailedError)
        return await client.retry.until_certain(send, doubtful=doubtful)
    except _FATAL:
        raise
    except BackboardError as error:
        if isinstance(error, NotFoundError) and thread_id is None:
            raise  # the assistant is missing
        return unanswered(
            question, protocol, str(error), thread_id=thread_id, asked_at=asked_at, asks=asks
        )


async def _ask(
    client: BackboardClient, thread_id: str, text: str, protocol: AskProtocol
) -> Answered:
    return await client.ask(
        thread_id,
        text,
        memory=protocol.memory_mode,
        llm_provider=protocol.llm_provider,
        llm_model=protocol.llm_model,
    )


async def _published_thread(
    client: BackboardClient, assistant_id: str, thread_id: str | None, protocol: AskProtocol
) -> "PublishedThread":
    if thread_id is not None:
        return PublishedThread(client, thread_id, protocol)

    async def create(_ask: int) -> str:
        return (await client.create_thread(assistant_id)).thread_id

    # An empty thread too many does no harm.
    return PublishedThread(client, await client.retry.until_certain(create), protocol, held=0)


async def _ask_published(
    thread: "PublishedThread",
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


@dataclass(slots=True)
class PublishedThread:
    """The one thread of a published phase.

    `held` is the number of questions that it holds. None where that is not known; it is then read
    before the next question.
    """

    client: BackboardClient
    thread_id: str
    protocol: AskProtocol
    held: int | None = None

    async def ask(self, question: Question) -> AnswerResult:
        """Ask once; if the answer is lost, read back what became of the question.

        Raises the errors of `_FATAL`; every other failure is `unanswered`.
        """
        asks, asked_at = 0, datetime.now(UTC)
        before = 0

        async def send(ask: int) -> AnswerResult:
            nonlocal asks, asked_at
            asks, asked_at = ask, datetime.now(UTC)
            got = await _ask(self.client, self.thread_id, question.question, self.protocol)
            self.held = before + 1
            return answered(question, self.protocol, self.thread_id, got, ask)

        async def look(ask: int, error: BackboardError) -> AnswerResult | None:
            messages = await sent_messages_after(self.client, self.thread_id, before, error)
            self.held = len(messages)
            if self.held == before:
                return None
            return await self._read_back(question, asked_at, ask, str(error))

        try:
            before = await self._count()
            self.held = None  # not known if the question fails
            return await self.client.retry.until_certain(send, look)
        except _FATAL:
            raise
        except BackboardError as error:
            return self._unanswered(question, str(error), asked_at, asks)

    async def answer_of_earlier_process(
        self, question: Question, asked_before: Sequence[Question]
    ) -> AnswerResult | None:
        """The answer to a question that an earlier process may have asked; None if it had not.

        `asked_before` are the questions with a known outcome.
        """
        messages = sent_messages(await self.client.get_thread(self.thread_id))
        self.held = len(messages)
        times = sum(same_text(message.content, question.question) for message in messages)
        known = sum(same_text(one.question, question.question) for one in asked_before)
        if times <= known:
            return None
        asked_at = messages[-1].created_at or datetime.now(UTC)
        return await self._read_back(question, asked_at, 0, "the process that asked it was stopped")

    async def _count(self) -> int:
        if self.held is None:
            self.held = len(sent_messages(await self.client.get_thread(self.thread_id)))
        return self.held

    async def _read_back(
        self, question: Question, asked_at: datetime, asks: int, reason: str
    ) -> AnswerResult:
        """The answer that the thread keeps behind its last question, if one comes in time."""
        start = perf_counter()
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
            if over or perf_counter() - start > _RUN_S:
                reason = f"{reason}; the thread holds the question and no answer"
                return self._unanswered(question, reason, asked_at, asks)
            await asyncio.sleep(_PAUSE_S)

    def _unanswered(
        self, question: Question, reason: str, asked_at: datetime, asks: int
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
