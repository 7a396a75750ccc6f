"""The sensor `alerts`: looks at ended runs, and tells who is not looking.

Here: reading runs from the instance, and the memory in the cursor, which outlives the daemon. What
is told, once and in which words, is `reporting.alerts`.

One sensor with a cursor of its own, and not Dagster's `run_failure_sensor`, which keeps its cursor
for itself: what was told and what is still to be sent must be in one place with the position.
Runs are never touched, so a channel that is down or slow can neither fail nor delay one.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Literal

import dagster as dg
from dagster._core.event_api import RunStatusChangeRecordsFilter

from locomo_assets.pipeline.sensors.ended_runs import ended_run
from locomo_assets.reporting.alerts.channels import Channels
from locomo_assets.reporting.alerts.deciding import MAX_TRIES, due, settle, take_in
from locomo_assets.reporting.alerts.hiding import secrets_in_url
from locomo_assets.reporting.alerts.model import EndedRun, Memory, Severity
from locomo_assets.reporting.alerts.telling import Teller
from locomo_assets.settings import Settings

_RUNS_AT_ONCE = 50
_ENDS: tuple[Literal[dg.DagsterEventType.RUN_SUCCESS, dg.DagsterEventType.RUN_FAILURE], ...] = (
    dg.DagsterEventType.RUN_SUCCESS,
    dg.DagsterEventType.RUN_FAILURE,
)


def alerts_sensor(settings: Settings) -> dg.SensorDefinition:
    """On where there is a channel to tell, and else off."""
    urls = alert_urls(settings)

    @dg.sensor(
        name="alerts",
        minimum_interval_seconds=30,
        default_status=dg.DefaultSensorStatus.RUNNING if urls else dg.DefaultSensorStatus.STOPPED,
        description="Tells of failed runs, low accuracy, API errors and long runs through the URLs "
        "in LOCOMO_ALERT_URLS_HIGH, …_MEDIUM and …_LOW, and when they have recovered. Starts no "
        "run and costs nothing.",
    )
    def alerts(context: dg.SensorEvaluationContext) -> dg.SkipReason:
        if not urls:
            context.update_cursor("")
            return dg.SkipReason("no channel: set LOCOMO_ALERT_URLS_HIGH, …_MEDIUM or …_LOW")
        memory = Memory.from_json(context.cursor)
        if memory is None:
            _complain(context, Channels(urls))
            context.update_cursor(Memory(_newest_end(context.instance)).to_json())
            return dg.SkipReason("tells of what ends from here on")
        runs, position = _ended_since(context.instance, memory.position)
        memory = take_in(memory, runs, teller(settings), datetime.now(UTC))
        memory = replace(memory, position=position)
        memory, sent = _send(context, memory, urls)
        context.update_cursor(memory.to_json())
        return dg.SkipReason(
            f"{len(runs)} runs ended; {sent} alerts sent, {len(memory.notices)} waiting; "
            f"{len(memory.troubles)} troubles open"
        )

    return alerts


def alert_urls(settings: Settings) -> dict[Severity, str]:
    """The URLs of each severity that has some, as they were set."""
    each = {
        Severity.HIGH: settings.alert_urls_high,
        Severity.MEDIUM: settings.alert_urls_medium,
        Severity.LOW: settings.alert_urls_low,
    }
    return {severity: urls.get_secret_value() for severity, urls in each.items() if urls}


def teller(settings: Settings) -> Teller:
    """Knows all keys of the settings, to leave them out."""
    secrets = set(settings.held_secrets())
    for urls in alert_urls(settings).values():
        secrets |= secrets_in_url(urls)
    return Teller(ui_url=settings.ui_url, secrets=tuple(sorted(secrets)))


def _send(
    context: dg.SensorEvaluationContext, memory: Memory, urls: Mapping[Severity, str]
) -> tuple[Memory, int]:
    waiting = due(memory, datetime.now(UTC))
    if not waiting:
        return memory, 0
    channels = Channels(urls)
    _complain(context, channels)
    tried = channels.send_all(waiting)
    for notice in waiting:
        names = channels.names(notice.severity)
        for place in tried.get(notice.key, ()):
            context.log.warning(
                f"channel {notice.severity} {place + 1} ({names[place]}) did not take the alert: "
                f"{notice.title}"
            )
    memory, given_up = settle(memory, tried, datetime.now(UTC))
    for notice in given_up:
        context.log.error(f"given up after {MAX_TRIES} tries: {notice.title}")
    return memory, sum(not owed for owed in tried.values())


def _complain(context: dg.SensorEvaluationContext, channels: Channels) -> None:
    for refused in channels.refused:
        context.log.error(f"alert URL {refused} is not one that apprise understands")


def _newest_end(instance: dg.DagsterInstance) -> int:
    found = [
        record.storage_id
        for kind in _ENDS
        for record in instance.fetch_run_status_changes(kind, limit=1).records
    ]
    return max(found, default=-1)


def _ended_since(instance: dg.DagsterInstance, position: int) -> tuple[list[EndedRun], int]:
    """In the order of their ends, and how far that is; of many the first."""
    records: list[dg.EventLogRecord] = []
    for kind in _ENDS:
        wanted = RunStatusChangeRecordsFilter(kind, after_storage_id=position)
        records += instance.fetch_run_status_changes(
            wanted, limit=_RUNS_AT_ONCE, ascending=True
        ).records
    first = sorted(records, key=lambda record: record.storage_id)[:_RUNS_AT_ONCE]
    runs = [ended_run(instance, record) for record in first]
    return [run for run in runs if run], first[-1].storage_id if first else position
