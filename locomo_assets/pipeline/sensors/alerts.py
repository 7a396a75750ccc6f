"""The sensor `alerts`: reads ended runs from the event log and sends notifications."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Literal

import dagster as dg

from locomo_assets.pipeline.assets.accuracy import SUMMARY_LINES
from locomo_assets.pipeline.partitions import split
from locomo_assets.redaction import secrets_in_url
from locomo_assets.reporting.alerts.channels import Channels
from locomo_assets.reporting.alerts.detect import MAX_TRIES, detect, due, record_sent
from locomo_assets.reporting.alerts.formatter import Formatter
from locomo_assets.reporting.alerts.model import AlertState, CheckOutcome, EndedRun, Severity
from locomo_assets.settings import Settings


def ended_run(instance: dg.DagsterInstance, end: dg.EventLogRecord) -> EndedRun | None:
    """Of the record of its success or failure; None where the run was deleted."""
    run_id, event = end.run_id, end.event_log_entry.dagster_event
    run = instance.get_run_by_id(run_id)
    if run is None:
        return None
    kinds = {
        dg.DagsterEventType.ASSET_MATERIALIZATION_PLANNED,
        dg.DagsterEventType.ASSET_MATERIALIZATION,
        dg.DagsterEventType.ASSET_CHECK_EVALUATION,
    }
    planned: set[tuple[str, str | None]] = set()
    made: set[tuple[str, str | None]] = set()
    outcomes = []
    summaries: dict[str, tuple[str, ...]] = {}
    for one in _events(instance, run_id, kinds):
        if one.event_type is dg.DagsterEventType.ASSET_MATERIALIZATION_PLANNED:
            planned |= _planned(one)
        elif one.event_type is dg.DagsterEventType.ASSET_MATERIALIZATION and one.asset_key:
            made.add((one.asset_key.to_user_string(), one.partition))
            summaries |= _summary(one)
        elif isinstance(data := one.event_specific_data, dg.AssetCheckEvaluation):
            outcomes += _outcomes(data)
    failed = event is not None and event.event_type is dg.DagsterEventType.RUN_FAILURE
    if not planned:
        planned = {(run.job_name, None)}
        made |= set() if failed else planned
    return EndedRun(
        run_id=run_id,
        subject=_subject(planned),
        error=_cause(event) if failed and event else None,
        planned=frozenset(map(_piece, planned)),
        made=frozenset(map(_piece, made)),
        checks=tuple(outcomes),
        summaries=summaries,
    )


def _events(
    instance: dg.DagsterInstance, run_id: str, kinds: set[dg.DagsterEventType]
) -> list[dg.DagsterEvent]:
    found, cursor, more = [], None, True
    while more:
        page = instance.get_records_for_run(run_id, cursor=cursor, of_type=kinds, limit=1000)
        found += [r.event_log_entry.dagster_event for r in page.records]
        cursor, more = page.cursor, page.has_more
    return [event for event in found if event is not None]


def _planned(event: dg.DagsterEvent) -> set[tuple[str, str | None]]:
    data = event.asset_materialization_planned_data
    subset = data.partitions_subset
    keys = list(subset.get_partition_keys()) if subset else [data.partition]
    return {(data.asset_key.to_user_string(), key) for key in keys}


def _summary(event: dg.DagsterEvent) -> dict[str, tuple[str, ...]]:
    """Release → its lines, where the event has them; none of other assets."""
    told = event.step_materialization_data.materialization.metadata.get(SUMMARY_LINES)
    if event.partition is None or told is None:
        return {}
    return {event.partition: tuple(str(told.value).splitlines())}


def _outcomes(found: dg.AssetCheckEvaluation) -> list[CheckOutcome]:
    """What a check says; nothing where it could not be told (`told`): no news of either kind."""
    metadata = {name: str(value.value) for name, value in found.metadata.items()}
    if metadata.get("told") == "False":
        return []
    return [
        CheckOutcome(
            check=found.check_name,
            subject=found.partition or found.asset_key.to_user_string(),
            passed=found.passed,
            expected=metadata.get("expected", "that it passes"),
            actual=metadata.get("actual", found.description or "it did not"),
        )
    ]


def _subject(planned: set[tuple[str, str | None]]) -> str:
    """The releases, where there are some; else what was to be made."""
    releases = {split(key)[1] or key for _, key in planned if key}
    return ", ".join(sorted(releases or {asset for asset, _ in planned}))


def _piece(work: tuple[str, str | None]) -> str:
    asset, partition = work
    return asset if partition is None else f"{asset} of {partition}"


def _cause(event: dg.DagsterEvent) -> str:
    """The failure's own line, as short as it is to be had."""
    data = event.job_failure_data
    if data is None:  # of a run that ended before it began, which Dagster only marks as failed
        return event.message or "no cause is recorded"
    if data.first_step_failure_event is not None:
        step = data.first_step_failure_event.step_failure_data
        if step.user_failure_data and step.user_failure_data.description:
            return step.user_failure_data.description
        error = step.error.cause if step.error and step.error.cause else step.error
    else:
        error = data.error
    return error.message if error else event.message or "no cause is recorded"


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
        state = AlertState.from_json(context.cursor)
        if state is None:
            _complain(context, Channels(urls))
            context.update_cursor(AlertState(_newest_end(context.instance)).to_json())
            return dg.SkipReason("tells of what ends from here on")
        runs, position = _ended_since(context.instance, state.position)
        state = detect(state, runs, formatter(settings), datetime.now(UTC))
        state = replace(state, position=position)
        state, sent = _send(context, state, urls)
        context.update_cursor(state.to_json())
        return dg.SkipReason(
            f"{len(runs)} runs ended; {sent} alerts sent, {len(state.notifications)} waiting; "
            f"{len(state.incidents)} incidents open"
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


def formatter(settings: Settings) -> Formatter:
    """A formatter that hides every key of the settings."""
    secrets = set(settings.held_secrets())
    for urls in alert_urls(settings).values():
        secrets |= secrets_in_url(urls)
    return Formatter(ui_url=settings.ui_url, secrets=tuple(sorted(secrets)))


def _send(
    context: dg.SensorEvaluationContext, state: AlertState, urls: Mapping[Severity, str]
) -> tuple[AlertState, int]:
    waiting = due(state, datetime.now(UTC))
    if not waiting:
        return state, 0
    channels = Channels(urls)
    _complain(context, channels)
    tried = channels.send_all(waiting)
    for notification in waiting:
        names = channels.names(notification.severity)
        for position in tried.get(notification.key, ()):
            context.log.warning(
                f"channel {notification.severity} {position + 1} ({names[position]}) did not "
                f"accept the alert: {notification.title}"
            )
    state, given_up = record_sent(state, tried, datetime.now(UTC))
    for notification in given_up:
        context.log.error(f"given up after {MAX_TRIES} tries: {notification.title}")
    return state, sum(not pending for pending in tried.values())


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
        wanted = dg.RunStatusChangeRecordsFilter(kind, after_storage_id=position)
        records += instance.fetch_run_status_changes(
            wanted, limit=_RUNS_AT_ONCE, ascending=True
        ).records
    first = sorted(records, key=lambda record: record.storage_id)[:_RUNS_AT_ONCE]
    runs = [ended_run(instance, record) for record in first]
    return [run for run in runs if run], first[-1].storage_id if first else position
