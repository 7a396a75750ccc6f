"""Accuracy as people read it: rows of the database's `accuracy_*` views, and tables of them.

What the numbers mean is said in the views. The clustered standard error comes from `intervals`,
because SQL has no quantiles for it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from locomo_assets.analysis.intervals import Cluster, clustered_mean
from locomo_assets.errors import LocomoError
from locomo_assets.history import database


class InvalidNumbersError(LocomoError):
    """Too many of a release's questions have no verdict for its accuracy to be believed."""

    exit_code = 3


@dataclass(frozen=True)
class Accuracy:
    """One line of accuracy: a series, for a release or one category of it.

    `accuracy_percent` is None where nothing was scored; `cost_usd` where a price is unknown.
    `imported`: measured elsewhere, and read from files. `gold`: the judge was given the data set's
    gold answers (`published`), or an audit's in place of the faulty ones (`corrected`).
    `error_percent` of the questions have no verdict (unscored, unanswered, not judged); `valid`
    says whether that is few enough for the accuracy to be taken for one.
    `low_percent` and `high_percent` are Wilson's, `clustered_…` of the standard error clustered by
    conversation, and None with less than two conversations, or all alike.
    """

    release: str
    system: str
    judge: str
    question_protocol: str
    dataset_sha256: str
    category: str
    vendor_category: str
    questions: int
    scored: int
    correct: int
    unscored: int
    unanswered: int
    not_judged: int
    error_percent: float
    valid: bool
    accuracy_percent: float | None
    low_percent: float | None
    high_percent: float | None
    latency_p50_ms: float | None
    latency_p95_ms: float | None
    tokens: int | None
    cost_usd: float | None
    imported: bool = False
    gold: str = "published"
    clustered_se_percent: float | None = None
    clustered_low_percent: float | None = None
    clustered_high_percent: float | None = None


_SQL = Path(__file__).with_name("accuracy.sql")


def by_release(
    database_path: Path, release: str | None, *, max_error_percent: float
) -> list[Accuracy]:
    """The series of one release (or of all), newest verdicts first.

    Above `max_error_percent` of questions without a verdict a row is not `valid`. The database
    holds the share, and whoever reads decides, so that another limit needs no other database.
    """
    return _read(database_path, release, overall=True, max_error_percent=max_error_percent)


def by_category(
    database_path: Path, release: str | None, *, max_error_percent: float
) -> list[Accuracy]:
    """The same, a row per category; not valid either where its series is not."""
    return _read(database_path, release, overall=False, max_error_percent=max_error_percent)


def _read(
    database_path: Path, release: str | None, *, overall: bool, max_error_percent: float
) -> list[Accuracy]:
    given = {"release": release, "overall": overall, "max_error_percent": max_error_percent}
    with database.open_read_only(database_path) as connection:
        rows = connection.execute(_SQL.read_text(), given).fetchall()
    return [Accuracy(*row, *_clustered(by_conversation)) for *row, by_conversation in rows]


def _clustered(by_conversation: Sequence[tuple[int, int]] | None) -> tuple[float | None, ...]:
    """Standard error and bounds, in percent, of each conversation's scored and correct."""
    found = clustered_mean([Cluster(*counts) for counts in by_conversation or ()])
    if found.standard_error is None or found.interval is None:
        return None, None, None
    return tuple(round(100 * value, 2) for value in (found.standard_error, *found.interval))


def invalid_line(row: Accuracy, max_error_percent: float) -> str:
    """What is wrong with a row that is not valid, and the way out."""
    return (
        f"release {row.release}: {row.error_percent:.2f} % of its questions have no verdict "
        f"({row.unanswered} unanswered, {row.unscored} unscored, {row.not_judged} not judged; "
        f"allowed are {max_error_percent:g} %, LOCOMO_MAX_ERROR_PERCENT), so its numbers are not "
        "valid; run it again with the same --release, which asks only what failed"
    )


HEADINGS = (
    "release",
    "category",
    "vendor's name",
    "questions",
    "correct",
    "scored",
    "accuracy %",
    "95 % interval",
    "clustered SE",
    "unscored",
    "unanswered",
    "not judged",
    "errors %",
    "p50 ms",
    "p95 ms",
    "cost USD",
    "system",
    "judge",
    "protocol",
)


def cells(row: Accuracy) -> tuple[str, ...]:
    """A row as text, in the order of `HEADINGS`."""
    return (
        row.release,
        row.category,
        row.vendor_category,
        str(row.questions),
        str(row.correct),
        str(row.scored),
        accuracy_text(row),
        f"{_fixed(row.low_percent, 1)} – {_fixed(row.high_percent, 1)}",
        _fixed(row.clustered_se_percent, 2),
        str(row.unscored),
        str(row.unanswered),
        str(row.not_judged),
        _fixed(row.error_percent, 2),
        _fixed(row.latency_p50_ms, 0),
        _fixed(row.latency_p95_ms, 0),
        _fixed(row.cost_usd, 4),
        row.system,
        row.judge,
        row.question_protocol,
    )


def accuracy_text(row: Accuracy) -> str:
    """Never a bare number where it is not valid, so that nobody takes it for one."""
    number = _fixed(row.accuracy_percent, 2)
    return number if row.valid else f"invalid ({number})"


def _fixed(value: float | None, digits: int) -> str:
    return "–" if value is None else f"{value:.{digits}f}"


def markdown_table(rows: Sequence[Accuracy]) -> str:
    """The rows as a Markdown table."""
    lines = ["| " + " | ".join(HEADINGS) + " |", "|" + " --- |" * len(HEADINGS)]
    for row in rows:
        safe = (cell.replace("|", "\\|") for cell in cells(row))
        lines.append("| " + " | ".join(safe) + " |")
    return "\n".join(lines)
