"""The stage that asks a conversation's questions, or resumes asking them.

A conversation that fails as a whole leaves its questions as unanswered: without them a release
would look complete.
"""

import uuid
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime

from locomo_assets.backboard.answers import AnswerResult, unanswered
from locomo_assets.backboard.ask import ask_all, question_message
from locomo_assets.backboard.client import BackboardClient
from locomo_assets.history.errors import HistoryError
from locomo_assets.history.lease import leased
from locomo_assets.history.provenance import UnfinishedAttempt
from locomo_assets.http.errors import NotFoundError, ThreadDamagedError
from locomo_assets.locomo.model import Conversation, Question
from locomo_assets.prices import ModelPrice
from locomo_assets.runs.checkpoint import (
    CheckpointWriter,
    Row,
    checkpointing,
    finish,
    resumable_attempts,
    resumable_lineage,
)
from locomo_assets.runs.context import NothingToMeasureError, RunContext, Task, noted_calls
from locomo_assets.runs.damage import check_ingestion, check_question_thread
from locomo_assets.runs.releases import TABLE as RELEASE_CHECKS
from locomo_assets.runs.releases import ReleaseCheck, refuse_other_release, worst
from locomo_assets.runs.retrieval.answering import FromMemories
from locomo_assets.runs.retrieval.stored import TABLE as RETRIEVALS
from locomo_assets.runs.retrieval.stored import StoredRetrieval, stored_retrievals
from locomo_assets.runs.stages import (
    AnswerQueue,
    AnswersReport,
    MemorySource,
    chosen_questions,
    counted_answers,
    memory_source,
    questions_to_ask,
    stored_answers,
)

_ASSET = "answers"
_COLUMNS = ("question_index", "question_protocol", "system", "dataset_sha256")


async def record_unanswered(
    run: RunContext, task: Task, why: str, *, also_answered: bool = False
) -> None:
    """Commit the task's questions that have no stored row as unanswered.

    `also_answered`: those with an answer as well, which then doesn't count any more. None are
    recorded where another run is at them, or where the history can't be written.
    """
    with suppress(HistoryError, OSError):
        conversation, sha256 = run.conversation(task.conversation)
        lineage = run.lineage(_ASSET, task, sha256)
        async with leased(run.store.storage, lineage):
            stored = _stored(run, task, sha256)
            if also_answered:
                # What is asked of the same memory again is then not found as answered.
                with suppress(NothingToMeasureError):
                    source = memory_source(run, task, sha256)
                    lineage = resumable_lineage(lineage, task, source.answers)
                missing = [q for q in conversation.questions if q.question_index in stored]
            else:
                chosen = chosen_questions(conversation, task)
                missing = [q for q in chosen if q.question_index not in stored]
            if not missing:
                return
            attempt = run.store.begin(lineage)
            rows = [
                {
                    **unanswered(
                        question, run.ask_protocol, why, thread_id=None, asked_at=None, asks=0
                    ).row(),
                    "answer_id": f"{attempt.attempt_id}/{question.question_index}",
                    "cost_usd": 0.0,
                    "kind": task.kind,
                    "sample_id": task.sample_id,
                }
                for question in missing
            ]
            attempt.append("answers", rows)
            attempt.commit()
            run.progress.add(errors=len(missing))


def _stored(run: RunContext, task: Task, sha256: str) -> set[int]:
    """Questions asked before in the series, whatever came of them: that goes on to count."""
    manifests = run.store.manifests(
        asset=_ASSET, release=task.release, conversation=task.conversation
    )
    series = (run.ask_protocol.label(), run.system, sha256)
    return {
        row["question_index"]
        for row in run.store.read("answers", manifests, _COLUMNS).to_pylist()
        if tuple(row[name] for name in _COLUMNS[1:]) == series
    }


_THREADS = "question_threads"
_TABLES = (_THREADS, RETRIEVALS, "retrieved_memories", "answers")
"""In the order in which they are saved: an answer never before what it rests on."""


