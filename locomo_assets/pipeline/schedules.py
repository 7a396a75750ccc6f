"""Schedules, and the run requests by which sensors and schedules measure a release."""

from collections.abc import Iterator, Mapping, Sequence

import dagster as dg

from locomo_assets.pipeline.partitions import CONVERSATION, RELEASE, RELEASE_TAG, ranges
from locomo_assets.pipeline.unexported import (
    ASSET_PARTITION_RANGE_END_TAG,
    ASSET_PARTITION_RANGE_START_TAG,
)
from locomo_assets.runs.releases import WEEKLY
from locomo_assets.settings import Settings, SettingsError

JOB = "release_measurement"


RELEASE_JOB = dg.define_asset_job(
    JOB,
    selection=dg.AssetSelection.assets("ingested_memories", "answers", "judgements"),
    description="A release's conversations, ingested, asked and judged. What is stored is not "
    "paid for again.",
)
"""Costs what its conversations cost."""


def release_run_requests(
    instance: dg.DagsterInstance,
    release: str,
    *,
    partitions_per_run: str,
    tags: Mapping[str, str],
    names: Sequence[str] | None = None,
) -> list[dg.RunRequest]:
    """For the registered conversations, or those of `names`; none where none is registered.

    The same release has the same run keys, so that Dagster never starts its runs twice.
    """
    wanted = instance.get_dynamic_partitions(CONVERSATION) if names is None else names
    # A range of one, not a partition key: Dagster's own check of keys with several dimensions does
    # not see partitions that the same tick adds.
    each = [(name, name) for name in wanted]
    return [
        dg.RunRequest(
            run_key=f"{release}/{first}" if first == last else f"{release}/{first}-{last}",
            tags={
                **tags,
                ASSET_PARTITION_RANGE_START_TAG: f"{first}|{release}",
                ASSET_PARTITION_RANGE_END_TAG: f"{last}|{release}",
            },
        )
        for first, last in (each if partitions_per_run == "one" else ranges(instance, wanted))
    ]


_OFF = dg.DefaultScheduleStatus.STOPPED


def schedules(settings: Settings) -> list[dg.ScheduleDefinition]:
    """All of them. SettingsError for a cron string that is none."""
    return [
        weekly_full_run(settings),
        asset_schedule(
            "daily_sample_run",
            "daily_sample",
            _cron("LOCOMO_DAILY_CRON", settings.daily_cron),
            "Asks the daily sample. COSTS LOCOMO_SAMPLE_QUESTIONS LLM answers and judge calls.",
        ),
        backup_schedule(settings),
    ]


def weekly_full_run(settings: Settings) -> dg.ScheduleDefinition:
    """All conversations, under a label of the day: a release of its own, measured from nothing."""

    @dg.schedule(
        name="weekly_full_run",
        cron_schedule=_cron("LOCOMO_WEEKLY_CRON", settings.weekly_cron),
        job_name=JOB,
        execution_timezone="UTC",
        default_status=_OFF,
        description="Measures all conversations as the release weekly-<date>, whatever the feed "
        "says: has the service changed without a release? COSTS A FULL RUN EACH TIME.",
    )
    def run_all(context: dg.ScheduleEvaluationContext) -> Iterator[dg.RunRequest | dg.SkipReason]:
        release = f"{WEEKLY}{context.scheduled_execution_time:%Y-%m-%d}"
        requests = release_run_requests(
            context.instance,
            release,
            partitions_per_run=settings.partitions_per_run,
            tags={RELEASE_TAG: release, "locomo/source": "schedule"},
        )
        if not requests:
            yield dg.SkipReason("no conversations are registered; materialize locomo_dataset first")
            return
        context.instance.add_dynamic_partitions(RELEASE, [release])
        yield from requests

    return run_all


def asset_schedule(name: str, asset: str, cron: str, description: str) -> dg.ScheduleDefinition:
    """An asset without partitions, made at a time."""
    return dg.ScheduleDefinition(
        name=name,
        target=dg.AssetSelection.assets(asset),
        cron_schedule=cron,
        execution_timezone="UTC",
        default_status=_OFF,
        description=description,
    )


def backup_schedule(settings: Settings) -> dg.ScheduleDefinition:
    """The asset `history_backup`, at its time."""
    return asset_schedule(
        "history_backup_run",
        "history_backup",
        _cron("LOCOMO_BACKUP_CRON", settings.backup_cron),
        "Backs the history up. Costs no call.",
    )


def _cron(variable: str, text: str) -> str:
    try:
        dg.ScheduleDefinition(name="unused", job_name=JOB, cron_schedule=text)
    except dg.DagsterInvalidDefinitionError:
        raise SettingsError(
            f"{variable}: {text!r:.60} is no cron string; it has five fields, like `0 3 * * 1`"
        ) from None
    return text
