"""The stage that judges a conversation's answers, or resumes judging them.

It starts with answers that are saved while others are still asked, and commits all verdicts as one
attempt once the answers are committed.
"""

import asyncio
import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from locomo_assets.errors import LocomoError
from locomo_assets.history.errors import LeaseTakenError
from locomo_assets.history.lease import leased
from locomo_assets.history.provenance import Lineage, UnfinishedAttempt
from locomo_assets.http.limits import first_failure, gather_limited, run_in_thread
from locomo_assets.locomo.model import Conversation, Question
from locomo_assets.prices import ModelPrice
from locomo_assets.runs.batches import (
    TABLE,
    BatchRun,
    BatchVerdict,
    OpenBatch,
    open_batches,
)
from locomo_assets.runs.checkpoint import (
    CheckpointWriter,
    Row,
    checkpointing,
    finish,
    first_complete,
    resumable_attempts,
    resumable_lineage,
)
from locomo_assets.runs.context import (
    NothingToMeasureError,
    RunContext,
    Task,
    fingerprint,
    noted_calls,
)
from locomo_assets.runs.stages import (
    AnswerQueue,
    JudgementsReport,
    MemorySource,
    chosen_questions,
    memory_source,
    stored_answers,
)
from locomo_assets.runs.verdicts import (
    Gold,
    KnownVerdicts,
    PendingVerdict,
    corrected_gold,
    is_by,
    verdicts_by_content,
)

ASSET = "judgements"

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class GivenAnswers:
    """Stored answers to a conversation, by question index, whatever protocol is asked today.

    All are of one system and one question protocol. `imported_judges` as of `Gold`.
    """

    conversation: Conversation
    source: MemorySource
    question_protocol: str
    answers: Mapping[int, Row]
    imported_judges: frozenset[str] = frozenset()


async def judge_answers(
    run: RunContext,
    task: Task,
    queue: AnswerQueue | None = None,
    *,
    given: GivenAnswers | None = None,
) -> JudgementsReport:
    """Gives each current answer its verdict by today's judge, where it has none yet.

    The answers are those of today's question protocol, or the `given` ones.

    Answers out of the `queue` are judged while others are still asked for; batches are sent once
    it is closed. Verdicts that a killed run saved are kept, and batches that it sent are
    collected; of two on the same answer within an attempt the first that is scored counts.
    `LeaseTakenError` if another run is at it, `BatchPendingError` while a batch is.
    """
    if queue is not None:
        if await queue.has_answers() and not run.by_batch:
            # Another run that is at it may have ended once all answers are there.
            with suppress(LeaseTakenError):
                stage = _Stage.of(run, task)
                async with leased(run.store.storage, stage.lineage):
                    return await stage.judge_missing(queue=queue)
        await queue.until_closed()
    stage = _Stage.of(run, task, given)
    work = stage.work()
    if work.missing:
        async with leased(run.store.storage, stage.lineage):
            # Whoever held the lease until now may have judged them.
            work = stage.work()
            if work.missing:
                return await stage.judge_missing(work)
    there = len(work.wanted)
    run.progress.add(verdicts=there, verdicts_to_do=there - stage.announced)
    return stage.report(there, there)


@dataclass(frozen=True)
class _Work:
    """The `wanted` verdicts, and those of them that are `missing`; with them, wanted or not, all
    that a batch owes.
    """

    wanted: Sequence[PendingVerdict]
    missing: Sequence[PendingVerdict]

    @property
    def size(self) -> int:
        return len({pending.question.question_index for pending in (*self.wanted, *self.missing)})


