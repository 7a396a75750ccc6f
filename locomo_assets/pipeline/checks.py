"""Findings as Dagster asset checks: their specs, and their form in the UI.

Every check is evaluated in the step that makes its asset, so that none reads later what has
changed since. To add one: a spec in the asset's tuple, and a finding of that name in the asset.
"""

import warnings
from collections.abc import Mapping
from typing import Any

import dagster as dg

from locomo_assets.analysis.checks import (
    CheckSeverity,
    Finding,
    answers_complete,
    ingestion_complete,
    not_reached,
)
from locomo_assets.pipeline.partitions import grid, releases
from locomo_assets.pipeline.unexported import AssetCheckEvaluationTargetMaterializationData
from locomo_assets.runs.stages import AnswersReport, IngestionReport, StageReport


def _spec(
    name: str,
    asset: str,
    description: str,
    partitions_def: dg.PartitionsDefinition[Any] | None = None,
    *,
    blocking: bool = False,
) -> dg.AssetCheckSpec:
    with warnings.catch_warnings():
        # Checks by partition are a preview in Dagster 1.13; the version is pinned.
        warnings.simplefilter("ignore", category=dg.PreviewWarning)
        return dg.AssetCheckSpec(
            name,
            asset=asset,
            description=description,
            partitions_def=partitions_def,
            blocking=blocking,
        )


DATASET = (
    _spec(
        "counts_by_category",
        "locomo_dataset",
        "The known file has its known number of questions in each category; of another file the "
        "numbers are only told. Blocking: nothing is stored, so nothing can be measured.",
        blocking=True,
    ),
    _spec(
        "schema",
        "locomo_dataset",
        "Rows have the columns and types of the history; each conversation has turns, questions "
        "and evidence within it. Blocking, likewise.",
        blocking=True,
    ),
)
CONVERSATION = (
    _spec(
        "ingestion_complete",
        "ingested_memories",
        "The service itself counts as many messages as there are turns, in their order, and every "
        "memory operation ended (completed, failed or timed out); there is at least one. "
        "Blocking: of a conversation that fails, no question is asked.",
        grid,
        blocking=True,
    ),
    _spec(
        "answers_complete",
        "answers",
        "Every question asked for has its answer. Unanswered ones are a warning here and count "
        "against the release's error budget; the next run asks them again.",
        grid,
    ),
)
RELEASE = (
    _spec(
        "error_budget",
        "accuracy_metrics",
        "Few enough questions are without a verdict (LOCOMO_MAX_ERROR_PERCENT). Above it the "
        "release's numbers are marked invalid everywhere.",
        releases,
    ),
    _spec(
        "api_errors",
        "accuracy_metrics",
        "At most 5 % of the requests behind the numbers failed for good. A repeat that went well "
        "is no such failure; repeats are counted beside. A warning.",
        releases,
    ),
    _spec(
        "distinct_answers",
        "accuracy_metrics",
        "No answer, unless it declines, stands for more than 3 questions or 2 % of them: an error "
        "of the service may have come as text. A warning.",
        releases,
    ),
    _spec(
        "accuracy",
        "accuracy_metrics",
        "Accuracy is at least LOCOMO_MIN_ACCURACY_PERCENT. The stand-in and the rule-based judge "
        "are not held to it. A warning.",
        releases,
    ),
    _spec(
        "judge_canaries",
        "accuracy_metrics",
        "Of the answers that are known, the judge accepts most of the right ones and few of the "
        "specific wrong ones. A warning: the judge, not the memory service, is in question.",
        releases,
    ),
    _spec(
        "within_ceiling",
        "accuracy_metrics",
        "Neither the whole nor a category is above the ceiling that faulty gold answers leave; "
        "without an audit it passes. A warning: the judge does not keep to the gold answers.",
        releases,
    ),
    _spec(
        "not_below_previous",
        "accuracy_metrics",
        "Not worse than the release before it by LOCOMO_MARGIN_POINTS (`locomo-assets compare`). "
        "Fails where it is worse; a warning where it could not be told.",
        releases,
    ),
    _spec(
        "release_is_what_was_measured",
        "accuracy_metrics",
        "The release feed named this release before and after each conversation's work. Labels of "
        "one's own are exempt; without a feed it is unknown, which passes.",
        releases,
    ),
    _spec(
        "run_time",
        "accuracy_metrics",
        "The work on the release, without pauses between runs, took at most "
        "LOCOMO_MAX_RUN_MINUTES. A warning.",
        releases,
    ),
)
TRENDS = (
    _spec(
        "no_drift",
        "accuracy_trends",
        "Accuracy has not gone down over the releases since the pinned baseline, or of the last "
        "20: by its slope, a CUSUM, the best release so far and the pinned one, with 5 % false "
        "alarms a year in all. A warning.",
    ),
)


