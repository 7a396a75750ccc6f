"""What a run will take by the settings, and beside it what it took, as Dagster metadata."""

import time
from collections.abc import Sequence
from typing import Any

import dagster as dg

from locomo_assets.backboard.answers import Retrieval
from locomo_assets.completions.asker import OPENAI, OPENAI_URL, endpoint_of, host_of
from locomo_assets.judging.canaries import packaged_canaries
from locomo_assets.locomo.model import Conversation, Dataset
from locomo_assets.pipeline.forecasts.rounds import canaries_missing, missing_rounds, unjudged
from locomo_assets.prices import LEXICAL, ModelPrice, PriceTable, is_free
from locomo_assets.runs import forecast
from locomo_assets.runs.context import NothingToMeasureError, Progress, RunContext, Task
from locomo_assets.runs.runner import STAGES
from locomo_assets.runs.stages import chosen_questions
from locomo_assets.services import Services

_HEAD = (
    "| | calls | input tokens | output tokens | USD | minutes | per one |\n"
    "| --- | --- | --- | --- | --- | --- | --- |"
)
_NOTE = "\nThe forecast is of all that was asked for; what was stored already comes off."


def forecast_items(
    conversations: Sequence[Conversation],
    counts: Sequence[int],
    services: Services,
    system: str,
    *,
    to_ingest: Sequence[Conversation] | None = None,
    to_judge: int = 0,
    canaries: int | None = None,
    retrieved: int = 0,
) -> list[forecast.Item]:
    """Turns, questions (`counts` of each conversation) and verdicts.

    `to_ingest`: None is all of the conversations. `to_judge`: verdicts on stored answers, beside
    those on the answers to come. `canaries`: how many of the judge's; None: all. `retrieved`: to
    how many questions the memories are retrieved already. `LocomoError` where the prices or the
    history can't be read.
    """
    chosen = services.settings
    prices = PriceTable.read(chosen.prices)
    store = services.store()
    turns = forecast.measured_turns(store, system, services.ingest_protocol().label())
    protocol = services.ask_protocol()
    own = protocol.retrieval
    answering = system if own is None else own.answerer.system
    items = [
        forecast.ingestion(
            (conversations if to_ingest is None else to_ingest) if protocol.needs_ingestion else [],
            turns if protocol.needs_ingestion else forecast.NOTHING_INGESTED,
            free=is_free(system) or not protocol.needs_ingestion,
        ),
        forecast.questions(
            counts,
            # The stand-in answers as itself, whatever model is asked for.
            forecast.measured_answers(
                store,
                system,
                None if is_free(answering) else protocol.llm_model,
                protocol.label(),
                forecast.assumed_answers(protocol.name, conversations, counts, chosen.retrieval_k),
            ),
            ModelPrice(prices, protocol.llm_model or "", free=is_free(answering)),
            width=1 if chosen.question_protocol == "published" else chosen.max_requests_in_flight,
            retrieved_by=_retrieving(own, sum(counts) - retrieved),
        ),
    ]
    if chosen.openai_api_key is None:
        lexical = forecast.Usage(0.0, 0.0, 0.0, "the lexical judge: no call")
        judged = forecast.verdicts(0, lexical, ModelPrice(prices, LEXICAL), width=1)
    else:
        asked = (sum(counts) + to_judge) * chosen.judge_votes
        batched = asked if chosen.judge_mode == "batch" else 0
        known_answers = len(packaged_canaries().canaries) if canaries is None else canaries
        judged = forecast.verdicts(
            asked - batched + known_answers * chosen.judge_votes,
            forecast.measured_verdicts(
                store, _judge_host(chosen.openai_base_url), chosen.judge_model
            ),
            ModelPrice(prices, chosen.judge_model),
            width=chosen.max_verdicts_in_flight,
            batched=batched,
        )
    return [*items, judged]