@dataclass(frozen=True)
class _Stage:
    run: RunContext
    task: Task
    conversation: Conversation
    source: MemorySource
    gold: Gold
    given: GivenAnswers | None = None

    @classmethod
    def of(cls, run: RunContext, task: Task, given: GivenAnswers | None = None) -> "_Stage":
        if given is None:
            conversation, sha256 = run.conversation(task.conversation)
            source = memory_source(run, task, sha256)
        else:
            conversation, source = given.conversation, given.source
        gold = corrected_gold(run.store, run.audit_sha256, source.dataset_sha256, task.conversation)
        if given is not None:
            gold = replace(gold, imported_judges=given.imported_judges)
        return cls(run, task, conversation, source, gold, given)

    @cached_property
    def lineage(self) -> Lineage:
        lineage = self.run.lineage(ASSET, self.task, self.source.dataset_sha256)
        return resumable_lineage(lineage, self.task, self._print)

    def report(self, verdicts: int, reused: int) -> JudgementsReport:
        """So many verdicts, and what tells them apart from others on the release."""
        return JudgementsReport(
            system=self.run.system,
            question_protocol=self._question_protocol,
            judge=self.gold.judge(self.run.judge.identity),
            dataset_sha256=self.source.dataset_sha256,
            verdicts=verdicts,
            reused=reused,
        )

    @property
    def _question_protocol(self) -> str:
        given = self.given
        return self.run.ask_protocol.label() if given is None else given.question_protocol

    @cached_property
    def announced(self) -> int:
        """How many verdicts the run counted as to be done when it began, in `runner`."""
        return len(chosen_questions(self.conversation, self.task))

    @cached_property
    def _print(self) -> str:
        """The fingerprint of verdicts on these answers by today's judge and gold answers."""
        judge = self.run.judge.identity.digest()
        return fingerprint({"ingestion": self.source.basis, "judge": judge, **self.gold.extra()})

    @cached_property
    def _questions(self) -> Mapping[int, Question]:
        return {question.question_index: question for question in self.conversation.questions}

    def pending(self, answer: Row) -> PendingVerdict:
        question = self._questions[answer["question_index"]]
        return PendingVerdict(question, answer, self.run.judge.identity, self.gold)

    def work(self, left: Sequence[UnfinishedAttempt] | None = None) -> _Work:
        """What there is to judge; `left`: the unfinished attempts, where they are known.

        `NothingToMeasureError` where no answer is wanted that is there.
        """
        run, task = self.run, self.task
        answers = (
            stored_answers(run, task, self.source.answers)
            if self.given is None
            else self.given.answers
        )
        every = [self.pending(answers[index]) for index in self._questions if index in answers]
        chosen = {q.question_index for q in chosen_questions(self.conversation, task)}
        wanted = [pending for pending in every if pending.question.question_index in chosen]
        if not wanted:
            raise NothingToMeasureError(
                f"{task.conversation} of release {task.release}: no answers under the present "
                "question protocol; materialize answers first"
            )
        in_batches = {one for batch in self._open_batches(left) for one in batch.fingerprints}
        judged = {row["answer_id"] for row in self._stored()}
        asked = {pending.answer["answer_id"] for pending in wanted} - judged
        missing = [
            pending
            for pending in every
            if pending.answer["answer_id"] in asked
            or (in_batches and pending.fingerprint in in_batches)
        ]
        return _Work(wanted, missing)

    async def judge_missing(
        self, work: _Work | None = None, queue: AnswerQueue | None = None
    ) -> JudgementsReport:
        """One attempt, under its lease: the verdicts on what comes out of the queue, then on all
        that are still missing. `work` is None where the answers are still on their way.
        """
        run, identity = self.run, self.run.judge.identity
        left = self._left_behind()
        earlier = run.store.read(ASSET, left).to_pylist()
        attempt = run.store.begin(self.lineage)
        known = await run_in_thread(lambda: self._by_content(earlier))
        rows: list[Row] = []

        def keep(pending: PendingVerdict, row: dict[str, Any]) -> None:
            row["judgement_id"] = f"{attempt.attempt_id}/{pending.question.question_index}"
            rows.append(row)
            writer.add(ASSET, row)
            failed = row["verdict"] == "unscored"
            run.progress.add(verdicts=1, errors=failed, cost_usd=_as_float(row["cost_usd"]))

        with noted_calls() as calls:
            price = ModelPrice(run.prices, identity.model)
            writer = CheckpointWriter(attempt, [ASSET, TABLE], calls, price)
            async with checkpointing(writer):
                asking = _Asking(run, self.task, writer, keep)
                await asking.locate(self._open_batches(left))
                ahead = 0
                if queue is not None:
                    await asking.judge_ahead(queue, self.pending, known)
                    ahead = len(rows)
                work = work or self.work(left)
                settled = {row["answer_id"] for row in _settled(earlier)}
                # What the judge refused meanwhile is not asked for twice.
                done = settled | {row["answer_id"] for row in rows}
                to_judge = [
                    pending for pending in work.missing if pending.answer["answer_id"] not in done
                ]
                run.progress.add(
                    verdicts=work.size - len(to_judge) - ahead,
                    verdicts_to_do=work.size - self.announced,
                )
                given = {row["fingerprint"]: row for row in _settled(rows)}
                said = [pending.fingerprint for pending in to_judge if pending.needs_judge]
                stored = await run_in_thread(lambda: known.read(said))
                await asking.judge(to_judge, {**stored, **given})
        await finish(
            attempt,
            run.store,
            left,
            judge=self.gold.judge(identity),
            judge_digest=identity.digest(),
            **self.gold.extra(),
            ingestion_id=self.source.ingestion_id,
        )
        asked = {pending.answer["answer_id"] for pending in work.missing}
        counting = first_complete(
            sorted([*earlier, *rows], key=lambda row: row["judged_at"]),
            lambda row: row["answer_id"],
            _is_settled,
        )
        verdicts = [row["verdict"] for answer_id, row in counting.items() if answer_id in asked]
        return replace(
            self.report(work.size, work.size - len(work.missing)),
            attempt_id=attempt.attempt_id,
            requests=len(calls),
            correct=verdicts.count("correct"),
            wrong=verdicts.count("wrong"),
            unscored=verdicts.count("unscored"),
            unanswered=verdicts.count("unanswered"),
            cost_usd=sum(_as_float(row["cost_usd"]) for row in [*earlier, *rows]),
            verdicts_ahead=ahead,
            verdicts_of_killed_runs=len(asked & settled),
        )

    def _left_behind(self) -> list[UnfinishedAttempt]:
        return resumable_attempts(self.run.store, ASSET, self.task, self._print)

    def _open_batches(self, left: Sequence[UnfinishedAttempt] | None) -> list[OpenBatch]:
        if self.run.batching is None:
            return []
        return open_batches(self.run.store, self._left_behind() if left is None else left)

    def _stored(self) -> list[Row]:
        """The settled verdicts by today's judge and gold answers; a forced task has none."""
        if self.task.force:
            return []
        store, judge = self.run.store, self.run.judge.identity
        manifests = store.manifests(
            asset=ASSET, release=self.task.release, conversation=self.task.conversation
        )
        manifests = [m for m in manifests if is_by(m, judge) and self.gold.is_of(m)]
        return _settled(store.read(ASSET, manifests).to_pylist())

    def _by_content(self, rows: Sequence[Row]) -> KnownVerdicts:
        """Verdicts that need not be asked for: stored ones, and those of `rows`."""
        # A repeat's answer may be worded like one before it, and has its own verdict.
        stored = [] if self.task.repeat > 1 else [*self._stored(), *_settled(rows)]
        return verdicts_by_content(self.run, self.task, stored)


