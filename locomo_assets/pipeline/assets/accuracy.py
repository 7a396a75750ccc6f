"""The assets `accuracy_metrics` and `accuracy_trends`: numbers and pictures out of the database."""

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import dagster as dg

from locomo_assets.analysis import checks as quality
from locomo_assets.analysis.accuracy import Accuracy, by_release, of_series
from locomo_assets.analysis.agreement import canary_numbers
from locomo_assets.analysis.checks import (
    judge_canaries,
    no_drift,
    not_below_previous,
    release_is_what_was_measured,
)
from locomo_assets.analysis.gold_faults import gold_fault_numbers, gold_faults_of, within_ceiling
from locomo_assets.analysis.judge_error import judge_error_numbers
from locomo_assets.analysis.repeated_answers import read_repeated_answer
from locomo_assets.analysis.scores import score_numbers
from locomo_assets.analysis.workload import read_workload
from locomo_assets.backboard.protocols import is_reference, is_variant
from locomo_assets.errors import LocomoError
from locomo_assets.file_urls import path_of
from locomo_assets.history import database
from locomo_assets.history.provenance import path_label
from locomo_assets.labels import BadLabelError, check_label
from locomo_assets.pipeline import checks
from locomo_assets.pipeline.column_metadata import rows_sql
from locomo_assets.pipeline.partitions import RELEASE, RELEASE_TAG, last_judged_series, releases
from locomo_assets.reporting.summary import summary_lines, summary_markdown
from locomo_assets.reporting.tables import accuracy_records, interval_notes, interval_text
from locomo_assets.services import Services

if TYPE_CHECKING:
    from locomo_assets.reporting.report_data import ReportData

SUMMARY_LINES = "summary_lines"
"""The summary as plain text, which alerts end with."""

with warnings.catch_warnings():
    # Mapping a release to its conversations is beta in Dagster 1.13; the version is pinned.
    warnings.simplefilter("ignore", category=dg.BetaWarning)
    _OF_RELEASE = dg.MultiToSingleDimensionPartitionMapping(RELEASE)


@contextmanager
def _fresh_database(services: Services) -> Iterator[str | None]:
    """The up-to-date database, read in one state; the SHA-256 of the settings' audit in it."""
    path = services.settings.database_path
    try:
        audit_sha256 = services.keep_audit()
        database.refresh(services.store(), path, recent_only=True)
    except (LocomoError, OSError) as error:
        raise dg.Failure(str(error), allow_retries=False) from error
    with database.one_state(path):
        yield audit_sha256


_ACCURACY = "accuracy_percent"


def _numbers(row: Accuracy) -> dict[str, float]:
    # The UI plots it over the releases, so what is not valid or not alike goes by another name.
    name = _ACCURACY if row.gold == "published" else "accuracy_corrected_gold_percent"
    numbers: dict[str, float | None] = {
        # Its sign puts it before every letter, and so its plot before all others.
        **({"% accuracy": row.accuracy_percent} if name == _ACCURACY and row.valid else {}),
        name if row.valid else f"{name}_not_valid": row.accuracy_percent,
        "accuracy_clustered_low_percent": row.clustered_low_percent,
        "accuracy_clustered_high_percent": row.clustered_high_percent,
        "accuracy_clustered_se_percent": row.clustered_se_percent,
        "accuracy_low_percent": row.low_percent,
        "accuracy_high_percent": row.high_percent,
        "accuracy_if_missing_wrong_percent": row.if_missing_wrong_percent,
        "accuracy_if_missing_right_percent": row.if_missing_right_percent,
        "conversations": row.conversations,
        "questions": row.questions,
        "scored": row.scored,
        "correct": row.correct,
        "unscored": row.unscored,
        "unanswered": row.unanswered,
        "not_judged": row.not_judged,
        "error_percent": row.error_percent,
        "latency_p50_ms": row.latency_p50_ms,
        "latency_p95_ms": row.latency_p95_ms,
        "tokens": row.tokens,
        "cost_usd": row.cost_usd,
    }
    return {name: value for name, value in numbers.items() if value is not None}


