"""The stage that has a conversation's answers judged, or goes on with it.

Here: which verdicts are reused, gone on with, asked for at once or by a batch, and written. The
judges are `judging`, the batches `batching`, the rows `verdicts`.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from locomo_assets.history.lease import leased
from locomo_assets.http.concurrency import gather_limited
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
    MemorySource,
    StageReport,
    chosen_questions,
    memory_source,
    stored_answers,
)
from locomo_assets.runs.verdicts import (
    Gold,
    PendingVerdict,
    corrected_gold,
    is_by,
    verdicts_by_content,
)

ASSET = "judgements"


async def judge_answers(run: RunContext, task: Task) -> StageReport:
    """Gives each current answer its verdict by today's judge, where it has none yet.

    Verdicts that a killed run saved are gone on with, and batches that one sent are collected; of
    two on the same answer within an attempt the first that is scored counts. `LeaseTakenError` if
    another run is at it, `BatchPendingError` while a batch is.
    """
    conversation, sha256 = run.conversation(task.conversation)
    source = memory_source(run, task, sha256)
    gold = corrected_gold(run.store, run.audit_sha256, sha256, task.conversation)
    answers = stored_answers(run, task, source.answers)
    every = [
        PendingVerdict(question, answers[question.question_index], run.judge.identity, gold)
        for question in conversation.questions
        if question.question_index in answers
    ]
    chosen = {question.question_index for question in chosen_questions(conversation, task)}
    wanted = [pending for pending in every if pending.question.question_index in chosen]
    if not wanted:
        raise NothingToMeasureError(
            f"{task.conversation} of release {task.release}: no answers under the present "
            "question protocol; materialize answers first"
        )
    run.progress.add(verdicts_to_do=len(wanted))
    lineage = run.lineage(ASSET, task, sha256)
    if _missing(run, task, source, gold, every=every, wanted=wanted):
        async with leased(run.store.storage, lineage):
            # Whoever held the lease until now may have judged them.
            missing = _missing(run, task, source, gold, every=every, wanted=wanted)
            if missing:
                besides = sum(pending.question.question_index not in chosen for pending in missing)
                there = len(wanted) + besides - len(missing)
                run.progress.add(verdicts=there, verdicts_to_do=besides)
                return await _judge(run, task, source, gold, missing, there=there)
    run.progress.add(verdicts=len(wanted))
    return StageReport(ASSET, None, {"verdicts": len(wanted), "reused": len(wanted), "requests": 0})


def _missing(
    run: RunContext,
    task: Task,
    source: MemorySource,
    gold: Gold,
    *,
    every: Sequence[PendingVerdict],
    wanted: Sequence[PendingVerdict],
) -> list[PendingVerdict]:
    """The wanted without a stored verdict, and all, wanted or not, whose verdict a batch owes."""
    owed = {one for batch in _open_batches(run, task, source, gold) for one in batch.fingerprints}
    judged = set()
    if not task.force:
        judged = {row["answer_id"] for row in stored_verdicts(run, task, gold)}
    asked = {pending.answer["answer_id"] for pending in wanted} - judged
    return [
        pending
        for pending in every
        if pending.answer["answer_id"] in asked or (owed and pending.fingerprint in owed)
    ]


def verdicts_print(run: RunContext, source: MemorySource, gold: Gold) -> str:
    """The fingerprint of verdicts on these answers by today's judge and gold answers."""
    judge = run.judge.identity.digest()
    return fingerprint({"ingestion": source.basis, "judge": judge, **gold.extra()})


def _open_batches(run: RunContext, task: Task, source: MemorySource, gold: Gold) -> list[OpenBatch]:
    if run.batching is None:
        return []
    print_ = verdicts_print(run, source, gold)
    return open_batches(run.store, resumable_attempts(run.store, ASSET, task, print_))


