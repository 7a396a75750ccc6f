"""The assets `ingested_memories`, `answers` and `judgements`, made by one step.

One step, because each conversation goes through the three stages at its own pace: a slow one holds
up nobody, and one that fails leaves the others' results. The stages are in `runs`.
"""

import logging
import time
from collections.abc import Iterator, Sequence
from typing import Any, Self

import dagster as dg
from pydantic import Field, model_validator

from locomo_assets.errors import LocomoError
from locomo_assets.labels import BadLabelError, check_label
from locomo_assets.pipeline import checks
from locomo_assets.pipeline.assets.launch_config import LaunchConfig, Questions
from locomo_assets.pipeline.column_metadata import TABLE_OF, column_lineage, rows_sql, table_schema
from locomo_assets.pipeline.forecasts.forecast import forecast_tasks
from locomo_assets.pipeline.interrupt import run_interruptibly
from locomo_assets.pipeline.launcher import register_process
from locomo_assets.pipeline.partitions import (
    CONVERSATION,
    RELEASE,
    RELEASE_TAG,
    grid,
    split,
    use_whole_range,
)
from locomo_assets.pipeline.progress import ProgressLine
from locomo_assets.reporting.tables import limits_markdown
from locomo_assets.runs.batches import BatchPendingError
from locomo_assets.runs.context import Counts, Task
from locomo_assets.runs.releases import ReleaseTakenError, refuse_taken
from locomo_assets.runs.runner import STAGES, Failed, measure, summarize_failures, wait_for_leases
from locomo_assets.runs.stages import StageReport
from locomo_assets.services import Services

OBSERVE_EVERY_S = 10.0
MEASUREMENT_POOL = "measurement"
"""The instances let one run at a time into a pool."""

PENDING_BATCHES = "pending_batches"
"""In the metadata of a failure that is none: verdicts are still at the judge."""

_SPECS = (
    ("ingested_memories", "locomo_dataset", "Each turn of a conversation, in order, "
     "in the memory of a new assistant. Costs one message a turn."),
    ("answers", "ingested_memories", "Each question, answered by the assistant. Costs "
     "one LLM answer a question."),
    ("judgements", "answers", "Each answer's verdict by the judge. Costs one judge "
     "call a question, half the price by batches (LOCOMO_JUDGE_MODE); the lexical judge costs "
     "nothing."),
)  # fmt: skip


class MeasureConfig(LaunchConfig):
    """Launch options of a measurement."""

    questions: Questions | None = Field(
        None,
        description="Ask only the first so many questions of each conversation (cheaper); at "
        "least 1.",
    )
    adversarial: bool = Field(
        False, description="Ask category 5 too (446 more paid questions on the real data set)."
    )
    force: bool = Field(
        False, description="Ask again what is stored already: PAYS THE WHOLE COST AGAIN."
    )
    repeat: int = Field(
        1, ge=1, description="Ask until each question has so many answers: pays for each."
    )
    repeat_ingestion: bool = Field(
        False,
        description="With `repeat`: ingest until there are so many memories, and ask the newest. "
        "Pays for each.",
    )
    share: float | None = Field(
        None,
        gt=0,
        le=1,
        description="Ask only this share of the questions (0.4: two of five), in the random order "
        "of the seed.",
    )
    order_seed: str = Field(
        "",
        description="With `share`: the seed of the order. A larger share has all that a smaller "
        "one has.",
    )

    @model_validator(mode="after")
    def _not_both(self) -> Self:
        if self.force and self.repeat > 1:
            raise ValueError(
                "force with repeat: force asks all again however often it was asked, and repeat "
                "only what is missing; choose one"
            )
        return self