@dg.asset(
    partitions_def=releases,
    check_specs=checks.RELEASE,
    group_name="results",
    kinds={"duckdb"},
    owners=["team:evaluation"],
    deps=[
        dg.AssetDep(
            "judgements",
            partition_mapping=_OF_RELEASE,
        )
    ],
    automation_condition=dg.AutomationCondition.eager(),
    description="A release's accuracy: over the scored questions, by category, with its interval, "
    "clustered by conversation. Made by itself once all conversations of a release are judged. "
    "Costs nothing.",
)
def accuracy_metrics(
    context: dg.AssetExecutionContext, services: dg.ResourceParam[Services]
) -> dg.MaterializeResult:  # type: ignore[type-arg]  # with checks Dagster 1.13 reads it bare
    """The series judged last as numbers (the UI plots them), all of the release as a table."""
    release = context.partition_key
    context.instance.add_run_tags(context.run.run_id, {RELEASE_TAG: release})
    with _fresh_database(services) as audit_sha256:
        judged = last_judged_series(context.instance, release)
        return _release_result(services, release, judged, audit_sha256)


def _release_result(
    services: Services, release: str, judged_last: tuple[str, ...] | None, audit_sha256: str | None
) -> dg.MaterializeResult[None]:
    path, limit = services.settings.database_path, services.settings.max_error_percent
    rows = by_release(path, release, max_error_percent=limit)
    if not rows:
        _refuse_bad(release)
        raise dg.Failure(
            f"release {release}: no verdicts in the history; materialize its judgements first",
            allow_retries=False,
        )
    judged = of_series(rows, judged_last)
    # Floor and ceiling are shown beside the memory's series, never plotted in its place.
    # Nor is a ladder's variant, beside the series that these settings measure.
    own = services.ask_protocol().label()
    is_beside = is_variant(judged.question_protocol) and judged.question_protocol != own
    row = rows[0] if is_reference(judged.question_protocol) or is_beside else judged
    data, report = stored_page(services, row, audit_sha256)
    # The UI keeps this order in its table, and sorts its plots by their names.
    return dg.MaterializeResult(
        metadata={
            "summary": dg.MetadataValue.md(summary_markdown(data)),
            "report": report,
            "by_category": _table(data.categories, _CATEGORY_COLUMNS),
            "series": _table(rows, _SERIES_COLUMNS),
            "valid": row.valid,
            "interval": " ".join((interval_text(row), *interval_notes([row]))),
            **_numbers(row),
            **score_numbers(path, row),
            **canary_numbers(path, row.release, row.system, row.judge),
            **judge_error_numbers(path, row),
            **gold_fault_numbers(path, row, audit_sha256),
            "gold": row.gold,
            "question_set": row.question_set,
            "system": row.system,
            "judge": row.judge,
            "question_protocol": row.question_protocol,
            "dataset_sha256": row.dataset_sha256,
            "history": dg.MetadataValue.path(str(path)),
            "rows": rows_sql("accuracy_by_category", {"release": release}),
            SUMMARY_LINES: "\n".join(summary_lines(data)),
        },
        check_results=_release_checks(services, row, data, audit_sha256),
    )


def _refuse_bad(release: str) -> None:
    """Of what has no results: a label that can have none is named as the cause."""
    try:
        check_label(release)
    except BadLabelError as error:
        raise dg.Failure(f"{error}; delete its partition", allow_retries=False) from error


_CATEGORY_COLUMNS = ("category", "accuracy %", "95 % interval", "correct", "scored", "questions",
                     "vendor's name")  # fmt: skip
_TREND_COLUMNS = ("release", "accuracy %", "95 % interval", "correct", "scored", "questions",
                  "protocol", "judge", "system")  # fmt: skip
_SERIES_COLUMNS = ("protocol", "accuracy %", "95 % interval", "judge", "system", "correct",
                   "scored", "questions")  # fmt: skip


def _table(rows: Sequence[Accuracy], columns: Sequence[str]) -> dg.TableMetadataValue:
    """These columns of the rows as a table, which the UI shows at once."""
    return dg.MetadataValue.table(
        records=[dg.TableRecord(one) for one in accuracy_records(rows, columns)],
        schema=dg.TableSchema([dg.TableColumn(name) for name in columns]),
    )


