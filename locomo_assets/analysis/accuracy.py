"""Accuracy by release and by category, read from the `accuracy_…` views, and the daily samples."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Protocol, TypeVar

from locomo_assets.analysis.intervals import Cluster, clustered_mean
from locomo_assets.errors import LocomoError
from locomo_assets.history import database

_FOLDER = Path(__file__).parent


class InvalidNumbersError(LocomoError):
    """Too many of a release's questions have no verdict, so its accuracy means nothing."""

    exit_code = 3


def interval_percent(
    by_conversation: Sequence[tuple[int, int]], low: float | None, high: float | None
) -> tuple[float, float] | None:
    """The interval to show, from (scored, correct) of each conversation: clustered, or Wilson's
    `low` and `high` where there is one conversation only.
    """
    if len(by_conversation) == 1 and low is not None and high is not None:
        return low, high
    found = clustered_mean([Cluster(*counts) for counts in by_conversation]).interval
    return found and (100 * found.low, 100 * found.high)


class HasBounds(Protocol):
    """A row with an accuracy of questions, some of which may have no verdict."""

    @property
    def questions(self) -> int: ...

    @property
    def scored(self) -> int: ...

    @property
    def if_missing_wrong_percent(self) -> float | None: ...

    @property
    def if_missing_right_percent(self) -> float | None: ...


def bounds_percent(row: HasBounds) -> tuple[float, float] | None:
    """The accuracy if all questions without a verdict were wrong, and if all were right."""
    low, high = row.if_missing_wrong_percent, row.if_missing_right_percent
    if row.scored == row.questions or low is None or high is None:
        return None
    return low, high


@dataclass(frozen=True)
class Accuracy:
    """The accuracy of one series in a release, overall or in one category.

    `accuracy_percent` is None where nothing was scored, `cost_usd` where a price is unknown.
    `error_percent` of the questions have no verdict (unscored, unanswered, not judged); `valid`
    says whether that is few enough. `low_percent` and `high_percent` are Wilson's; `clustered_…`
    are clustered by conversation, and None with a single one or where no spread is seen;
    `interval_percent` is the one to show. `if_missing_…` bound the accuracy: if all questions
    without a verdict were wrong, or right. `question_set` names the `questions` asked.
    `imported`: measured elsewhere and read from files. `gold`: the judge was given the data set's
    gold answers (`published`), or an audit's in place of the faulty ones (`corrected`).
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
    question_set: str = ""
    conversations: int = 1
    clustered_se_percent: float | None = None
    clustered_low_percent: float | None = None
    clustered_high_percent: float | None = None
    if_missing_wrong_percent: float | None = None
    if_missing_right_percent: float | None = None

    @property
    def series(self) -> tuple[str, str, str, str]:
        """What tells the rows of one release apart: system, question protocol, judge, data set."""
        return self.system, self.question_protocol, self.judge, self.dataset_sha256

    @property
    def bounds_percent(self) -> tuple[float, float] | None:
        """Its least and its most, whatever the missing verdicts were; None if none is missing."""
        return bounds_percent(self)

    @property
    def trend_key(self) -> tuple[str, ...]:
        """What can be followed over releases: the series on the same questions."""
        return *self.series, self.category, self.question_set

    @property
    def interval_percent(self) -> tuple[float, float] | None:
        """The 95 % interval: clustered, or Wilson's where there is one conversation only.

        None where nothing is scored, or where all conversations have the same accuracy.
        """
        low, high = self.clustered_low_percent, self.clustered_high_percent
        if self.conversations == 1:
            low, high = self.low_percent, self.high_percent
        return None if low is None or high is None else (low, high)


def by_release(
    database_path: Path, release: str | None, *, max_error_percent: float
) -> list[Accuracy]:
    """Each series of a release (or of all), the newest release first, and in it newest verdicts.

    A row with more than `max_error_percent` of questions without a verdict is not `valid`. The
    limit is the reader's: the database holds the share alone, so another limit needs no rebuild.
    """
    return _read(database_path, release, overall=True, max_error_percent=max_error_percent)


def release_dates(database_path: Path) -> dict[str, date | None]:
    """Release → the day (UTC) by which releases are ordered; None of imported ones without one."""
    with database.open_read_only(database_path) as connection:
        return dict(connection.execute(_sql("release_dates")).fetchall())


class HasSeries(Protocol):
    """A row of a release's series, whoever judged it."""

    @property
    def release(self) -> str: ...

    @property
    def system(self) -> str: ...

    @property
    def question_protocol(self) -> str: ...

    @property
    def dataset_sha256(self) -> str: ...


