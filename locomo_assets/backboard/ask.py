"""Asking a conversation's questions: each in a thread of its own, or all in one.

The published measurement asks in one thread. If an answer is lost, the thread is read back: an
answer that it holds is not paid for again. Judging the answers belongs to `judging`.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from time import perf_counter
from types import MappingProxyType

from locomo_assets.backboard.answers import AnswerResult, AskProtocol, answered, unanswered
from locomo_assets.backboard.client import BackboardClient
from locomo_assets.backboard.messages import same_text, with_conversation, with_evidence
from locomo_assets.backboard.models import FAILED_STATUSES, Message
from locomo_assets.backboard.reconcile import sent_messages
from locomo_assets.backboard.transport import SERVICE
from locomo_assets.http.errors import (
    AmbiguousError,
    BackboardError,
    KeyRefusedError,
    NotFoundError,
    RunFailedError,
    UnreachableError,
)
from locomo_assets.http.limits import first_failure, low_priority
from locomo_assets.locomo.model import Conversation, Question

_FATAL = (KeyRefusedError, UnreachableError)
"""After these, every further question would fail as well."""

# How long after its question a run whose stream was lost may leave its answer in the thread.
_RUN_S, _PAUSE_S = 120.0, 1.0


def question_text(question: Question) -> str:
    """The question alone, as its message."""
    return question.question


def question_message(
    protocol: AskProtocol, conversation: Conversation
) -> Callable[[Question], str]:
    """From a question of the conversation to its message in this protocol."""
    if protocol.name == "full-context":
        return with_conversation(conversation)
    return with_evidence(conversation) if protocol.name == "evidence-only" else question_text


async def ask_all(
    client: BackboardClient,
    assistant_id: str,
    questions: Sequence[Question],
    protocol: AskProtocol,
    on_answer: Callable[[AnswerResult], Awaitable[None]],
    *,
    message: Callable[[Question], str] = question_text,
    on_thread: Callable[[Question, str], Awaitable[None]] | None = None,
    asked_in: Mapping[int, str] = MappingProxyType({}),
    thread_id: str | None = None,
    asked_before: Sequence[Question] = (),
) -> tuple[AnswerResult, ...]:
    """Ask them all; the results are in the order of the questions.

    `on_answer` gets each result as it comes, several at a time unless the protocol is `published`.
    `message` gives the text that is sent for a question, except in `published`.

    `on_thread` gets the id of a new thread before the first question is put to it. To resume where
    each question has a thread of its own, give the threads of an earlier process as `asked_in`, by
    question index: an answer that one of them holds is read back.

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
        isolated = _Isolated(client, assistant_id, protocol, message, on_thread, asked_in)
        await isolated.ask_all(questions, keep)
    elif questions:
        if thread_id is None:
            made = await _create_thread(client, assistant_id)
            if on_thread is not None:
                await on_thread(questions[0], made)
            thread = QuestionThread(client, made, protocol, held=0)
            await _ask_published(thread, questions, None, keep)
        else:
            thread = QuestionThread(client, thread_id, protocol)
            await _ask_published(thread, questions, asked_before, keep)
    return tuple(results[question.question_index] for question in questions)


@dataclass(frozen=True)
class _Isolated:
    """Questions of which each has a thread of its own; see `ask_all`."""

    client: BackboardClient
    assistant_id: str
    protocol: AskProtocol
    message: Callable[[Question], str]
    on_thread: Callable[[Question, str], Awaitable[None]] | None
    asked_in: Mapping[int, str]

    async def ask_all(
        self, questions: Sequence[Question], keep: Callable[[AnswerResult], Awaitable[None]]
    ) -> None:
        async def one(question: Question) -> None:
            with low_priority():
                answer = await self._ask(question)
            await keep(answer)

        with first_failure():
            async with asyncio.TaskGroup() as group:
                for question in questions:
                    release = await self.client.limits.acquire_task_slot(SERVICE)
                    # By callback: a task that is cancelled before it begins runs no line of its
                    # own.
                    group.create_task(one(question)).add_done_callback(release)

    async def _ask(self, question: Question) -> AnswerResult:
        """In a new thread, and in another one if the run fails: no memory is written."""
        client, protocol, text = self.client, self.protocol, self.message(question)
        if (noted := self.asked_in.get(question.question_index)) is not None:
            answer = await self._answer_in(noted, question, text)
            if answer is not None:
                return answer
        thread: QuestionThread | None = None
        asks = 0

        async def send(_ask: int) -> AnswerResult:
            nonlocal thread, asks
            thread = None
            thread_id = await _create_thread(client, self.assistant_id)
            thread = QuestionThread(client, thread_id, protocol, held=0)
            if self.on_thread is not None:
                await self.on_thread(question, thread_id)
            try:
                return await thread.ask_once(question, text, asked=asks)
            finally:
                asks = thread.asks

        try:
            return await client.retry.until_certain(send, doubtful=(_NoAnswerError, RunFailedError))
        except _FATAL:
            raise
        except BackboardError as error:
            if isinstance(error, NotFoundError) and thread is None:
                raise  # the assistant is missing
            return _unanswered(thread, question, protocol, str(error))

    async def _answer_in(
        self, thread_id: str, question: Question, text: str
    ) -> AnswerResult | None:
        """What an earlier process's thread answers to the question; None if it doesn't."""
        thread = QuestionThread(self.client, thread_id, self.protocol)
        try:
            messages = sent_messages(await self.client.get_thread(thread_id))
            if not any(same_text(one.content, text) for one in messages):
                return None
            thread.asked_at = messages[-1].created_at
            return await thread.read_back(question, "the process that asked it was stopped")
        except (NotFoundError, _NoAnswerError):
            return None