def stored_page(
    services: Services, row: Accuracy, audit_sha256: str | None
) -> "tuple[ReportData, dg.PathMetadataValue]":
    """Writes the series' page into the history's storage; its data, and where it is."""
    from locomo_assets.reporting.html import write_page

    settings, storage = services.settings, services.store().storage
    name = f"{database.REPORTS}/{path_label(row.release)}.html"
    try:
        with TemporaryDirectory() as folder:
            page_path = Path(folder, "report.html")
            data = write_page(
                settings.database_path,
                page_path,
                row.release,
                series_key=row.series,
                max_error_percent=settings.max_error_percent,
                margin_points=settings.margin_points,
                audit_sha256=audit_sha256,
            )
            storage.put(name, page_path.read_bytes())
    except (LocomoError, OSError) as error:
        raise dg.Failure(str(error), allow_retries=False) from error
    root = path_of(storage.url) or storage.url
    # No link: a browser follows none from the UI to a file, nor to an object store.
    return data, dg.MetadataValue.path(f"{root}/{name}")


def _release_checks(
    services: Services, row: Accuracy, data: "ReportData", audit_sha256: str | None
) -> list[dg.AssetCheckResult]:
    """The checks of `checks.RELEASE`, on the series that the metadata shows."""
    settings = services.settings
    workload = read_workload(settings.database_path, row)
    found = {
        "error_budget": quality.error_budget(row, settings.max_error_percent),
        "api_errors": quality.api_errors(workload),
        "distinct_answers": quality.distinct_answers(
            read_repeated_answer(settings.database_path, row)
        ),
        "accuracy": quality.accuracy(row, workload.judge_system, settings.min_accuracy_percent),
        "judge_canaries": judge_canaries(
            canary_numbers(settings.database_path, row.release, row.system, row.judge)
        ),
        "within_ceiling": within_ceiling(gold_faults_of(settings.database_path, row, audit_sha256)),
        "not_below_previous": not_below_previous(data.previous, data.against_previous),
        "release_is_what_was_measured": release_is_what_was_measured(
            settings.database_path, row.release
        ),
        "run_time": quality.run_time(workload, settings.max_run_minutes),
    }
    return [checks.result(name, finding) for name, finding in found.items()]


@dg.asset(
    check_specs=checks.TRENDS,
    group_name="results",
    kinds={"duckdb"},
    owners=["team:evaluation"],
    deps=[accuracy_metrics],
    automation_condition=dg.AutomationCondition.eager().without(
        ~dg.AutomationCondition.any_deps_missing()
    ),
    description="Accuracy over the releases, each series (system, question protocol, judge, data "
    "set, set of questions) by itself. Costs nothing.",
)
def accuracy_trends(
    services: dg.ResourceParam[Services],
) -> dg.MaterializeResult:  # type: ignore[type-arg]  # with checks Dagster 1.13 reads it bare
    """All releases as a table and a chart."""
    from locomo_assets.reporting import charts
    from locomo_assets.reporting.report_data import newest_trends

    path, limit = services.settings.database_path, services.settings.max_error_percent
    with _fresh_database(services):
        rows = by_release(path, None, max_error_percent=limit)
        newest = newest_trends(path, max_error_percent=limit)
    drift = None if newest is None else newest.drift
    trend = charts.trend(rows[::-1])
    pictures = {} if newest is None else charts.series_charts(newest)
    return dg.MaterializeResult(
        metadata={
            "releases": len({row.release for row in rows}),
            "releases_not_valid": len({row.release for row in rows if not row.valid}),
            "trend": dg.MetadataValue.md(charts.png(trend, "accuracy over releases")),
            **{name: dg.MetadataValue.md(chart) for name, chart in pictures.items()},
            "table": _table(rows, _TREND_COLUMNS),
            "dagster/row_count": len(rows),
        },
        check_results=[checks.result("no_drift", no_drift(drift))],
    )
