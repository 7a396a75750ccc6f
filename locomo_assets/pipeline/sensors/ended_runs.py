"""An ended run as the alerts see it, read from the instance's event log.

Here: which work was planned and made, why it failed, and what its checks found.
"""

import dagster as dg

from locomo_assets.pipeline.partitions import split
from locomo_assets.reporting.alerts.model import EndedRun, Look


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
    looks = []
    for one in _events(instance, run_id, kinds):
        if one.event_type is dg.DagsterEventType.ASSET_MATERIALIZATION_PLANNED:
            planned |= _planned(one)
        elif one.event_type is dg.DagsterEventType.ASSET_MATERIALIZATION and one.asset_key:
            made.add((one.asset_key.to_user_string(), one.partition))
        elif isinstance(data := one.event_specific_data, dg.AssetCheckEvaluation):
            looks.append(_look(data))
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
        looks=tuple(looks),
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


def _look(found: dg.AssetCheckEvaluation) -> Look:
    told = {name: str(value.value) for name, value in found.metadata.items()}
    return Look(
        check=found.check_name,
        subject=found.partition or found.asset_key.to_user_string(),
        passed=found.passed,
        expected=told.get("expected", "that it passes"),
        actual=told.get("actual", found.description or "it did not"),
    )


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
    if data.first_step_failure_event is not None:
        step = data.first_step_failure_event.step_failure_data
        if step.user_failure_data and step.user_failure_data.description:
            return step.user_failure_data.description
        error = step.error.cause if step.error and step.error.cause else step.error
    else:
        error = data.error
    return error.message if error else event.message or "no cause is recorded"