async def answer_questions(
    run: RunContext, task: Task, queue: AnswerQueue | None = None
) -> AnswersReport:
    """Asks what has no stored answer yet, and commits the answers as one attempt.

    Those that are saved while others are still asked for are put into the `queue`. Answers that a
    killed run saved are gone on with; which of two answers counts is said at
    `stages.counted_answers`. `LeaseTakenError` if another run is at it, `OtherReleaseError` if the
    feed names another release than the task's.
    """
    conversation, sha256 = run.conversation(task.conversation)
    source = memory_source(run, task, sha256)
    wanted = chosen_questions(conversation, task)
    answers_fingerprint = source.answers
    lineage = run.lineage(_ASSET, task, sha256)
    if questions_to_ask(run, task, source, wanted):
        async with leased(run.store.storage, lineage):
            # Whoever held the lease until now may have asked them.
            missing = questions_to_ask(run, task, source, wanted)
            if missing:
                run.progress.add(questions=len(wanted) - len(missing))
                left = resumable_attempts(run.store, _ASSET, task, answers_fingerprint)
                phase = _Phase(run, task, conversation, source, queue)
                return await phase.ask_missing(missing, left, wanted=len(wanted))
    run.progress.add(questions=len(wanted))
    return AnswersReport(questions=len(wanted), reused=len(wanted))


_Keep = Callable[[AnswerResult], Awaitable[None]]