async def _judge(
    run: RunContext,
    task: Task,
    source: MemorySource,
    gold: Gold,
    missing: Sequence[PendingVerdict],
    *,
    there: int,
) -> StageReport:
    identity = run.judge.identity
    print_ = verdicts_print(run, source, gold)
    left = resumable_attempts(run.store, ASSET, task, print_)
    earlier = run.store.read("judgements", left).to_pylist()
    # What this run was refused ahead is not asked for twice.
    ahead = {row["answer_id"] for row in earlier if row["run_id"] == run.run_id}
    ahead &= {pending.answer["answer_id"] for pending in missing}
    judged = ahead | {row["answer_id"] for row in _settled(earlier)}
    to_judge = [pending for pending in missing if pending.answer["answer_id"] not in judged]
    run.progress.add(verdicts=len(missing) - len(to_judge))
    lineage = run.lineage(ASSET, task, source.dataset_sha256)
    attempt = run.store.begin(resumable_lineage(lineage, task, print_))
    stored = [] if task.force else stored_verdicts(run, task, gold)
    by_content = verdicts_by_content(run, task, [*stored, *_settled(earlier)])
    rows: list[Row] = []

    def keep(pending: PendingVerdict, row: dict[str, Any]) -> None:
        row["judgement_id"] = f"{attempt.attempt_id}/{pending.question.question_index}"
        rows.append(row)
        writer.add("judgements", row)
        run.progress.add(verdicts=1, cost_usd=_as_float(row["cost_usd"]))

    with noted_calls() as calls:
        writer = CheckpointWriter(
            attempt, ["judgements", TABLE], calls=calls, prices=run.prices, model=identity.model
        )
        async with checkpointing(writer):
            await _Asking(run, task, writer, keep).judge(
                to_judge, by_content, _open_batches(run, task, source, gold)
            )
    await finish(
        attempt,
        run.store,
        left,
        judge=gold.judge(identity),
        judge_digest=identity.digest(),
        **gold.extra(),
        ingestion_id=source.ingestion_id,
    )
    asked = {pending.answer["answer_id"] for pending in missing}
    counting = first_complete(
        sorted([*earlier, *rows], key=lambda row: row["judged_at"]),
        lambda row: row["answer_id"],
        _is_settled,
    )
    verdicts = [row["verdict"] for answer_id, row in counting.items() if answer_id in asked]
    return StageReport(
        ASSET,
        attempt.attempt_id,
        {
            "verdicts": there + len(missing),
            "reused": there,
            **{
                kind: verdicts.count(kind)
                for kind in ("correct", "wrong", "unscored", "unanswered")
            },
            "cost_usd": sum(_as_float(row["cost_usd"]) for row in [*earlier, *rows]),
            "judge": gold.judge(identity),
            "verdicts_ahead": len(ahead),
            "verdicts_of_killed_runs": len(missing) - len(to_judge) - len(ahead),
            "requests": len(calls),
        },
    )


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
        self._by_batch: dict[str, list[PendingVerdict]] = {}

    async def judge(
        self,
        pending_verdicts: Sequence[PendingVerdict],
        known: Mapping[str, Row],
        left: Sequence[OpenBatch],
    ) -> None:
        """`known`: verdicts by fingerprint that need not be asked for; `left`: open batches."""
        located = await self._batch_run.located(left) if self._batch_run else []
        owed = {one for batch in located for one in batch.fingerprints}
        direct: list[PendingVerdict] = []
        for pending in pending_verdicts:
            if not pending.is_answered:
                self._keep(pending, pending.unanswered())
            elif pending.fingerprint in known and pending.fingerprint not in owed:
                self._keep(pending, pending.reused(known[pending.fingerprint]))
            elif self._bench.by_batch or pending.fingerprint in owed:
                self._by_batch.setdefault(pending.fingerprint, []).append(pending)
            else:
                direct.append(pending)
        await gather_limited(self._ask, direct)
        if self._batch_run:
            new = {one: same[0].case for one, same in self._by_batch.items() if one not in owed}
            await self._batch_run.judge(located, new)

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


def stored_verdicts(run: RunContext, task: Task, gold: Gold) -> list[Row]:
    """The settled verdicts by today's judge and gold answers."""
    manifests = run.store.manifests(
        asset=ASSET, release=task.release, conversation=task.conversation
    )
    judge = run.judge.identity
    manifests = [
        manifest for manifest in manifests if is_by(manifest, judge) and gold.is_of(manifest)
    ]
    return _settled(run.store.read("judgements", manifests).to_pylist())
