"""What a ladder has still to pay for, step by step; what steps share is counted once."""

from collections.abc import Sequence
from dataclasses import dataclass

from locomo_assets.judging.judge import with_votes
from locomo_assets.locomo.model import Dataset
from locomo_assets.pipeline.forecasts.forecast import forecast_items
from locomo_assets.pipeline.forecasts.rounds import canaries_missing, missing_rounds, unjudged
from locomo_assets.pipeline.ladder import services_of
from locomo_assets.prices import LEXICAL
from locomo_assets.runs import forecast
from locomo_assets.runs.context import Task, fingerprint
from locomo_assets.services import Services
from locomo_assets.settings.variants import Ladder


@dataclass(frozen=True, slots=True)
class StepForecast:
    """A step's turns, questions and verdicts; `shares` says what steps before it have, in words.

    `is_done`: nothing is to be asked at all.
    """

    step: str
    shares: str
    items: tuple[forecast.Item, ...]
    is_done: bool


def forecast_ladder(
    ladder: Ladder, dataset: Dataset, tasks: Sequence[Task], services: Services
) -> list[StepForecast]:
    """What is missing of each step, on the tasks' questions. No call is made."""
    counted: set[str] = set()
    return [_forecast(services_of(services, step), step.name, dataset, tasks, counted)
            for step in ladder.steps]  # fmt: skip


def whole(steps: Sequence[StepForecast]) -> list[forecast.Item]:
    """The turns, questions and verdicts of all steps together."""
    return forecast.in_turn([step.items for step in steps])


def _forecast(
    services: Services, name: str, dataset: Dataset, tasks: Sequence[Task], counted: set[str]
) -> StepForecast:
    run = services.planned_run(tasks)
    votes = services.settings.judge_votes
    judge = with_votes(services.planned_judge(), votes)
    [missing] = missing_rounds(run, dataset, tasks, 1)
    memory = run.ingest_protocol.canonical() if run.ask_protocol.needs_ingestion else None
    ingestion = fingerprint({"ingestion": memory})
    answers = fingerprint({"ingestion": memory, "answers": run.ask_protocol.canonical()})
    own = run.ask_protocol.retrieval
    path = fingerprint({"ingestion": memory, "path": None if own is None else own.path})
    has_memory, has_answers = ingestion in counted, answers in counted
    has_retrieved = own is not None and path in counted
    has_judge = judge.name in counted
    counted |= {ingestion, answers, path, judge.name}
    stored = unjudged(
        run,
        dataset,
        tasks,
        judge,
        votes=votes,
        corrected=services.settings.gold == "corrected",
    )
    asked = sum(missing.counts)
    to_ingest = [] if has_memory else list(missing.to_ingest)
    to_judge = stored + (asked if has_answers else 0)
    canaries = 0 if has_judge else sum(
        canaries_missing(run, release, judge, votes=votes)
        for release in {task.release for task in tasks}
    )  # fmt: skip
    counts = [0 if has_answers else count for count in missing.counts]
    to_ask = [
        (conversation, count)
        for conversation, count in zip(missing.conversations, counts, strict=True)
        if count
    ]
    items = forecast_items(
        [conversation for conversation, _ in to_ask],
        [count for _, count in to_ask],
        services,
        run.system,
        to_ingest=to_ingest,
        to_judge=to_judge,
        canaries=canaries,
        retrieved=sum(counts) if has_retrieved else missing.retrieved,
    )
    judged = 0 if judge.system == LEXICAL else to_judge + canaries
    shared = [
        word
        for word, is_shared in (
            ("memory", has_memory and memory is not None),
            ("retrieved memories", has_retrieved and not has_answers),
            ("answers", has_answers),
        )
        if is_shared
    ]
    return StepForecast(
        name,
        ", ".join(shared) or "–",
        tuple(items),
        # The lexical judge's verdicts cost nothing, and yet they have to be given.
        is_done=not (to_ingest or to_ask or judged or to_judge),
    )