_Row = TypeVar("_Row", bound=HasSeries)


def newest_first(rows: Iterable[_Row], wholes: Sequence[Accuracy]) -> list[_Row]:
    """The rows in the order of `by_release`; those of one series stay in theirs."""
    releases = list(dict.fromkeys(one.release for one in wholes))
    series = list(dict.fromkeys(map(_unjudged, wholes)))
    return sorted(
        rows,
        key=lambda row: (
            releases.index(row.release) if row.release in releases else len(releases),
            series.index(_unjudged(row)) if _unjudged(row) in series else len(series),
        ),
    )


def _unjudged(row: HasSeries) -> tuple[str, ...]:
    return row.release, row.system, row.question_protocol, row.dataset_sha256


def of_series(rows: Sequence[Accuracy], series: tuple[str, ...] | None) -> Accuracy:
    """The row of a release that is of the series, else the first."""
    return next((row for row in rows if row.series == series), rows[0])


def by_category(
    database_path: Path, release: str | None, *, max_error_percent: float
) -> list[Accuracy]:
    """The same by category. A category is not valid where its series is not."""
    return _read(database_path, release, overall=False, max_error_percent=max_error_percent)


def invalid_message(row: Accuracy, max_error_percent: float) -> str:
    """Why a row is not valid, and what to do."""
    way_out = (
        "import it again with the missing verdicts, or have it judged again (`judge --release`)"
        if row.imported
        else "run it again with the same --release, which asks only what failed"
    )
    return (
        f"release {row.release}: {row.error_percent:.2f} % of its questions have no verdict by "
        f"{row.judge} ({row.unanswered} unanswered, {row.unscored} unscored, {row.not_judged} not "
        f"judged; LOCOMO_MAX_ERROR_PERCENT allows {max_error_percent:g} %), so its numbers are not "
        f"valid; {way_out}"
    )


@dataclass(frozen=True, slots=True)
class NoVerdictReason:
    """The commonest reason of an outcome without a verdict: of so many `questions_in_all`."""

    verdict: str
    reason: str
    questions: int
    questions_in_all: int


def no_verdict_reasons(database_path: Path, row: Accuracy) -> list[NoVerdictReason]:
    """Why questions of a series are unscored, and why unanswered, where some are."""
    names = ("release", "system", "judge", "question_protocol", "dataset_sha256")
    with database.open_read_only(database_path) as connection:
        rows = connection.execute(
            _sql("no_verdict_reasons"), {name: getattr(row, name) for name in names}
        ).fetchall()
    return [NoVerdictReason(*one) for one in rows]


@dataclass(frozen=True, slots=True)
class Sample:
    """One day's sample of a series. `change_points` is the difference to the sample before it.

    `low_percent` and `high_percent` are Wilson's; `by_conversation` has (scored, correct) of each.
    """

    release: str
    sample_id: str
    system: str
    judge: str
    question_protocol: str
    questions: int
    scored: int
    correct: int
    error_percent: float
    accuracy_percent: float | None
    low_percent: float | None
    high_percent: float | None
    change_points: float | None
    latency_p50_ms: float | None
    cost_usd: float
    memory_of: str
    by_conversation: list[tuple[int, int]]
    if_missing_wrong_percent: float | None = None
    if_missing_right_percent: float | None = None

    @property
    def bounds_percent(self) -> tuple[float, float] | None:
        """Its least and its most, whatever the missing verdicts were; None if none is missing."""
        return bounds_percent(self)

    @property
    def conversations(self) -> int:
        """How many conversations have scored questions."""
        return len(self.by_conversation)

    @property
    def interval_percent(self) -> tuple[float, float] | None:
        """The 95 % interval, as of `Accuracy`."""
        return interval_percent(self.by_conversation, self.low_percent, self.high_percent)


def read_samples(database_path: Path) -> list[Sample]:
    """All samples, newest first."""
    with database.open_read_only(database_path) as connection:
        return [Sample(*row) for row in connection.execute(_sql("samples")).fetchall()]


def _read(
    database_path: Path, release: str | None, *, overall: bool, max_error_percent: float
) -> list[Accuracy]:
    parameters = {"release": release, "overall": overall, "max_error_percent": max_error_percent}
    with database.open_read_only(database_path) as connection:
        rows = connection.execute(_sql("accuracy"), parameters).fetchall()
    return [Accuracy(*row) for row in rows]


def _sql(name: str) -> str:
    return (_FOLDER / f"{name}.sql").read_text(encoding="utf-8")