def forecast_rounds(
    dataset: Dataset, tasks: Sequence[Task], services: Services
) -> list[forecast.Item]:
    """What is missing of all the rounds of these tasks, whose `repeat` is the last one."""
    run = services.planned_run(tasks)
    repeats = max((task.repeat for task in tasks), default=1)
    chosen = services.settings
    judge = services.planned_judge()
    canaries = sum(
        canaries_missing(run, release, judge, votes=chosen.judge_votes)
        for release in {task.release for task in tasks}
    )
    to_judge = unjudged(
        run,
        dataset,
        tasks,
        judge,
        votes=chosen.judge_votes,
        corrected=chosen.gold == "corrected",
    )
    rounds = [
        forecast_items(
            missing.conversations,
            missing.counts,
            services,
            run.system,
            to_ingest=missing.to_ingest,
            to_judge=0 if number else to_judge,
            canaries=0 if number else canaries,
            retrieved=missing.retrieved,
        )
        for number, missing in enumerate(missing_rounds(run, dataset, tasks, repeats))
    ]
    return forecast.in_turn(rounds)


def _retrieving(retrieval: Retrieval | None, questions: int) -> int | None:
    """Calls that retrieve memories for so many questions: a search, or a thread and a message."""
    if retrieval is None:
        return None
    return questions * (1 if retrieval.path == "search" else 2)


def _judge_host(base_url: str | None) -> str:
    """`openai`, or the host of another judge; nothing for what is no URL, which runs refuse."""
    try:
        endpoint = endpoint_of(base_url or OPENAI_URL)
    except ValueError:
        return ""
    return OPENAI if endpoint == endpoint_of(OPENAI_URL) else host_of(endpoint)


def forecast_tasks(
    tasks: Sequence[Task], assets: Sequence[str], services: Services, run: RunContext
) -> "Forecast":
    """The forecast of a run of these assets, over the conversations that the history has."""
    conversations, counts = [], []
    for task in tasks:
        try:
            conversation, _ = run.conversation(task.conversation)
        except NothingToMeasureError:
            continue
        conversations.append(conversation)
        counts.append(len(chosen_questions(conversation, task)))
    items = forecast_items(conversations, counts, services, run.system)
    made = [item for asset, item in zip(STAGES, items, strict=True) if asset in assets]
    return Forecast(made, services.progress)


class Forecast:
    """Made when a run begins; `beside_actual` is asked for when it ends."""

    def __init__(self, items: Sequence[forecast.Item], progress: Progress) -> None:
        self._items = items
        self._progress = progress
        self._before = progress.counts
        self._began = time.monotonic()
        self._whole = forecast.Item(
            "forecast",
            sum(one.calls for one in items),
            sum(one.input_tokens for one in items),
            sum(one.output_tokens for one in items),
            sum(one.cost_usd or 0.0 for one in items),
            sum(one.minutes for one in items),
            "USD of what has a price",
        )

    @property
    def minutes(self) -> dict[str, float]:
        """Of each kind of work."""
        return {one.kind: one.minutes for one in self._items}

    def metadata(self) -> dict[str, Any]:
        """The forecast alone: a table, and its sums as numbers."""
        return {
            "forecast": _table([*self._items, self._whole]),
            **_numbers("forecast", self._whole),
        }

    def beside_actual(self) -> dict[str, Any]:
        """The same with a last line for what it came to."""
        now, before = self._progress.counts, self._before
        actual = forecast.Item(
            "actual",
            now.requests - before.requests,
            now.input_tokens - before.input_tokens,
            now.output_tokens - before.output_tokens,
            now.cost_usd - before.cost_usd,
            (time.monotonic() - self._began) / 60.0,
            "this run",
        )
        return {
            "forecast": _table([*self._items, self._whole, actual]),
            **_numbers("forecast", self._whole),
            **_numbers("run", actual),
        }


def _table(items: Sequence[forecast.Item]) -> dg.MarkdownMetadataValue:
    lines = [
        f"| {one.kind} | {one.calls:,} | {round(one.input_tokens):,} "
        f"| {round(one.output_tokens):,} "
        f"| {'no price' if one.cost_usd is None else f'{one.cost_usd:.4f}'} "
        f"| {one.minutes:.2f} | {one.source} |"
        for one in items
    ]
    return dg.MetadataValue.md("\n".join([_HEAD, *lines, _NOTE]))


def _numbers(prefix: str, item: forecast.Item) -> dict[str, float]:
    return {
        f"{prefix}_calls": item.calls,
        f"{prefix}_tokens": round(item.input_tokens + item.output_tokens),
        f"{prefix}_cost_usd": round(item.cost_usd or 0.0, 6),
        f"{prefix}_minutes": round(item.minutes, 3),
    }