@dataclass(frozen=True)
class _Phase:
    run: RunContext
    task: Task
    conversation: Conversation
    source: MemorySource
    queue: AnswerQueue | None

    async def ask_missing(
        self, missing: Sequence[Question], left: Sequence[UnfinishedAttempt], *, wanted: int
    ) -> AnswersReport:
        run, protocol = self.run, self.run.ask_protocol
        earlier = run.store.read("answers", left).to_pylist()
        # In the published protocol a question is put to its thread once, whatever came of it.
        done = {
            index
            for index, row in counted_answers(earlier).items()
            if row["outcome"] == "answered" or protocol.writes_memory
        }
        to_ask = [question for question in missing if question.question_index not in done]
        run.progress.add(questions=len(missing) - len(to_ask))
        lineage = run.lineage(_ASSET, self.task, self.source.dataset_sha256)
        checks = []
        if to_ask:
            checks.append(await run.watch.check(self.task.release, _ASSET, "before"))
            refuse_other_release(run.store, lineage, checks[0])
        # Where each repeat has a memory of its own, the fingerprint tells them apart.
        own = {} if self.task.repeat_ingestion else {"repeat": self.task.repeat}
        attempt = run.store.begin(resumable_lineage(lineage, self.task, self.source.answers, **own))
        attempt.append(RELEASE_CHECKS, [check.row() for check in checks])
        rows: list[Row] = []
        # Of each: whether its question may arrive a second time.
        doubts = [bool(earlier)]

        async def keep(answer: AnswerResult) -> None:
            answer_id = f"{attempt.attempt_id}/{answer.question_index}"
            cost_usd = _cost(run, answer)
            row = {
                **answer.row(),
                "answer_id": answer_id,
                "fingerprint": self.source.answers,
                "ingestion_id": self.source.ingestion_id,
                "cost_usd": cost_usd,
                "kind": self.task.kind,
                "sample_id": self.task.sample_id,
            }
            rows.append(row)
            doubts.append(answer.asks != 1 or answer.read_back or answer.answer is None)
            retrieved = [{"answer_id": answer_id, **one} for one in answer.retrieved_rows()]
            writer.add("retrieved_memories", *retrieved)
            writer.add("answers", row)
            if protocol.writes_memory or protocol.retrieval is not None:
                # Only one question can be read back from the thread by whoever goes on; and what
                # a model of our own has answered can be read nowhere.
                await writer.save()
            run.progress.add(questions=1, errors=answer.answer is None, cost_usd=cost_usd or 0.0)

        async def note_thread(question: Question, thread_id: str) -> None:
            row = {
                "question_index": question.question_index,
                "thread_id": thread_id,
                "noted_at": datetime.now(UTC),
            }
            writer.add(_THREADS, row)
            await writer.save()

        with noted_calls() as calls:
            price = ModelPrice(run.prices, protocol.llm_model or "", run.answers_are_free)
            writer = CheckpointWriter(attempt, _TABLES, calls, price, on_saved=self._pass_on)
            async with checkpointing(writer):
                if to_ask and protocol.retrieval is not None:
                    known = stored_retrievals(run, self.task, left)
                    await self._ask_from_memories(to_ask, known, writer, keep)
                elif to_ask:
                    noted = run.store.read(_THREADS, left).to_pylist()
                    await self._ask_service(to_ask, earlier, noted, keep, note_thread)
        if to_ask:
            checks.append(await run.watch.check(self.task.release, _ASSET, "after"))
            attempt.append(RELEASE_CHECKS, [checks[1].row()])
        shared, damage = await self._check_threads([*earlier, *rows])
        await finish(
            attempt,
            run.store,
            left,
            ingestion_id=self.source.ingestion_id,
            doubtful_question_thread=shared if any(doubts) else None,
        )
        if damage is not None:
            raise damage
        return _report(
            list(counted_answers([*earlier, *rows]).values()),
            attempt_id=attempt.attempt_id,
            requests=len(calls),
            wanted=wanted,
            of_killed_runs=len(missing) - len(to_ask),
            checks=checks,
        )

    async def _ask_from_memories(
        self,
        questions: Sequence[Question],
        known: Mapping[str, StoredRetrieval],
        writer: CheckpointWriter,
        keep: _Keep,
    ) -> None:
        await FromMemories(
            self.run,
            self.source,
            self.conversation,
            await self._assistant(),
            known,
            on_retrieval=lambda rows: writer.add(RETRIEVALS, *rows),
            keep=keep,
        ).ask_all(questions)

    async def _ask_service(
        self,
        questions: Sequence[Question],
        earlier: Sequence[Row],
        noted: Sequence[Row],
        keep: _Keep,
        note_thread: Callable[[Question, str], Awaitable[None]],
    ) -> None:
        client, protocol = self.run.client, self.run.ask_protocol
        if not protocol.writes_memory:
            await ask_all(
                client,
                await self._assistant(),
                questions,
                protocol,
                on_answer=keep,
                message=question_message(protocol, self.conversation),
                on_thread=note_thread,
                asked_in=self._threads_of_earlier_runs(noted),
            )
            return
        thread_id = await self._thread_of_earlier_run(earlier, noted)
        in_it = {r["question_index"] for r in earlier if r["thread_id"] == thread_id}
        await ask_all(
            client,
            await self._copy() if thread_id is None else "",
            questions,
            protocol,
            on_answer=keep,
            on_thread=note_thread,
            thread_id=thread_id,
            asked_before=[q for q in self.conversation.questions if q.question_index in in_it],
        )

    async def _check_threads(
        self, rows: Sequence[Row]
    ) -> tuple[str | None, ThreadDamagedError | None]:
        """The thread that all questions share, if they do; and what is wrong with the threads."""
        shared = rows[-1]["thread_id"] if rows and self.run.ask_protocol.writes_memory else None
        in_it = [row["question"] for row in rows if row["thread_id"] == shared]
        try:
            await check_ingestion(self.run, self.task, self.source.ingestion)
            await check_question_thread(self.run, shared, in_it)
        except ThreadDamagedError as error:
            return shared, error
        return shared, None

    def _threads_of_earlier_runs(self, noted: Sequence[Row]) -> dict[int, str]:
        """Question index → the newest thread in which its answer may be, and was not found."""
        known = {} if self.task.force else stored_answers(self.run, self.task, self.source.answers)
        threads = {
            index: row["thread_id"]
            for index, row in known.items()
            if row["thread_id"] and row["outcome"] != "answered"
        }
        return threads | {row["question_index"]: row["thread_id"] for row in noted}

    async def _thread_of_earlier_run(
        self, earlier: Sequence[Row], noted: Sequence[Row]
    ) -> str | None:
        """The thread that a killed run's questions shared, if it is still there."""
        threads = [(row["asked_at"], row["thread_id"]) for row in earlier if row["thread_id"]]
        threads += [(row["noted_at"], row["thread_id"]) for row in noted]
        if not threads:
            return None
        _, thread_id = max(threads)
        try:
            await self.run.client.get_thread(str(thread_id))
        except NotFoundError:
            return None
        return str(thread_id)

    def _pass_on(self, table: str, rows: Sequence[Row]) -> None:
        if self.queue is not None and table == _ASSET:
            self.queue.put(rows)

    async def _copy(self) -> str:
        """Of the ingested assistant, for questions that form memories: it stays as it is."""
        client, assistant_id = self.run.client, await self._assistant()
        task = self.task
        name = (
            f"LoCoMo Test Assistant {uuid.uuid4().hex[:8]} {task.conversation} {task.release} clone"
        )

        async def clone() -> str:
            return (await client.clone_assistant(assistant_id, name)).assistant.assistant_id

        return await _made_once(client, name, clone)

    async def _assistant(self) -> str:
        """The ingested assistant; or an empty one, whose name follows from what is asked.

        Memory is off for the latter, so that whoever finds it by its name may ask it.
        """
        if self.source.ingestion is not None:
            return str(self.source.ingestion.extra["assistant_id"])
        client, task, run = self.run.client, self.task, self.run
        protocol = run.ingest_protocol
        name = (
            f"LoCoMo Test Assistant {self.source.answers[:8]} {task.conversation} {task.release}"
        )[:255]
        found = await client.list_assistants(name=name)
        if found:
            return found[0].assistant_id

        async def create() -> str:
            made = await client.create_assistant(
                name,
                description=protocol.description,
                llm_provider=protocol.llm_provider,
                llm_model=protocol.llm_model,
                options=run.ask_protocol.options,
            )
            return made.assistant_id

        return await _made_once(client, name, create)


