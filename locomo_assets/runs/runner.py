"""Many conversations side by side, each through its stages; then the release's canaries.

A conversation that fails fails alone. A model behind the same name may change, so each judge that
gave a release verdicts judges the canaries once for it: 36 verdicts, times the votes. Those that it
leaves unscored are asked again by the next run.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from locomo_assets.errors import LocomoError
from locomo_assets.history.errors import LeaseLostError, LeaseTakenError
from locomo_assets.history.lease import leased, wait_for_expiry
from locomo_assets.history.provenance import Lineage, Manifest, UnfinishedAttempt
from locomo_assets.http.errors import BackboardError, ThreadDamagedError
from locomo_assets.http.limits import BudgetReachedError, first_failure, gather_limited
from locomo_assets.judging.canaries import Canary, packaged_canaries
from locomo_assets.logs import telling
from locomo_assets.prices import ModelPrice
from locomo_assets.runs.answer import answer_questions, check_again, record_unanswered
from locomo_assets.runs.batches import BatchPendingError
from locomo_assets.runs.checkpoint import CheckpointWriter, checkpointing, finish
from locomo_assets.runs.context import (
    NothingToMeasureError,
    RunContext,
    Task,
    fingerprint,
    noted_calls,
)
from locomo_assets.runs.ingest import ingest_conversation
from locomo_assets.runs.judge import judge_answers
from locomo_assets.runs.releases import register_release
from locomo_assets.runs.stages import AnswerQueue, StageReport, chosen_questions

CANARIES_ASSET = "judge_canaries"
_CANARIES_TABLE = "canary_verdicts"

_log = logging.getLogger(__name__)

Stage = Callable[..., Awaitable[StageReport]]

STAGES: dict[str, Stage] = {
    "ingested_memories": ingest_conversation,
    "answers": answer_questions,
    "judgements": judge_answers,
}
"""Asset → the stage that makes it, in their order. The last two share an `AnswerQueue`."""


CANARIES = "the judge's canaries"
"""Stands for a conversation where a release's canaries could not be judged."""


@dataclass(frozen=True)
class Failed:
    """A conversation that did not get through: the stage at which, and why."""

    task: Task
    asset: str
    error: LocomoError | OSError


def summarize_failures(failures: Sequence[Failed]) -> str:
    """The failures in one line: each cause once, behind the conversations that it stopped."""
    stopped: dict[tuple[str, str], list[Failed]] = {}
    for failed in failures:
        # Their sums differ by what was under way, and their batches; the cause is one.
        is_one = isinstance(failed.error, BudgetReachedError | BatchPendingError)
        cause = type(failed.error).__name__ if is_one else str(failed.error)
        stopped.setdefault((failed.asset, cause), []).append(failed)
    return "; ".join(
        f"{', '.join(one.task.conversation for one in same)} at {asset}: {_one_error(same)}"
        for (asset, _), same in stopped.items()
    )


def _one_error(same: Sequence[Failed]) -> Exception:
    pending = [one.error for one in same if isinstance(one.error, BatchPendingError)]
    return BatchPendingError.together(pending) if pending else same[-1].error


async def measure(
    run: RunContext,
    tasks: Sequence[Task],
    assets: Collection[str],
    on_report: Callable[[Task, StageReport], None],
) -> list[Failed]:
    """Take each task through the wanted stages, and report each stage as it ends.

    Returns the failures; what they had still to ask is left unanswered. Only errors that belong to
    one conversation are caught; anything else (a fault of ours, a cancel) ends the run.
    """

    async def run_stage(asset: str, task: Task, *queue: AnswerQueue) -> Failed | None:
        if asset not in assets:
            return None
        try:
            report = await STAGES[asset](run, task, *queue)
        except (LocomoError, OSError) as error:
            _log.warning("%s failed: %s", asset, error)
            await leave_unanswered(asset, task, error)
            return Failed(task, asset, error)
        _log.info("%s: %s", asset, report.skipped or "done")
        on_report(task, report)
        return None

    async def leave_unanswered(asset: str, task: Task, error: LocomoError | OSError) -> None:
        is_elsewhere = isinstance(error, LeaseTakenError | LeaseLostError)
        started = not is_elsewhere and not isinstance(error, NothingToMeasureError)
        if started and asset != "judgements" and "answers" in assets:
            damaged = asset == "answers" and isinstance(error, ThreadDamagedError)
            why = f"{asset} failed: {error}"
            await record_unanswered(run, task, why, also_answered=damaged)

    async def count_again(task: Task) -> Failed | None:
        try:
            await check_again(run, task)
        except ThreadDamagedError as error:
            await leave_unanswered("answers", task, error)
            return Failed(task, "answers", error)
        except BackboardError as error:
            # What is stored can be judged again without the service; the next run looks again.
            _log.warning("messages that may have arrived twice are not counted again: %s", error)
        return None

    async def answer_and_judge(task: Task) -> Failed | None:
        queue = AnswerQueue()
        with first_failure():
            async with asyncio.TaskGroup() as group:
                judging = group.create_task(run_stage("judgements", task, queue))
                failed = await run_stage("answers", task, queue)
                if failed is None:
                    queue.close()
                else:
                    judging.cancel()  # what it was given stays saved for the next run
        return failed or judging.result()

    async def one(task: Task) -> Failed | None:
        with telling(partition=f"{task.conversation}|{task.release}"):
            failed = await run_stage("ingested_memories", task) or await answer_and_judge(task)
            if failed is None and "answers" in assets:
                failed = await count_again(task)
        # A sample is to be cheap, and the canaries are asked in each full run.
        is_full = "judgements" in assets and not task.sample
        if failed is None and is_full and task.release not in canaries:
            canaries[task.release] = None  # asked once, while the other conversations go on
            canaries[task.release] = await _calibrate(run, task.release)
        return failed

    canaries: dict[str, Failed | None] = {}
    _begin(run, tasks, assets)
    results = await asyncio.gather(*(one(task) for task in tasks))
    results += [canaries[release] for release in sorted(canaries)]
    return [failed for failed in results if failed is not None]


