"""One judge over stored answers: its forecast, the run, and how it fails."""

import asyncio
from collections.abc import Sequence
from uuid import uuid4

from locomo_assets.errors import LocomoError
from locomo_assets.history import database
from locomo_assets.judging.canaries import packaged_canaries
from locomo_assets.judging.judge import with_votes
from locomo_assets.prices import LEXICAL, ModelPrice, PriceTable
from locomo_assets.runs import forecast
from locomo_assets.runs.batches import BatchPendingError
from locomo_assets.runs.panel.judging import (
    Judged,
    judge_stored,
    missing_canaries,
    missing_verdicts,
)
from locomo_assets.runs.panel.stored import AnswerSet
from locomo_assets.runs.runner import Failed, summarize_failures
from locomo_assets.services import Services


class JudgingError(LocomoError):
    """Some answers have no verdict, because a judge or the history failed."""


class JudgingPendingError(JudgingError):
    """Nothing failed: verdicts are still at the judge, and the same command collects them."""

    exit_code = 75
    prefix = "pending"


def judge_sets(services: Services, sets: Sequence[AnswerSet]) -> Judged:
    """Has the answers judged by the services' judge, and brings the database up to date."""

    async def judged() -> Judged:
        tasks = [one.task for one in sets]
        async with services.run_context(f"judge-{uuid4()}", tasks) as run:
            return await judge_stored(run, sets)

    try:
        return asyncio.run(judged())
    finally:
        database.refresh(services.store(), services.settings.database_path)


def forecast_judging(services: Services, sets: Sequence[AnswerSet], kind: str) -> forecast.Item:
    """What the judge has still to be asked, and what that takes; no call is made."""
    chosen, store = services.settings, services.store()
    prices = PriceTable.read(chosen.prices)
    judge = with_votes(services.planned_judge(), chosen.judge_votes)
    if judge.system == LEXICAL:
        none = forecast.Usage(0.0, 0.0, 0.0, "the lexical judge: no call")
        item = forecast.verdicts(0, none, ModelPrice(prices, LEXICAL), width=1)
    else:
        corrected = chosen.gold == "corrected"
        answers = missing_verdicts(store, sets, judge, corrected=corrected) * chosen.judge_votes
        canaries = missing_canaries(store, sets, judge) * chosen.judge_votes
        batched = answers if chosen.judge_mode == "batch" else 0
        item = forecast.verdicts(
            answers - batched + canaries,
            forecast.measured_verdicts(store, judge.system, judge.model),
            ModelPrice(prices, judge.model),
            width=chosen.max_verdicts_in_flight,
            batched=batched,
        )
    return forecast.renamed(item, kind)


def canaries_note() -> str:
    """What a forecast counts beside the answers."""
    return (
        f"The verdicts on {len(packaged_canaries().canaries)} canaries are counted, which each "
        "judge gives once for a release."
    )


def failure_of(failures: Sequence[Failed], conversations: int) -> JudgingError:
    """The error that failures end in: pending, where nothing else is the matter."""
    names = {failed.task.conversation for failed in failures}
    why = summarize_failures(failures)
    if all(isinstance(failed.error, BatchPendingError) for failed in failures):
        return JudgingPendingError(
            f"{len(names)} of {conversations} conversations wait for their verdicts: {why}"
        )
    return JudgingError(
        f"{len(names)} of {conversations} conversations are not judged: {why}; the same command "
        "asks only for what is missing"
    )