async def _made_once(client: BackboardClient, name: str, make: Callable[[], Awaitable[str]]) -> str:
    """The id of the assistant that `make` makes; where its answer is lost, it is looked for."""

    async def find(*_: object) -> str | None:
        found = await client.list_assistants(name=name)
        return found[0].assistant_id if found else None

    return await client.retry.until_certain(lambda _ask: make(), find)


async def check_again(run: RunContext, task: Task) -> None:
    """Count what is doubtful behind the stored answers again; `ThreadDamagedError` as at first."""
    _, sha256 = run.conversation(task.conversation)
    source = memory_source(run, task, sha256)
    await check_ingestion(run, task, source.ingestion)
    manifests = run.store.manifests(
        asset=_ASSET, release=task.release, conversation=task.conversation
    )
    doubtful = [
        (str(thread_id), manifest)
        for manifest in manifests
        if manifest.extra.get("fingerprint") == source.answers
        and (thread_id := manifest.extra.get("doubtful_question_thread"))
    ]
    if not doubtful:
        return
    # A thread that was given up holds no answer that counts.
    counting = {row["thread_id"] for row in stored_answers(run, task, source.answers).values()}
    for thread_id, manifest in doubtful:
        if thread_id in counting:
            rows = run.store.read("answers", [manifest], ("question", "thread_id")).to_pylist()
            in_it = [row["question"] for row in rows if row["thread_id"] == thread_id]
            await check_question_thread(run, thread_id, in_it)


def _report(
    counting: Sequence[Row],
    *,
    attempt_id: str,
    requests: int,
    wanted: int,
    of_killed_runs: int,
    checks: Sequence[ReleaseCheck],
) -> AnswersReport:
    latencies = sorted(r["latency_ms"] for r in counting if r["latency_ms"] is not None)
    answered = sum(row["outcome"] == "answered" for row in counting)
    return AnswersReport(
        attempt_id=attempt_id,
        requests=requests,
        questions=wanted,
        reused=wanted - len(counting),
        answered=answered,
        unanswered=len(counting) - answered,
        latency_p50_ms=_quantile(latencies, 0.5),
        latency_p95_ms=_quantile(latencies, 0.95),
        tokens=sum((r["input_tokens"] or 0) + (r["output_tokens"] or 0) for r in counting),
        cost_usd=sum(row["cost_usd"] or 0.0 for row in counting),
        cost_unknown=sum(row["cost_usd"] is None for row in counting),
        answers_of_killed_runs=of_killed_runs,
        release_check=worst(*checks) if checks else None,
    )


def _cost(run: RunContext, answer: AnswerResult) -> float | None:
    if answer.apart is not None:
        return answer.apart.cost_usd
    price = ModelPrice(run.prices, answer.llm_model or "", run.is_free)
    if answer.output_tokens is None:
        return 0.0 if price.free else None
    return price.cost_usd(answer.input_tokens or 0, answer.output_tokens)


def _quantile(ordered: Sequence[float], share: float) -> float | None:
    return round(ordered[min(len(ordered) - 1, int(share * len(ordered)))], 1) if ordered else None
