"""The metrics of the newest releases: their values from the database, their names and labels."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

import duckdb
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)

from locomo_assets.analysis.accuracy import Accuracy, by_category, by_release
from locomo_assets.analysis.workload import Workload, read_workload
from locomo_assets.backboard.protocols import is_reference, is_variant
from locomo_assets.history import database
from locomo_assets.prices import is_free

NEWEST_RELEASES = 20
"""How many releases are exported; older ones are in the history alone."""

SERIES_PER_RELEASE = 5
"""How many series of a release are exported, the newest judged first."""

BOUNDS_S: tuple[float, ...] = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 30, 60, 120)
"""Upper bounds of the buckets of both histograms, in seconds."""

_SQL = Path(__file__).with_name("sql")


class Times(NamedTuple):
    """How many answers or operations took at most `bound` seconds (None: all), and their sum.

    `label` is the question protocol of answers, the status of operations.
    """

    release: str
    system: str
    label: str
    bound: float | None
    within: int
    total_s: float


class Spending(NamedTuple):
    """What all runs of a release used of a service (`backboard`, `judge`, `answerer`)."""

    release: str
    system: str
    service: str
    input_tokens: int
    output_tokens: int
    cost_usd: float
    calls_of_unknown_cost: int


class Progress(NamedTuple):
    """How many conversations reached each stage; the Unix time of the last verdicts."""

    release: str
    system: str
    ingested: int
    answered: int
    judged: int
    last_success_s: float | None


@dataclass(frozen=True, slots=True)
class Numbers:
    """All values, of these releases (newest first)."""

    releases: tuple[str, ...]
    series: tuple[tuple[Accuracy, Workload], ...]
    categories: tuple[Accuracy, ...]
    answer_times: tuple[Times, ...]
    operation_times: tuple[Times, ...]
    spending: tuple[Spending, ...]
    progress: tuple[Progress, ...]


def read_numbers(database_path: Path, *, max_error_percent: float) -> Numbers:
    """Reads the database as it is now.

    Raises:
        HistoryError, duckdb.Error: it can't be read.
    """
    with database.open_read_only(database_path) as connection:
        found = connection.execute(_sql("releases"), {"newest": NEWEST_RELEASES}).fetchall()
        releases = [release for (release,) in found]
        times = {
            name: tuple(Times(*row) for row in _rows(connection, name, releases, BOUNDS_S))
            for name in ("answer_times", "operation_times")
        }
        spending = tuple(Spending(*row) for row in _rows(connection, "spending", releases))
        progress = tuple(Progress(*row) for row in _rows(connection, "progress", releases))
    series = _newest(by_release(database_path, None, max_error_percent=max_error_percent), releases)
    exported = {(row.release, row.series) for row in series}
    categories = by_category(database_path, None, max_error_percent=max_error_percent)
    return Numbers(
        releases=tuple(releases),
        series=tuple((row, read_workload(database_path, row)) for row in series),
        categories=tuple(row for row in categories if (row.release, row.series) in exported),
        answer_times=times["answer_times"],
        operation_times=times["operation_times"],
        spending=spending,
        progress=progress,
    )


def _sql(name: str) -> str:
    return (_SQL / f"{name}.sql").read_text(encoding="utf-8")


def _rows(
    connection: duckdb.DuckDBPyConnection,
    name: str,
    releases: Sequence[str],
    bounds: Sequence[float] = (),
) -> list[tuple[Any, ...]]:
    parameters: dict[str, object] = {"releases": list(releases)}
    if bounds:
        parameters["bounds"] = [*bounds, None]
    return connection.execute(_sql(name), parameters).fetchall()


def _newest(rows: Sequence[Accuracy], releases: Sequence[str]) -> list[Accuracy]:
    """The first series of each release, which are the newest judged, in the releases' order."""
    return [
        row
        for release in releases
        for row in [row for row in rows if row.release == release and not row.imported][
            :SERIES_PER_RELEASE
        ]
    ]