async def _calibrate(run: RunContext, release: str) -> Failed | None:
    try:
        await judge_canaries(run, release)
    except (LocomoError, OSError) as error:
        return Failed(Task(release, CANARIES), "judgements", error)
    return None


def _begin(run: RunContext, tasks: Sequence[Task], assets: Collection[str]) -> None:
    """Registers the releases; counts what is wanted as to do, so that totals are known at once."""
    for release, kind in sorted({(task.release, task.kind) for task in tasks}):
        register_release(run.store, release, run.run_id, kind=kind)
    turns = questions = 0
    for task in tasks:
        try:
            conversation, _ = run.conversation(task.conversation)
        except (LocomoError, OSError):
            continue  # its first stage fails with that
        turns += len(conversation.turns) if run.ask_protocol.needs_ingestion else 0
        questions += len(chosen_questions(conversation, task))
    run.progress.add(
        turns_to_do=turns if "ingested_memories" in assets else 0,
        questions_to_do=questions if "answers" in assets else 0,
        verdicts_to_do=questions if "judgements" in assets else 0,
    )


async def wait_for_leases(run: RunContext, tasks: Sequence[Task], run_ids: Collection[str]) -> None:
    """Wait until the leases that crashed runs held on these tasks are over, about a minute."""
    releases = sorted({task.release for task in tasks})
    lineages = [run.lineage(asset, task, "") for task in tasks for asset in STAGES]
    lineages += [canary_lineage(run, release) for release in releases]
    await wait_for_expiry(run.store.storage, lineages, run_ids)


def canary_lineage(run: RunContext, release: str) -> Lineage:
    """Canaries belong to a release, and to no conversation or data set."""
    return replace(
        run.lineage(CANARIES_ASSET, Task(release, ""), ""), conversation=None, dataset_sha256=None
    )


async def judge_canaries(run: RunContext, release: str) -> bool:
    """Has the release's canaries judged that have no verdict yet, unless another run is at it.

    Returns whether it asked. What a killed run saved is kept. Raises JudgeError where no verdict
    can be had any more.
    """
    judge = run.judge.identity.digest()
    canaries_fingerprint = fingerprint({"judge": judge, "canaries": packaged_canaries().sha256})
    lineage = replace(canary_lineage(run, release), extra={"fingerprint": canaries_fingerprint})
    if not _without_verdict(run, lineage):
        return False
    try:
        async with leased(run.store.storage, lineage):
            left = [
                attempt
                for attempt in run.store.unfinished(CANARIES_ASSET, release, None)
                if attempt.lineage.extra.get("fingerprint") == canaries_fingerprint
            ]
            if not (missing := _without_verdict(run, lineage)):
                return False
            kept = _scored(run, left)
            await _judge(run, lineage, left, [c for c in missing if c.canary_id not in kept])
    except LeaseTakenError:
        return False
    return True


def _without_verdict(run: RunContext, lineage: Lineage) -> list[Canary]:
    """The canaries that no committed attempt of this lineage has scored."""
    manifests = run.store.manifests(asset=CANARIES_ASSET, release=lineage.release)
    scored = _scored(
        run,
        [one for one in manifests if one.extra.get("fingerprint") == lineage.extra["fingerprint"]],
    )
    return [canary for canary in packaged_canaries().canaries if canary.canary_id not in scored]


def _scored(run: RunContext, attempts: Sequence[Manifest | UnfinishedAttempt]) -> set[str]:
    # Unscored is no verdict, as in `runs.judge`.
    rows = run.store.read(_CANARIES_TABLE, attempts, ("canary_id", "verdict")).to_pylist()
    return {row["canary_id"] for row in rows if row["verdict"] != "unscored"}


async def _judge(
    run: RunContext,
    lineage: Lineage,
    left: Sequence[UnfinishedAttempt],
    canaries: Sequence[Canary],
) -> None:
    attempt = run.store.begin(lineage)
    identity = run.judge.identity

    async def verdict(canary: Canary) -> None:
        judgement = await run.judge.judge(
            canary.question, canary.gold_answer, canary.answer, canary.category
        )
        row = {
            "canary_id": canary.canary_id,
            "kind": canary.kind,
            "canaries_sha256": packaged_canaries().sha256,
            **identity.row(),
            **judgement.row(),
            "judged_at": datetime.now(UTC),
        }
        writer.add(_CANARIES_TABLE, row)
        run.progress.add(cost_usd=judgement.cost_usd or 0.0)

    with noted_calls() as calls:
        writer = CheckpointWriter(
            attempt, [_CANARIES_TABLE], calls, ModelPrice(run.prices, identity.model)
        )
        async with checkpointing(writer):
            await gather_limited(verdict, canaries)
    await finish(attempt, run.store, left, judge=identity.name, judge_digest=identity.digest())
