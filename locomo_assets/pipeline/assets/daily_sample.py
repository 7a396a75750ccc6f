"""The asset `daily_sample`: the same few questions each day, asked of the newest full run's memory.

It has no partitions, and none of its results is ever a point of the releases' trend.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import dagster as dg

from locomo_assets.analysis.accuracy import Sample, read_samples
from locomo_assets.errors import LocomoError
from locomo_assets.history import database
from locomo_assets.locomo.sampling import stratified_sample
from locomo_assets.pipeline.column_metadata import rows_sql
from locomo_assets.pipeline.forecasts.forecast import forecast_tasks
from locomo_assets.pipeline.interrupt import run_interruptibly
from locomo_assets.pipeline.launcher import register_process
from locomo_assets.pipeline.partitions import CONVERSATION
from locomo_assets.reporting.tables import samples_markdown
from locomo_assets.runs.context import NothingToMeasureError, Task, stored_conversation
from locomo_assets.runs.releases import DAILY
from locomo_assets.runs.runner import Failed, measure, summarize_failures
from locomo_assets.runs.stages import SERIES, JudgementsReport, StageReport
from locomo_assets.services import Services

_STAGES = ["answers", "judgements"]


@dg.asset(
    group_name="samples",
    kinds={"parquet", "duckdb"},
    owners=["team:evaluation"],
    deps=["ingested_memories"],
    description="A fixed sample of questions (LOCOMO_SAMPLE_QUESTIONS, by conversation and "
    "category), asked anew of the memory that the newest full run ingested: has answering changed "
    "since? Costs an LLM answer and a judge call a question, once a day (UTC); launched again on "
    "the same day it asks only what failed.",
)
def daily_sample(
    context: dg.AssetExecutionContext, services: dg.ResourceParam[Services]
) -> dg.MaterializeResult[None]:
    """Measures today's sample; its numbers never bear the names of a release's."""
    register_process(context.instance, context.run.run_id)
    names = context.instance.get_dynamic_partitions(CONVERSATION)
    told: dict[str, Any] = {}

    async def work(tasks: Sequence[Task]) -> list[Failed]:
        async with services.run_context(context.run.run_id, tasks) as run:
            forecast = forecast_tasks(tasks, _STAGES, services, run)
            failures = await measure(run, tasks, _STAGES, judged)
            told.update(forecast.beside_actual())
            return failures

    series: dict[str, str] = {}

    def judged(_: Task, report: StageReport) -> None:
        if isinstance(report, JudgementsReport):
            series.update({name: str(getattr(report, name)) for name in SERIES})

    try:
        tasks = sample_tasks(services, names, f"{DAILY}{datetime.now(UTC):%Y-%m-%d}")
        failures = run_interruptibly(work(tasks))
        if failures:
            raise NothingToMeasureError(
                f"{len(failures)} of {len(tasks)} conversations failed: "
                f"{summarize_failures(failures)}"
            )
        database.refresh(services.store(), services.settings.database_path, recent_only=True)
    except (LocomoError, OSError) as error:
        raise dg.Failure(str(error), metadata=told, allow_retries=False) from error
    return dg.MaterializeResult(metadata={**_numbers(services, tasks[0].release, series), **told})


def sample_tasks(services: Services, names: Sequence[str], label: str) -> list[Task]:
    """The sample of all registered conversations, as tasks under a label.

    Raises NothingToMeasureError where none is registered.
    """
    if not names:
        raise NothingToMeasureError(
            "no conversations are registered; materialize locomo_dataset first"
        )
    store = services.store()
    questions = {name: stored_conversation(store, name)[0].questions for name in names}
    sample = stratified_sample(questions, services.settings.sample_questions)
    return [
        Task(label, name, sample=chosen, sample_id=sample.sample_id)
        for name, chosen in sample.questions.items()
    ]


def _interval(row: Sample) -> dict[str, float]:
    if row.interval_percent is None or row.conversations == 1:
        return {}
    low, high = row.interval_percent
    return {"sample_clustered_low_percent": low, "sample_clustered_high_percent": high}


def _numbers(services: Services, label: str, series: Mapping[str, str]) -> dict[str, Any]:
    limit = services.settings.max_error_percent
    rows = read_samples(services.settings.database_path)
    of_label = [row for row in rows if row.release == label]
    same = ("system", "question_protocol", "judge")
    row = next(
        (r for r in of_label if all(getattr(r, name) == series.get(name) for name in same)),
        of_label[0],
    )
    valid = row.error_percent <= limit
    numbers = {
        # The UI plots it over the days, so what is not valid goes by another name.
        "sample_accuracy_percent" if valid else "sample_accuracy_percent_not_valid": (
            row.accuracy_percent
        ),
        **_interval(row),
        "sample_low_percent": row.low_percent,
        "sample_high_percent": row.high_percent,
        "sample_if_missing_wrong_percent": row.if_missing_wrong_percent,
        "sample_if_missing_right_percent": row.if_missing_right_percent,
        "sample_change_points": row.change_points,
        "latency_p50_ms": row.latency_p50_ms,
    }
    return {
        **{name: value for name, value in numbers.items() if value is not None},
        "questions": row.questions,
        "scored": row.scored,
        "error_percent": row.error_percent,
        "cost_usd": row.cost_usd,
        "sample": label,
        "sample_id": row.sample_id,
        "memory_of": row.memory_of,
        "system": row.system,
        "judge": row.judge,
        "question_protocol": row.question_protocol,
        "samples": dg.MetadataValue.md(samples_markdown(rows, limit)),
        "rows": rows_sql("sample_results", {"release": label}),
    }