def conversation_assets(partitions_per_run: str, runs_at_once: int = 1) -> dg.AssetsDefinition:
    """The three assets; `partitions_per_run` (`all` or `one`) shapes their backfills.

    Where one run at a time may measure, a pool keeps the others in Dagster's queue.
    """
    single = partitions_per_run == "all"

    @dg.multi_asset(
        name="measured_conversation",
        specs=[
            dg.AssetSpec(
                name,
                deps=[upstream],
                description=description,
                skippable=True,
                kinds={"parquet"},
                owners=["team:evaluation"],
                metadata={
                    "dagster/column_schema": table_schema(name),
                    "dagster/column_lineage": column_lineage(name),
                },
            )
            for name, upstream, description in _SPECS
        ],
        check_specs=checks.CONVERSATION,
        can_subset=True,
        group_name="measurement",
        pool=MEASUREMENT_POOL if runs_at_once == 1 else None,
        partitions_def=grid,
        backfill_policy=(
            dg.BackfillPolicy.single_run() if single else dg.BackfillPolicy.multi_run(1)
        ),
    )
    def measured_conversation(  # type: ignore[no-untyped-def]  # Dagster 1.13 takes none for these
        context: dg.AssetExecutionContext,
        config: MeasureConfig,
        services: dg.ResourceParam[Services],
    ):
        wanted = [name for name in STAGES if dg.AssetKey(name) in context.selected_asset_keys]
        if not wanted:
            raise dg.Failure(
                "these checks are made with their assets: materialize the assets instead; what is "
                "stored is checked again and not paid for again",
                allow_retries=False,
            )
        _begin(context, services)
        tasks = [
            Task(release=release, conversation=conversation, **config.model_dump())
            for conversation, release in map(split, context.partition_keys)
        ]
        reports: list[tuple[Task, StageReport]] = []
        run_metadata: dict[str, Any] = {}
        observer = _Observer(context)
        services.progress.listeners.append(observer)

        async def work() -> list[Failed]:
            async with services.run_context(context.run.run_id, tasks) as run:
                forecast = forecast_tasks(tasks, wanted, services, run)
                context.log_event(
                    dg.AssetObservation(
                        wanted[-1],
                        partition=context.partition_keys[0],
                        metadata=forecast.metadata(),
                    )
                )
                observer.line = ProgressLine(forecast.minutes)
                if context.run.parent_run_id:  # a retry: what it repeats may have crashed
                    await wait_for_leases(run, tasks, _earlier_runs(context.run))
                failures = await measure(
                    run, tasks, wanted, lambda task, report: reports.append((task, report))
                )
                changes = limits_markdown(run.client.limits.history)
                run_metadata["request_limits"] = dg.MetadataValue.md(changes)
                run_metadata.update(forecast.beside_actual())
                return failures

        try:
            failures = run_interruptibly(work())
        except (LocomoError, OSError) as error:
            yield from _made_so_far(context, reports)
            raise dg.Failure(str(error), allow_retries=False) from error
        finally:
            services.progress.listeners.pop()
            observer.end(services.progress.counts)
        if waits := _why_no_metrics(context, reports):
            run_metadata = {"metrics": "; ".join(waits), **run_metadata}
        if failures:
            yield from _made_so_far(context, reports)
            _log_lines(context, waits)
            for failed in failures:
                checks.log_stage(context, failed.asset, _key(failed.task), failed.error)
            raise dg.Failure(
                _failure_line(failures, len(tasks)),
                metadata={**run_metadata, **_pending(failures)},
                allow_retries=False,
            )
        skipped = _log_skipped(context, reports)
        for task, report in reports:
            if report.skipped is None:
                context.add_asset_metadata(
                    _metadata(task, report), asset_key=report.asset, partition_key=_key(task)
                )
        for name in wanted:
            if name not in skipped:
                yield dg.MaterializeResult(asset_key=name, metadata=run_metadata)
        _log_checks(context, reports)
        _log_lines(context, waits)

    return measured_conversation


def _failure_line(failures: Sequence[Failed], tasks: int) -> str:
    ended = "wait for their verdicts" if _pending(failures) else "failed"
    return f"{len(failures)} of {tasks} conversations {ended}: {summarize_failures(failures)}"


def _pending(failures: Sequence[Failed]) -> dict[str, Any]:
    """Metadata where nothing but the judge's batches is waited for: their ids."""
    errors = [one.error for one in failures if isinstance(one.error, BatchPendingError)]
    if len(errors) < len(failures):
        return {}
    return {PENDING_BATCHES: [state.batch_id for error in errors for state in error.pending]}


def _earlier_runs(run: dg.DagsterRun) -> set[str]:
    return {one for one in (run.parent_run_id, run.root_run_id) if one}


def _key(task: Task) -> str:
    return f"{task.conversation}|{task.release}"


def _metadata(task: Task, report: StageReport) -> dict[str, Any]:
    where = {"release": task.release, "conversation": task.conversation}
    return {
        **report.metadata(),
        "attempt": report.attempt_id or "reused: everything was stored already",
        "dagster/partition_row_count": report.row_count,
        "rows": rows_sql(TABLE_OF[report.asset], where),
    }


