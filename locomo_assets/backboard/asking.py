"""A conversation's questions to the service, and what came of each.

Here: the order, or the freedom, in which questions are asked, and the isolated question. What an
outcome is stands in `answers`, the published thread in `published`, the call itself in `wire`.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from locomo_assets.backboard.answers import AnswerResult, AskProtocol, answered, unanswered
from locomo_assets.backboard.errors import (
    AmbiguousError,
    BackboardError,
    NotFoundError,
    RunFailedError,
)
from locomo_assets.backboard.exchange import SERVICE
from locomo_assets.backboard.failures import SENSELESS
from locomo_assets.backboard.limits import patiently
from locomo_assets.backboard.published import PublishedThread
from locomo_assets.backboard.tasks import first_failure
from locomo_assets.backboard.wire import BackboardClient
from locomo_assets.locomo.model import Question

__all__ = ["AnswerResult", "AskProgress", "AskProtocol", "ask_all", "ask_question"]


@dataclass(frozen=True, slots=True)
class AskProgress:
    """How far it is, of the questions given."""

    questions: int
    questions_total: int
    unanswered: int


def _silent(_: AskProgress) -> None:
    pass


def alone(question: Question) -> str:
    """The question's own text, as its message."""
    return question.question


async def ask_question(
    client: BackboardClient,
    assistant_id: str,
    thread_id: str | None,
    question: Question,
    protocol: AskProtocol,
) -> AnswerResult:
    """Ask one question: in `thread_id` or a new thread if published, always a new one if isolated.

    A failure is `unanswered`. Raises only `KeyRefusedError`, `UnreachableError` and, for an
    assistant that is not there, `NotFoundError`: what every further question would meet.
    """
    if not protocol.writes_memory:
        return await _ask_isolated(client, assistant_id, question, protocol, alone)
    thread = await _thread(client, assistant_id, thread_id, protocol)
    return await thread.ask(question)


async def ask_all(
    client: BackboardClient,
    assistant_id: str,
    questions: Sequence[Question],
    protocol: AskProtocol,
    on_answer: Callable[[AnswerResult], Awaitable[None]],
    *,
    progress: Callable[[AskProgress], None] = _silent,
    message: Callable[[Question], str] = alone,
    thread_id: str | None = None,
    asked_before: Sequence[Question] = (),
) -> tuple[AnswerResult, ...]:
    """Ask them all; the results stand in the order of the questions.

    `on_answer` gets each result as it comes; if isolated, several at a time, and `message` says
    what is sent for a question. To go on with a
    published phase that was stopped, give its `thread_id` and the questions `asked_before`: a
    first question that the thread holds already is read back, not asked. Raises what
    `ask_question` raises, and what `on_answer` does; nothing is asked after that.
    """
    results: dict[int, AnswerResult] = {}

    async def keep(result: AnswerResult) -> None:
        results[result.question_index] = result
        await on_answer(result)
        lost = sum(one.outcome == "unanswered" for one in results.values())
        progress(AskProgress(len(results), len(questions), lost))

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