def result(name: str, finding: Finding) -> dg.AssetCheckResult:
    """For a step of one partition or none, to be handed over with the asset."""
    return dg.AssetCheckResult(
        check_name=name,
        passed=finding.passed,
        severity=_severity(finding),
        description=_description(finding),
        metadata=_metadata(finding),
    )


def log(
    context: dg.AssetExecutionContext,
    name: str,
    asset: str,
    finding: Finding,
    partition: str | None = None,
) -> None:
    """For a step of many partitions, or one that is about to fail: into the event log at once."""
    key = dg.AssetKey(asset)
    if dg.AssetCheckKey(key, name) not in context.selected_asset_check_keys:
        return
    evaluation = dg.AssetCheckEvaluation(
        asset_key=key,
        check_name=name,
        passed=finding.passed,
        severity=_severity(finding),
        description=_description(finding),
        metadata=_metadata(finding),
        blocking=any(spec.blocking for spec in (*DATASET, *CONVERSATION) if spec.name == name),
        partition=partition,
        target_materialization_data=_target(context.instance, key, partition),
    )
    context.log_event(evaluation)


def _target(
    instance: dg.DagsterInstance, asset: dg.AssetKey, partition: str | None
) -> AssetCheckEvaluationTargetMaterializationData | None:
    """The newest materialization: without it a partition's check counts as never made."""
    if partition is None:
        return None
    wanted = dg.AssetRecordsFilter(asset_key=asset, asset_partitions=[partition])
    for record in instance.fetch_materializations(wanted, limit=1).records:
        return AssetCheckEvaluationTargetMaterializationData(
            storage_id=record.storage_id,
            run_id=record.event_log_entry.run_id,
            timestamp=record.timestamp,
        )
    return None


def log_stage(
    context: dg.AssetExecutionContext, asset: str, partition: str, outcome: StageReport | Exception
) -> None:
    """The check of one conversation's stage: by its report, or failed with its error."""
    if asset not in _STAGES:
        return
    name, expected = _STAGES[asset]
    match outcome:
        case IngestionReport():
            finding = ingestion_complete(outcome.counts)
        case AnswersReport():
            finding = answers_complete(outcome)
        case Exception():
            finding = not_reached(expected, outcome)
        case _:
            raise TypeError(f"{asset}: no check looks at a {type(outcome).__name__}")
    log(context, name, asset, finding, partition)


_STAGES = {
    "ingested_memories": ("ingestion_complete", "every turn at the service, once and in order"),
    "answers": ("answers_complete", "every question answered"),
}
"""Asset → the name of its check, and what it expects."""


def _severity(finding: Finding) -> dg.AssetCheckSeverity:
    if finding.severity is CheckSeverity.ERROR:
        return dg.AssetCheckSeverity.ERROR
    return dg.AssetCheckSeverity.WARN


def _description(finding: Finding) -> str:
    return f"expected {finding.expected}; found {finding.actual}"


def _metadata(finding: Finding) -> Mapping[str, Any]:
    return {"expected": finding.expected, "actual": finding.actual, **finding.numbers}