SERIES = ("release", "system", "judge", "question_protocol", "dataset")


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits of the asset checks, which alert rules compare with."""

    min_accuracy_percent: float
    max_api_error_percent: float
    max_run_minutes: float
    max_error_percent: float


def up(value: bool) -> Metric:
    """Whether the history could be read."""
    return GaugeMetricFamily(
        "benchmark_history_up", "1 where the history could be read; else all else is absent", value
    )


def families(numbers: Numbers, limits: Limits) -> list[Metric]:
    """All metrics except `up`."""
    return [
        *_accuracy(numbers),
        *_questions(numbers.categories),
        *_workload(numbers),
        *_times(numbers),
        *_spending(numbers),
        *_progress(numbers),
        *_limits(limits),
    ]


def _accuracy(numbers: Numbers) -> Iterator[Metric]:
    overall = GaugeMetricFamily(
        "benchmark_accuracy_percent",
        "Correct of the scored questions of categories 1-4, where the numbers are valid",
        labels=SERIES,
    )
    low = GaugeMetricFamily(
        "benchmark_accuracy_low_percent",
        "Lower end of its 95 % Wilson interval, which takes questions as independent",
        labels=SERIES,
    )
    high = GaugeMetricFamily(
        "benchmark_accuracy_high_percent",
        "Upper end of its 95 % Wilson interval, which takes questions as independent",
        labels=SERIES,
    )
    clustered_low = GaugeMetricFamily(
        "benchmark_accuracy_clustered_low_percent",
        "Lower end of its 95 % interval, clustered by conversation",
        labels=SERIES,
    )
    clustered_high = GaugeMetricFamily(
        "benchmark_accuracy_clustered_high_percent",
        "Upper end of its 95 % interval, clustered by conversation",
        labels=SERIES,
    )
    least = GaugeMetricFamily(
        "benchmark_accuracy_if_missing_wrong_percent",
        "The accuracy if every question without a verdict were wrong",
        labels=SERIES,
    )
    most = GaugeMetricFamily(
        "benchmark_accuracy_if_missing_right_percent",
        "The accuracy if every question without a verdict were right",
        labels=SERIES,
    )
    question_set = GaugeMetricFamily(
        "benchmark_question_set_questions",
        "Questions asked of categories 1-4; releases of one question_set can be compared",
        labels=(*SERIES, "question_set", "conversations"),
    )
    by_category = GaugeMetricFamily(
        "benchmark_category_accuracy_percent",
        "The same of a category, where the numbers are valid",
        labels=(*SERIES, "category"),
    )
    errors = GaugeMetricFamily(
        "benchmark_questions_without_verdict_percent",
        "Questions of categories 1-4 that are unscored, unanswered or not judged",
        labels=SERIES,
    )
    valid = GaugeMetricFamily(
        "benchmark_numbers_valid",
        "0 where more questions are without a verdict than LOCOMO_MAX_ERROR_PERCENT allows",
        labels=SERIES,
    )
    limited = GaugeMetricFamily(
        "benchmark_accuracy_is_held_to_limit",
        "1 where a service was measured with its memory, and a model judged; 0 for a variant "
        "beside the published configuration",
        labels=SERIES,
    )
    as_published = {
        (row.release, row.system, row.dataset_sha256)
        for row, _ in numbers.series
        if not is_variant(row.question_protocol) and not is_reference(row.question_protocol)
    }
    for row, workload in numbers.series:
        beside = (row.release, row.system, row.dataset_sha256) in as_published
        aside = is_reference(row.question_protocol) or (
            beside and is_variant(row.question_protocol)
        )
        free = is_free(row.system) or is_free(workload.judge_system)
        limited.add_metric(_series(row), not free and not aside)
        errors.add_metric(_series(row), row.error_percent)
        valid.add_metric(_series(row), row.valid)
        question_set.add_metric(
            (*_series(row), row.question_set, str(row.conversations)), row.questions
        )
        shown = (
            (overall, row.accuracy_percent),
            (low, row.low_percent),
            (high, row.high_percent),
            (clustered_low, row.clustered_low_percent),
            (clustered_high, row.clustered_high_percent),
            (least, row.if_missing_wrong_percent),
            (most, row.if_missing_right_percent),
        )
        for family, value in shown:
            if row.valid and value is not None:
                family.add_metric(_series(row), value)
    for row in numbers.categories:
        if row.valid and row.accuracy_percent is not None:
            by_category.add_metric((*_series(row), _category(row)), row.accuracy_percent)
    yield from (overall, low, high, clustered_low, clustered_high, least, most, question_set)
    yield from (limited, by_category, errors, valid)


def _questions(rows: Sequence[Accuracy]) -> Iterator[Metric]:
    labels = (*SERIES, "category")
    asked = CounterMetricFamily("benchmark_questions", "Questions asked", labels=labels)
    correct = GaugeMetricFamily(
        "benchmark_questions_correct", "Questions judged correct", labels=labels
    )
    without = GaugeMetricFamily(
        "benchmark_questions_without_verdict",
        "Questions without a verdict, by reason",
        labels=(*labels, "reason"),
    )
    for row in rows:
        where = (*_series(row), _category(row))
        asked.add_metric(where, row.questions)
        correct.add_metric(where, row.correct)
        for reason in ("unscored", "unanswered", "not_judged"):
            without.add_metric((*where, reason), getattr(row, reason))
    yield from (asked, correct, without)


def _workload(numbers: Numbers) -> Iterator[Metric]:
    requests = CounterMetricFamily(
        "benchmark_api_requests", "Requests behind the numbers, repeats aside", labels=SERIES
    )
    errors = CounterMetricFamily(
        "benchmark_api_errors",
        "Of these requests, those that failed for good",
        labels=SERIES,
    )
    repeats = CounterMetricFamily(
        "benchmark_api_repeats", "Tries that followed a failed one", labels=SERIES
    )
    duration = GaugeMetricFamily(
        "benchmark_run_duration_seconds",
        "Time at work on the release, without pauses between runs",
        labels=SERIES,
    )
    for row, workload in numbers.series:
        requests.add_metric(_series(row), workload.requests)
        errors.add_metric(_series(row), workload.requests_failed)
        repeats.add_metric(_series(row), workload.repeats)
        duration.add_metric(_series(row), 60 * workload.minutes)
    yield from (requests, errors, repeats, duration)


def _times(numbers: Numbers) -> Iterator[Metric]:
    answers = HistogramMetricFamily(
        "benchmark_response_time_seconds",
        "From a question's request to the end of its answer, without waiting for own limits",
        labels=("release", "system", "question_protocol"),
    )
    _fill(answers, numbers.answer_times)
    operations = HistogramMetricFamily(
        "benchmark_memory_operations_duration_seconds",
        "From a turn's answer to the end of its memory operation, by how it ended",
        labels=("release", "system", "status"),
    )
    _fill(operations, numbers.operation_times)
    yield from (answers, operations)


def _fill(family: HistogramMetricFamily, times: Sequence[Times]) -> None:
    for labels, rows in groupby(times, key=lambda one: (one.release, one.system, one.label)):
        ordered = sorted(rows, key=lambda one: math.inf if one.bound is None else one.bound)
        buckets = [("+Inf" if one.bound is None else str(one.bound), one.within) for one in ordered]
        family.add_metric(labels, buckets, ordered[-1].total_s)


def _spending(numbers: Numbers) -> Iterator[Metric]:
    labels = ("release", "system", "service")
    cost = GaugeMetricFamily(
        "benchmark_cost_usd", "Cost of all runs of the release, where it is known", labels=labels
    )
    unknown = GaugeMetricFamily(
        "benchmark_calls_of_unknown_cost", "Calls that this cost leaves out", labels=labels
    )
    tokens = CounterMetricFamily(
        "benchmark_tokens", "Tokens of all runs of the release", labels=(*labels, "direction")
    )
    for row in numbers.spending:
        where = (row.release, row.system, row.service)
        cost.add_metric(where, row.cost_usd)
        unknown.add_metric(where, row.calls_of_unknown_cost)
        tokens.add_metric((*where, "input"), row.input_tokens)
        tokens.add_metric((*where, "output"), row.output_tokens)
    yield from (cost, unknown, tokens)


def _progress(numbers: Numbers) -> Iterator[Metric]:
    newest = GaugeMetricFamily(
        "benchmark_newest_release",
        "1 for the newest release, 0 for the others",
        labels=("release",),
    )
    for position, release in enumerate(numbers.releases):
        newest.add_metric((release,), position == 0)
    conversations = GaugeMetricFamily(
        "benchmark_conversations",
        "Conversations that are stored as ingested, answered, judged",
        labels=("release", "system", "stage"),
    )
    success = GaugeMetricFamily(
        "benchmark_last_success_timestamp_seconds",
        "When verdicts of the release were stored last",
        labels=("release", "system"),
    )
    for row in numbers.progress:
        where = (row.release, row.system)
        for stage in ("ingested", "answered", "judged"):
            conversations.add_metric((*where, stage), getattr(row, stage))
        if row.last_success_s is not None:
            success.add_metric(where, row.last_success_s)
    yield from (newest, conversations, success)


def _limits(limits: Limits) -> Iterator[Metric]:
    for name, text, value in (
        ("accuracy_limit_percent", "LOCOMO_MIN_ACCURACY_PERCENT", limits.min_accuracy_percent),
        ("api_error_limit_percent", "The check api_errors' limit", limits.max_api_error_percent),
        ("run_duration_limit_seconds", "LOCOMO_MAX_RUN_MINUTES", 60 * limits.max_run_minutes),
        ("error_limit_percent", "LOCOMO_MAX_ERROR_PERCENT", limits.max_error_percent),
    ):
        yield GaugeMetricFamily(f"benchmark_{name}", text, value)


def _series(row: Accuracy) -> tuple[str, ...]:
    return row.release, row.system, row.judge, row.question_protocol, row.dataset_sha256[:12]


def _category(row: Accuracy) -> str:
    return row.category.partition(" ")[2]
