"""Questions of the protocol `retrieval`: memories from the service, the answer from a model."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from locomo_assets.backboard.answers import (
    RETRIEVED,
    AnsweredApart,
    AnswerResult,
    Retrieval,
    unanswered,
)
from locomo_assets.backboard.models import Retrieved
from locomo_assets.completions.answer_request import ANSWERER
from locomo_assets.completions.asker import COMPLETIONS
from locomo_assets.http.errors import (
    BackboardError,
    KeyRefusedError,
    NotFoundError,
    UnreachableError,
)
from locomo_assets.http.limits import first_failure, low_priority
from locomo_assets.locomo.model import Conversation, Question
from locomo_assets.runs.checkpoint import Row
from locomo_assets.runs.context import RunContext
from locomo_assets.runs.retrieval.stored import (
    StoredRetrieval,
    new_retrieval,
    retrieval_fingerprint,
)
from locomo_assets.runs.stages import MemorySource

if TYPE_CHECKING:  # it loads the `openai` package: half a second
    from locomo_assets.completions.answerer import Answerer, OwnAnswer

_FATAL = (KeyRefusedError, UnreachableError, NotFoundError)
"""After these, every further retrieval would fail as well."""


@dataclass(frozen=True)
class FromMemories:
    """Asks questions about one conversation; `known` retrievals, by fingerprint, are not repeated.

    `on_retrieval` gets the rows of each retrieval before its question is answered; `keep` gets
    each answer as it comes, several at a time.
    """

    run: RunContext
    source: MemorySource
    conversation: Conversation
    assistant_id: str
    known: Mapping[str, StoredRetrieval]
    on_retrieval: Callable[[Sequence[Row]], None]
    keep: Callable[[AnswerResult], Awaitable[None]]

    async def ask_all(self, questions: Sequence[Question]) -> None:
        """A failure of one question is `unanswered`.

        Raises what every further question would meet: errors of `_FATAL`, AnswererError,
        `BudgetReachedError`. Nothing is asked after that.
        """
        limits, answered_at = self.run.client.limits, ANSWERER.limited_as(COMPLETIONS)
        with first_failure():
            async with asyncio.TaskGroup() as group:
                for question in questions:
                    release = await limits.acquire_task_slot(answered_at)
                    # By callback: a task that is cancelled before it begins runs no line of its
                    # own.
                    group.create_task(self._one(question)).add_done_callback(release)

    async def _one(self, question: Question) -> None:
        with low_priority():
            try:
                found = await self._retrieval(question)
            except _FATAL:
                raise
            except BackboardError as error:
                result = unanswered(question, self.run.ask_protocol, str(error))
            else:
                self.on_retrieval(found.rows)
                result = await self._answer(question, found)
        await self.keep(result)

    async def _retrieval(self, question: Question) -> StoredRetrieval:
        known = self.known.get(retrieval_fingerprint(self.run, self.source, question))
        if known is not None:
            return known
        got = await self._retrieve(question)
        return new_retrieval(self.run, self.source, self.conversation, question, got)

    async def _retrieve(self, question: Question) -> Retrieved:
        client, protocol = self.run.client, self.run.ask_protocol
        if self._protocol.path == "search":
            return await client.search_memories(self.assistant_id, question.question, RETRIEVED)

        async def send(_ask: int) -> Retrieved:
            # In a thread of its own each time: no question sees another.
            thread = await client.create_thread(self.assistant_id)
            return await client.retrieve_by_message(
                thread.thread_id, question.question, options=protocol.options
            )

        return await client.retry.until_certain(send)

    async def _answer(self, question: Question, found: StoredRetrieval) -> AnswerResult:
        k, answerer = self._protocol.k, self._answerer
        own = await answerer.answer(question.question, found.lines(k))
        return AnswerResult(
            question=question,
            protocol=self.run.ask_protocol,
            outcome="unanswered" if own.text is None else "answered",
            asked_at=own.asked_at,
            asks=1,
            reason=own.reason,
            answer=own.text,
            retrieved=found.memories[:k],
            input_tokens=own.input_tokens,
            output_tokens=own.output_tokens,
            latency_ms=own.latency_ms,
            in_flight=own.in_flight,
            model_provider=answerer.system,
            model_name=own.model,
            apart=_apart(own, found, answerer.system),
        )

    @property
    def _protocol(self) -> Retrieval:
        retrieval = self.run.ask_protocol.retrieval
        assert retrieval is not None  # noqa: S101  # asked for with that protocol alone
        return retrieval

    @property
    def _answerer(self) -> "Answerer":
        answerer = self.run.answerer
        assert answerer is not None  # noqa: S101  # connected for that protocol
        return answerer


def _apart(own: "OwnAnswer", found: StoredRetrieval, system: str) -> AnsweredApart:
    return AnsweredApart(
        retrieval_id=found.retrieval_id,
        system=system,
        memory_tokens=own.memory_tokens,
        cost_usd=own.cost_usd,
    )
