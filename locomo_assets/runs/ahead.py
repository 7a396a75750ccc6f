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
from locomo_assets.runs.checkpoint import Row, Saver, resumable, saving
from locomo_assets.runs.context import Bench, Order, noted_calls
from locomo_assets.runs.gold import corrected_gold
from locomo_assets.runs.judge import ASSET, stored_verdicts, verdicts_print
from locomo_assets.runs.stages import ground_or_raise
from locomo_assets.runs.verdicts import Due, verdicts_by_content

OnSaved = Callable[[Sequence[Row]], None]
"""Takes rows of `answers` that are saved."""


@asynccontextmanager
async def judging_ahead(bench: Bench, order: Order) -> AsyncIterator[OnSaved]:
    """Has each answer judged that is handed over while the block lasts; the end waits for them."""
    saved: asyncio.Queue[Sequence[Row] | None] = asyncio.Queue()
    with first_failure():
        async with asyncio.TaskGroup() as group:
            group.create_task(_judge(bench, order, saved))
            yield saved.put_nowait
            saved.put_nowait(None)


async def _judge(bench: Bench, order: Order, saved: "asyncio.Queue[Sequence[Row] | None]") -> None:
    answers = await saved.get()
    if answers is None:
        return
    conversation, sha256 = bench.conversation(order.conversation)
    questions = {question.question_index: question for question in conversation.questions}
    gold = corrected_gold(bench.store, bench.audit_sha256, sha256, order.conversation)
    print_ = verdicts_print(bench, ground_or_raise(bench, order, sha256), gold)
    lineage = resumable(bench.lineage(ASSET, order, sha256), order, print_)
    identity = bench.judge.identity
    with suppress(LocomoError, OSError), first_failure():
        async with leased(bench.store.storage, lineage):
            stored = [] if order.force else stored_verdicts(bench, order, gold)
            known = verdicts_by_content(bench, order, stored)
            attempt = bench.store.begin(lineage)

            async def verdict(due: Due) -> None:
                case = due.case
                judgement = await bench.judge.judge(
                    case.question, case.gold_answer, case.answer, due.question.category
                )
                row = due.judged(judgement)
                row["judgement_id"] = f"{attempt.attempt_id}/{due.question.question_index}"
                saver.add(ASSET, row)
                bench.progress.add(cost_usd=judgement.cost_usd or 0.0)

            with noted_calls() as calls:
                saver = Saver(
                    attempt, [ASSET], calls=calls, prices=bench.prices, model=identity.model
                )
                async with saving(saver), asyncio.TaskGroup() as group:
                    while answers is not None:
                        for answer in answers:
                            due = Due(questions[answer["question_index"]], answer, identity, gold)
                            if due.is_answered and due.fingerprint not in known:
                                group.create_task(verdict(due))
                        answers = await saved.get()
