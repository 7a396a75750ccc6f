"""Verdicts on answers while others are still being asked for.

Here: judging saved answers at the side, into an attempt that stays unfinished. The stage of
verdicts goes on with it as with what a killed run left, so a run that is killed meanwhile loses
nothing, and what can't be judged ahead is simply left to that stage, as is every error.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress

from locomo_assets.errors import LocomoError
from locomo_assets.history.lease import leased
from locomo_assets.http.concurrency import first_failure
from locomo_assets.runs.checkpoint import CheckpointWriter, Row, checkpointing, resumable_lineage
from locomo_assets.runs.context import RunContext, Task, noted_calls
from locomo_assets.runs.judge import ASSET, stored_verdicts, verdicts_print
from locomo_assets.runs.stages import memory_source
from locomo_assets.runs.verdicts import PendingVerdict, corrected_gold, verdicts_by_content

OnSaved = Callable[[Sequence[Row]], None]
"""Takes rows of `answers` that are saved."""


@asynccontextmanager
async def judging_ahead(run: RunContext, task: Task) -> AsyncIterator[OnSaved]:
    """Has each answer judged that is handed over while the block lasts; the end waits for them."""
    saved: asyncio.Queue[Sequence[Row] | None] = asyncio.Queue()
    with first_failure():
        async with asyncio.TaskGroup() as group:
            group.create_task(_judge(run, task, saved))
            yield saved.put_nowait
            saved.put_nowait(None)


async def _judge(run: RunContext, task: Task, saved: "asyncio.Queue[Sequence[Row] | None]") -> None:
    answers = await saved.get()
    if answers is None:
        return
    conversation, sha256 = run.conversation(task.conversation)
    questions = {question.question_index: question for question in conversation.questions}
    gold = corrected_gold(run.store, run.audit_sha256, sha256, task.conversation)
    print_ = verdicts_print(run, memory_source(run, task, sha256), gold)
    lineage = resumable_lineage(run.lineage(ASSET, task, sha256), task, print_)
    identity = run.judge.identity
    with suppress(LocomoError, OSError), first_failure():
        async with leased(run.store.storage, lineage):
            stored = [] if task.force else stored_verdicts(run, task, gold)
            known = verdicts_by_content(run, task, stored)
            attempt = run.store.begin(lineage)

            async def verdict(pending: PendingVerdict) -> None:
                case = pending.case
                judgement = await run.judge.judge(
                    case.question, case.gold_answer, case.answer, pending.question.category
                )
                row = pending.judged(judgement)
                row["judgement_id"] = f"{attempt.attempt_id}/{pending.question.question_index}"
                writer.add(ASSET, row)
                run.progress.add(cost_usd=judgement.cost_usd or 0.0)

            with noted_calls() as calls:
                writer = CheckpointWriter(
                    attempt, [ASSET], calls=calls, prices=run.prices, model=identity.model
                )
                async with checkpointing(writer), asyncio.TaskGroup() as group:
                    while answers is not None:
                        for answer in answers:
                            pending = PendingVerdict(
                                questions[answer["question_index"]], answer, identity, gold
                            )
                            if pending.is_answered and pending.fingerprint not in known:
                                group.create_task(verdict(pending))
                        answers = await saved.get()