def _made_so_far(
    context: dg.AssetExecutionContext, reports: Sequence[tuple[Task, StageReport]]
) -> Iterator[dg.AssetMaterialization]:
    """Materializations of what was done, where the step itself is about to fail.

    Yielded, because each is stored by the time that its check looks for it.
    """
    _log_skipped(context, reports)
    for task, report in reports:
        if report.skipped is not None:
            continue
        yield dg.AssetMaterialization(
            report.asset, partition=_key(task), metadata=_metadata(task, report)
        )
    _log_checks(context, reports)


def _log_checks(
    context: dg.AssetExecutionContext, reports: Sequence[tuple[Task, StageReport]]
) -> None:
    """After the materializations, so that each check is of the newest one."""
    for task, report in reports:
        if report.skipped is None:
            checks.log_stage(context, report.asset, _key(task), report)


def _log_skipped(
    context: dg.AssetExecutionContext, reports: Sequence[tuple[Task, StageReport]]
) -> set[str]:
    """Observations of what there was no need to make, and why; the assets' names."""
    skipped = [(task, report) for task, report in reports if report.skipped is not None]
    for task, report in skipped:
        metadata = {**report.metadata(), "skipped": report.skipped}
        context.log_event(
            dg.AssetObservation(report.asset, partition=_key(task), metadata=metadata)
        )
    return {report.asset for _, report in skipped}


def _begin(context: dg.AssetExecutionContext, services: Services) -> None:
    """Notes whose run it is; fails where a label can't be used, and takes it out of the grid."""
    use_whole_range(context.run)
    register_process(context.instance, context.run.run_id)
    context.log.addFilter(_is_no_false_alarm)
    releases = _releases(context)
    context.instance.add_run_tags(context.run.run_id, {RELEASE_TAG: ", ".join(releases)})
    for release in releases:
        try:
            check_label(release)
            refuse_taken(services.store(), release)
        except (BadLabelError, ReleaseTakenError) as error:
            if isinstance(error, BadLabelError) and services.store().manifests(release=release):
                # Measured by an older version: it can be looked at, and not be added to.
                raise dg.Failure(str(error), allow_retries=False) from error
            context.instance.delete_dynamic_partition(RELEASE, release)
            raise dg.Failure(
                f"{error}; its partition is removed again", allow_retries=False
            ) from error
        except (LocomoError, OSError) as error:
            raise dg.Failure(str(error), allow_retries=False) from error


def _releases(context: dg.AssetExecutionContext) -> list[str]:
    return list(dict.fromkeys(split(key)[1] for key in context.partition_keys))


def _log_lines(context: dg.AssetExecutionContext, lines: Sequence[str]) -> None:
    for line in lines:
        context.log.info(line)


def _why_no_metrics(
    context: dg.AssetExecutionContext, reports: Sequence[tuple[Task, StageReport]]
) -> list[str]:
    """A line for each release whose metrics wait for other conversations."""
    judged = {
        _key(task)
        for task, report in reports
        if report.asset == "judgements" and report.skipped is None
    }
    if not judged:
        return []
    judged |= context.instance.get_materialized_partitions(dg.AssetKey("judgements"))
    names = context.instance.get_dynamic_partitions(CONVERSATION)
    lines = []
    for release in _releases(context):
        missing = [name for name in names if f"{name}|{release}" not in judged]
        if missing:
            more = f" and {len(missing) - 5} more" if len(missing) > 5 else ""
            lines.append(
                f"release {release}: its metrics wait, as {len(missing)} of {len(names)} "
                f"conversations are not judged ({', '.join(missing[:5])}{more}); measure them and "
                "the metrics follow by themselves, or materialize accuracy_metrics for the "
                "numbers of the others"
            )
    return lines


def _is_no_false_alarm(record: logging.LogRecord) -> bool:
    # Checks of many partitions are logged, not yielded, and Dagster says that it misses them.
    return "did not yield or return expected outputs" not in record.getMessage()


class _Observer:
    """Says in the run's log how far it is: at its start, now and then, and at its end."""

    def __init__(self, context: dg.AssetExecutionContext) -> None:
        self._log = context.log
        self._last = -OBSERVE_EVERY_S
        self._waits_for = ""
        self.line: ProgressLine | None = None

    def __call__(self, counts: Counts) -> None:
        if bool(counts.waits_for) != bool(self._waits_for):
            self._waits_for = counts.waits_for
            self._log.info(counts.waits_for or "a slot is free: no longer waiting")
        if time.monotonic() - self._last >= OBSERVE_EVERY_S:
            self._tell(counts)

    def end(self, counts: Counts) -> None:
        self._tell(counts)

    def _tell(self, counts: Counts) -> None:
        text = self.line.text(counts) if self.line else ""
        if text:
            self._last = time.monotonic()
            self._log.info(text)
