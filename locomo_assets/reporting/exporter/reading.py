"""What the metrics are made of, read from the lens: numbers of the newest releases, no texts.

Here: reading. Names and labels are `metrics`'.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import duckdb

from locomo_assets.history import lens
from locomo_assets.reporting.accuracy import Accuracy, by_category, by_release
from locomo_assets.reporting.effort import Effort, effort_of

NEWEST_RELEASES = 20
"""How many releases have series of their own; older ones are in the history."""

SERIES_OF_A_RELEASE = 5
"""Of a release judged by more judges, on more data sets: the newest."""

BOUNDS_S: tuple[float, ...] = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 30, 60, 120)
"""Upper bounds of the buckets of both histograms, in seconds."""

_SQL = Path(__file__).with_name("sql")


class Times(NamedTuple):
    """Of a release's answers or operations (`what`: question protocol, status), how many took at
    most `bound` seconds (None: any), and how long all took together.
    """

    release: str
    system: str
    what: str
    bound: float | None
    within: int
    total_s: float


class Spending(NamedTuple):
    """What a release took of a service (`backboard`, `judge`), all runs together."""

    release: str
    system: str
    service: str
    input_tokens: int
    output_tokens: int
    cost_usd: float
    calls_of_unknown_cost: int


class Progress(NamedTuple):
    """Conversations of a release that came so far; Unix time of the last verdicts."""

    release: str
    system: str
    ingested: int
    answered: int
    judged: int
    last_success_s: float | None


@dataclass(frozen=True, slots=True)
class Numbers:
    """Everything, of the releases named (newest first)."""

    releases: tuple[str, ...]
    series: tuple[tuple[Accuracy, Effort], ...]
    categories: tuple[Accuracy, ...]
    answer_times: tuple[Times, ...]
    operation_times: tuple[Times, ...]
    spending: tuple[Spending, ...]
    progress: tuple[Progress, ...]


def read_numbers(lens_path: Path, *, max_error_percent: float) -> Numbers:
    """From the lens as it is now. Raises `HistoryError` or `duckdb.Error` where it can't be."""
    with lens.open_read_only(lens_path) as connection:
        found = connection.execute(_sql("releases"), {"newest": NEWEST_RELEASES}).fetchall()
        releases = [release for (release,) in found]
        times = {
            name: tuple(Times(*row) for row in _rows(connection, name, releases, BOUNDS_S))
            for name in ("answer_times", "operation_times")
        }
        spending = tuple(Spending(*row) for row in _rows(connection, "spending", releases))
        progress = tuple(Progress(*row) for row in _rows(connection, "progress", releases))
    series = _bounded(by_release(lens_path, None, max_error_percent=max_error_percent), releases)
    kept = {_identity(row) for row in series}
    by_its_category = by_category(lens_path, None, max_error_percent=max_error_percent)
    return Numbers(
        releases=tuple(releases),
        series=tuple((row, effort_of(lens_path, row)) for row in series),
        categories=tuple(row for row in by_its_category if _identity(row) in kept),
        answer_times=times["answer_times"],
        operation_times=times["operation_times"],
        spending=spending,
        progress=progress,
    )


def _sql(name: str) -> str:
    return (_SQL / f"{name}.sql").read_text()


def _rows(
    connection: duckdb.DuckDBPyConnection,
    name: str,
    releases: Sequence[str],
    bounds: Sequence[float] = (),
) -> list[tuple[Any, ...]]:
    given: dict[str, object] = {"releases": list(releases)}
    if bounds:
        given["bounds"] = [*bounds, None]
    return connection.execute(_sql(name), given).fetchall()


def _identity(row: Accuracy) -> tuple[str, ...]:
    return row.release, row.system, row.judge, row.question_protocol, row.dataset_sha256


def _bounded(rows: Sequence[Accuracy], releases: Sequence[str]) -> list[Accuracy]:
    """Those of the releases, in their order; of each the first, which are the newest judged."""
    return [
        row
        for release in releases
        for row in [row for row in rows if row.release == release and not row.imported][
            :SERIES_OF_A_RELEASE
        ]
    ]
