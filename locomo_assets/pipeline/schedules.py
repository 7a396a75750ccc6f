"""What runs by the clock, once somebody switches it on: all of it is off by default.

Here: the weekly full run, the daily sample, and whatever asset is to be made at a time. Times are
UTC; the cron strings are settings.
"""

from collections.abc import Iterator

import dagster as dg
from dagster._utils.schedules import is_valid_cron_string

from locomo_assets.measurement.releases import WEEKLY
from locomo_assets.pipeline.partitions import RELEASE
from locomo_assets.pipeline.release_runs import JOB, release_run_requests
from locomo_assets.settings import Settings, SettingsError

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
            tags={"locomo/release": release, "locomo/source": "schedule"},
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
    if not is_valid_cron_string(text):
        raise SettingsError(
            f"{variable}: {text!r:.60} is no cron string; it has five fields, like `0 3 * * 1`"
        )
    return text
