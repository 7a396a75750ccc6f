"""The asset `ladder`: configurations measured one change at a time, under one release.

It materializes itself alone. The numbers of its steps are series of the release, but its runs don't
stand for those of `judgements`, so that no step takes the place of the release's own metrics.
"""

from collections.abc import Sequence
from typing import Any

import dagster as dg
from pydantic import Field

from locomo_assets.analysis.accuracy import by_release, of_series
from locomo_assets.analysis.comparison.ladder import read_ladders
from locomo_assets.errors import LocomoError
from locomo_assets.history import database
from locomo_assets.labels import check_label
from locomo_assets.pipeline.assets.accuracy import stored_page
from locomo_assets.pipeline.assets.conversations import MEASUREMENT_POOL, PENDING_BATCHES
from locomo_assets.pipeline.assets.launch_config import LaunchConfig, Questions
from locomo_assets.pipeline.column_metadata import rows_sql
from locomo_assets.pipeline.interrupt import run_interruptibly
from locomo_assets.pipeline.ladder import (
    LadderStepError,
    StepDone,
    check_ladder,
    connect_all,
    keep_steps,
    measure_steps,
)
from locomo_assets.pipeline.launcher import register_process
from locomo_assets.pipeline.partitions import CONVERSATION, RELEASE_TAG, ladder_grid, split
from locomo_assets.reporting.ladder import ladder_markdown
from locomo_assets.runs.batches import BatchPendingError
from locomo_assets.runs.context import NothingToMeasureError, Task
from locomo_assets.runs.forecast import spent_usd
from locomo_assets.runs.releases import refuse_taken
from locomo_assets.services import Services
from locomo_assets.settings.variants import Ladder, LadderFileError, read_ladder


class LadderConfig(LaunchConfig):
    """Launch options of a ladder."""

    file: str = Field(
        "", description="The ladder's file; empty: the one that ships by the partition's name."
    )
    conversations: list[str] = Field(
        default_factory=list, description="Only these conversations (cheaper); empty: all."
    )
    questions: Questions | None = Field(
        None,
        description="Ask only the first so many questions of each conversation (cheaper); at "
        "least 1.",
    )


def ladder_asset(runs_at_once: int = 1) -> dg.AssetsDefinition:
    """The asset; where one run at a time may measure, it waits for its turn as they do."""

    @dg.asset(
        name="ladder",
        partitions_def=ladder_grid,
        group_name="ladders",
        kinds={"parquet", "duckdb"},
        owners=["team:evaluation"],
        deps=["locomo_dataset"],
        pool=MEASUREMENT_POOL if runs_at_once == 1 else None,
        description="A ladder's configurations (docs/variants.md), measured one after another on "
        "the same questions: what each change is worth. Pays for every memory, answer and verdict "
        "that no step before it and no earlier run has; never started by itself.",
    )
    def ladder(
        context: dg.AssetExecutionContext,
        config: LadderConfig,
        services: dg.ResourceParam[Services],
    ) -> dg.MaterializeResult[None]:
        """Measures what is missing, and shows what each step changed."""
        register_process(context.instance, context.run.run_id)
        name, release = split(context.partition_key)
        context.instance.add_run_tags(context.run.run_id, {RELEASE_TAG: release})
        try:
            steps = _steps(name, config)
            tasks = _tasks(context, config, release, services)
            _measure(context, steps, tasks, services)
            return dg.MaterializeResult(metadata=_metadata(services, steps, tasks))
        except LadderStepError as error:
            raise dg.Failure(str(error), metadata=_pending(error), allow_retries=False) from error
        except (LocomoError, OSError) as error:
            raise dg.Failure(str(error), allow_retries=False) from error

    return ladder


def _steps(name: str, config: LadderConfig) -> Ladder:
    ladder = read_ladder(config.file or name)
    if ladder.name != name:
        raise LadderFileError(
            f"ladder {config.file}: its name is {ladder.name}, and the partition's is {name}; "
            f"materialize the partition {ladder.name}"
        )
    return ladder


def _tasks(
    context: dg.AssetExecutionContext, config: LadderConfig, release: str, services: Services
) -> list[Task]:
    check_label(release)
    refuse_taken(services.store(), release)
    names = config.conversations or context.instance.get_dynamic_partitions(CONVERSATION)
    if not names:
        raise NothingToMeasureError(
            "no conversations are registered; materialize locomo_dataset first"
        )
    for name in config.conversations:
        if name not in context.instance.get_dynamic_partitions(CONVERSATION):
            raise NothingToMeasureError(f"conversation {name!r:.120}: is not registered")
    return [Task(release, name, config.questions) for name in dict.fromkeys(names)]


def _measure(
    context: dg.AssetExecutionContext, ladder: Ladder, tasks: Sequence[Task], services: Services
) -> None:
    """Measures all steps, keeps how far it came, and brings the database up to date."""
    for note in check_ladder(ladder, services):
        context.log.warning(note)
    run_id, store, done = context.run.run_id, services.store(), list[StepDone]()

    def note_step(one: StepDone) -> None:
        done.append(one)
        context.log.info(f"step {one.step.name} is measured: {one.series['question_protocol']}")
        context.log_event(
            dg.AssetObservation(
                "ladder",
                partition=context.partition_key,
                metadata={
                    "step": one.step.name,
                    "changed": one.step.changed,
                    **one.series,
                    "cost_usd": sum(getattr(each, "cost_usd", 0.0) for _, each in one.reports),
                },
            )
        )

    async def work() -> None:
        earlier = {one for one in (context.run.parent_run_id, context.run.root_run_id) if one}
        await connect_all(ladder, tasks, services, run_id)
        await measure_steps(
            ladder,
            tasks,
            services,
            run_id,
            note_step,
            after=earlier if context.run.parent_run_id else None,
        )

    try:
        run_interruptibly(work())
    finally:
        keep_steps(store, ladder, tasks[0].release, run_id, done)
        database.publish(store, services.settings.database_path, recent_only=True)


def _pending(error: LadderStepError) -> dict[str, Any]:
    """Metadata where nothing but the judge's batches is waited for: their ids."""
    errors = [one.error for one in error.failures if isinstance(one.error, BatchPendingError)]
    if len(errors) < len(error.failures):
        return {}
    return {PENDING_BATCHES: [state.batch_id for one in errors for state in one.pending]}


def _metadata(services: Services, ladder: Ladder, tasks: Sequence[Task]) -> dict[str, Any]:
    settings, release = services.settings, tasks[0].release
    limit = settings.max_error_percent
    [found] = read_ladders(
        settings.database_path,
        release,
        ladder.name,
        margin_points=settings.margin_points,
        max_error_percent=limit,
    )
    base = found.steps[0]
    series = (found.system, base.question_protocol, base.judge, found.dataset_sha256)
    rows = by_release(settings.database_path, release, max_error_percent=limit)
    _, report = stored_page(services, of_series(rows, series), None)
    partitions = [(release, task.conversation) for task in tasks]
    return {
        "ladder": dg.MetadataValue.md(ladder_markdown(found)),
        "report": report,
        "headline": found.headline,
        # Of all that was measured of these conversations under the release, as the limit counts.
        "cost_usd": spent_usd(services.store(), partitions),
        "questions": found.questions,
        "conversations": found.conversations,
        "valid": found.valid,
        "rows": rows_sql("ladder_steps", {"ladder": ladder.name, "release": release}),
    }