class _Asking:
    """The ways to the verdicts of one attempt; `keep` takes each with its row."""

    def __init__(
        self,
        run: RunContext,
        task: Task,
        writer: CheckpointWriter,
        keep: Callable[[PendingVerdict, dict[str, Any]], None],
    ) -> None:
        self._bench = run
        self._keep = keep
        self._batch_run = run.batching and BatchRun(
            run.batching,
            writer,
            self._given,
            labels={"release": task.release, "conversation": task.conversation},
            forced=task.force,
        )
        self._located: Sequence[OpenBatch] = ()
        self._owed: Collection[str] = ()
        self._by_batch: dict[str, list[PendingVerdict]] = {}

    async def locate(self, left: Sequence[OpenBatch]) -> None:
        """To be called first, with the open batches: what one of them owes is not asked anew."""
        if self._batch_run:
            self._located = await self._batch_run.located(left)
            self._owed = {one for batch in self._located for one in batch.fingerprints}

    async def judge_ahead(
        self, queue: AnswerQueue, due_of: Callable[[Row], PendingVerdict], known: KnownVerdicts
    ) -> None:
        """Asks for the verdicts on what comes, until the queue is closed.

        Where the judge can't go on, the rest is left to `judge`: the answers may outlast its
        trouble.
        """
        try:
            with first_failure():
                async with asyncio.TaskGroup() as group:
                    while await queue.has_answers():
                        for pending in map(due_of, queue.take()):
                            is_known = (
                                pending.fingerprint in known or pending.fingerprint in self._owed
                            )
                            if pending.needs_judge and not is_known:
                                group.create_task(self._ask(pending))
        except (LocomoError, OSError) as error:
            _log.warning("verdicts wait until all questions are asked: %s", error)
            await queue.until_closed()

    async def judge(
        self, pending_verdicts: Sequence[PendingVerdict], known: Mapping[str, Row]
    ) -> None:
        """`known`: verdicts by fingerprint that need not be asked for."""
        direct: list[PendingVerdict] = []
        for pending in pending_verdicts:
            if not pending.is_answered:
                self._keep(pending, pending.unanswered())
            elif pending.is_wordless:
                self._keep(pending, pending.wordless())
            elif pending.fingerprint in known and pending.fingerprint not in self._owed:
                self._keep(pending, pending.reused(known[pending.fingerprint]))
            elif self._bench.by_batch or pending.fingerprint in self._owed:
                self._by_batch.setdefault(pending.fingerprint, []).append(pending)
            else:
                direct.append(pending)
        await gather_limited(self._ask, direct)
        if self._batch_run:
            new = {
                one: same[0].case for one, same in self._by_batch.items() if one not in self._owed
            }
            await self._batch_run.judge(self._located, new)

    async def _ask(self, pending: PendingVerdict) -> None:
        case = pending.case
        judgement = await self._bench.judge.judge(
            case.question, case.gold_answer, case.answer, pending.question.category
        )
        self._keep(pending, pending.judged(judgement))

    def _given(self, given: BatchVerdict) -> None:
        # Of an answer that no longer counts, the verdict is in the record of calls alone.
        same = self._by_batch.get(given.fingerprint)
        if not same:
            return
        row = same[0].judged(given.judgement, given.batch_id)
        self._keep(same[0], row)
        for pending in same[1:]:
            self._keep(pending, pending.reused(row))


def _as_float(value: object) -> float:
    return value if isinstance(value, float) else 0.0


def _is_settled(row: Row) -> bool:
    # Unscored is no verdict: the judge failed there, and is asked again.
    return bool(row["verdict"] != "unscored")


def _settled(rows: Sequence[Row]) -> list[Row]:
    return [row for row in rows if _is_settled(row)]