class _NoAnswerError(AmbiguousError):
    """The thread holds the question, and no answer to it comes."""


async def _create_thread(client: BackboardClient, assistant_id: str) -> str:
    async def create(_ask: int) -> str:
        return (await client.create_thread(assistant_id)).thread_id

    # An empty thread too many does no harm.
    return await client.retry.until_certain(create)


async def _ask_published(
    thread: "QuestionThread",
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
class QuestionThread:
    """A thread that questions are put to: a published phase's one thread, or a question's own.

    `held` is the number of questions that it holds. None where that is not known; it is then read
    before the next question. `asks` and `asked_at` are of the last question.
    """

    client: BackboardClient
    thread_id: str
    protocol: AskProtocol
    held: int | None = None
    asks: int = 0
    asked_at: datetime | None = None

    async def ask(self, question: Question) -> AnswerResult:
        """As `ask_once`; but all failures other than those of `_FATAL` are `unanswered`."""
        try:
            return await self.ask_once(question, question.question)
        except _FATAL:
            raise
        except BackboardError as error:
            return _unanswered(self, question, self.protocol, str(error))

    async def ask_once(self, question: Question, text: str, *, asked: int = 0) -> AnswerResult:
        """Put the question to the thread once; if the answer is lost, read it back.

        `asked` is how often it was put to other threads. Raises `_NoAnswerError` where the thread
        holds the question and no answer comes, and the other errors of `http.errors`.
        """
        self.asks, self.asked_at = asked, datetime.now(UTC)
        before = await self._count()

        async def send(_ask: int) -> AnswerResult:
            self.asks, self.asked_at = self.asks + 1, datetime.now(UTC)
            got = await self.client.ask(
                self.thread_id,
                text,
                memory=self.protocol.memory_mode,
                llm_provider=self.protocol.llm_provider,
                llm_model=self.protocol.llm_model,
                options=self.protocol.options,
            )
            self.held = before + 1
            return answered(question, self.protocol, self.thread_id, got, self.asks)

        async def look(_ask: int, error: BackboardError) -> AnswerResult | None:
            self.held = len(sent_messages(await self.client.get_thread(self.thread_id)))
            if self.held == before:
                return None
            return await self.read_back(question, str(error))

        self.held = None  # not known if the question fails
        return await self.client.retry.until_certain(send, look)

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
        self.asked_at = messages[-1].created_at
        try:
            return await self.read_back(question, "the process that asked it was stopped")
        except _NoAnswerError as error:
            return _unanswered(self, question, self.protocol, str(error))

    async def _count(self) -> int:
        if self.held is None:
            self.held = len(sent_messages(await self.client.get_thread(self.thread_id)))
        return self.held

    async def read_back(self, question: Question, reason: str) -> AnswerResult:
        """The answer that the thread keeps behind its last question.

        Raises `_NoAnswerError` if none comes in time; `reason` is why it must be read back.
        """
        asked_at = self.asked_at or datetime.now(UTC)
        # By the age of the question: an earlier process may have asked it long ago.
        deadline = perf_counter() + _RUN_S - (datetime.now(UTC) - asked_at).total_seconds()
        while True:
            reply = _last_reply((await self.client.get_thread(self.thread_id)).messages)
            # A reply without a status is there once it has words; a completed one may have none.
            if reply is not None and (
                reply.status == "completed" or (reply.status is None and reply.content.strip())
            ):
                return AnswerResult(
                    question=question,
                    protocol=self.protocol,
                    outcome="answered",
                    asked_at=asked_at,
                    asks=self.asks,
                    answer=reply.content,
                    thread_id=self.thread_id,
                    message_id=reply.message_id,
                    memory_operation_id=reply.memory_operation_id,
                    read_back=True,
                )
            over = reply is not None and reply.status in FAILED_STATUSES
            if over or perf_counter() > deadline:
                raise _NoAnswerError(f"{reason}; the thread holds the question and no answer")
            await asyncio.sleep(_PAUSE_S)


def _unanswered(
    thread: QuestionThread | None, question: Question, protocol: AskProtocol, reason: str
) -> AnswerResult:
    return unanswered(
        question,
        protocol,
        reason,
        thread_id=thread.thread_id if thread else None,
        asked_at=thread.asked_at if thread else None,
        asks=thread.asks if thread else 0,
    )


def _last_reply(messages: Sequence[Message]) -> Message | None:
    for message in reversed(messages):
        if message.role in (None, "user"):
            return None
        if message.role == "assistant":
            return message
    return None
