"""Asking as the published measurement does: one thread, question after question.

Here: the thread's position, and what to do when an answer is lost: the thread is read back, and
a question that it holds is never put to it again.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from time import perf_counter

from locomo_assets.backboard.answers import (
    AnswerResult,
    AskProtocol,
    answered,
    unanswered,
)
from locomo_assets.backboard.errors import AmbiguousError, BackboardError, RunFailedError
from locomo_assets.backboard.failures import SENSELESS
from locomo_assets.backboard.readback import said, said_after
from locomo_assets.backboard.shapes import Message
from locomo_assets.backboard.turns import same_text
from locomo_assets.backboard.wire import BackboardClient
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
