"""The data of the HTML page: a release's numbers, its trend, its comparison with the one before.

The page follows one series (system, question protocol, judge, data set), by default the release's
newest. Imported releases of other systems or judges are reference lines, never points.
"""

from collections import Counter
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from locomo_assets import __version__
from locomo_assets.analysis.accuracy import (
    Accuracy,
    bounds_percent,
    by_category,
    by_release,
    invalid_message,
)
from locomo_assets.analysis.blame import BlameBound, blame_bound
from locomo_assets.analysis.comparison import MARGIN_POINTS, Comparison, compare
from locomo_assets.analysis.comparison.ladder import LadderResult, read_ladders
from locomo_assets.analysis.comparison.series import (
    NotComparableError,
    UnknownReleaseError,
)
from locomo_assets.analysis.diagnosis import Diagnosis, read_diagnosis
from locomo_assets.analysis.drift.history import Drift, read_drift
from locomo_assets.analysis.gold_faults import GoldFaults, gold_faults_of
from locomo_assets.analysis.judge_error import CorrectedAccuracy, corrected_accuracy
from locomo_assets.analysis.panel import Panel, read_panels
from locomo_assets.analysis.repeated_answers import repeated_answer_warnings
from locomo_assets.analysis.scores import (
    Scores,
    abstention_lines,
    read_scores,
    reference_lines,
)
from locomo_assets.backboard.protocols import is_reference, is_variant
from locomo_assets.history import database
from locomo_assets.near_names import unknown_release

_FOLDER = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Reference:
    """A reference line of the trend; its name says whose result it is and who judged it."""

    name: str
    accuracy_percent: float


@dataclass(frozen=True, slots=True)
class Published:
    """A published result of others: one category under both its names, or the whole."""

    release: str
    system: str
    llm_model: str
    judge: str
    shown: str
    vendor_shown: str
    correct: int
    scored: int
    accuracy_percent: float | None
    low_percent: float | None
    high_percent: float | None
    is_whole: bool
    conversations: int
    questions: int
    if_missing_wrong_percent: float | None
    if_missing_right_percent: float | None

    @property
    def bounds_percent(self) -> tuple[float, float] | None:
        """As of `Accuracy`."""
        return bounds_percent(self)

    @property
    def interval_percent(self) -> tuple[float, float] | None:
        """The 95 % interval, as of `Accuracy`."""
        low, high = self.low_percent, self.high_percent
        return None if low is None or high is None else (low, high)


@dataclass(frozen=True, slots=True)
class ConversationAccuracy:
    """The accuracy of a release's series in one conversation, with Wilson's interval."""

    release: str
    conversation: str
    scored: int
    correct: int
    accuracy_percent: float | None
    low_percent: float | None
    high_percent: float | None

    @property
    def interval_percent(self) -> tuple[float, float] | None:
        """The 95 % interval; None where nothing is scored."""
        low, high = self.low_percent, self.high_percent
        return None if low is None or high is None else (low, high)


@dataclass(frozen=True, slots=True)
class SeriesTrends:
    """A series over its releases, oldest first; as the fields of `ReportData`."""

    trend: tuple[Accuracy, ...]
    category_trends: dict[str, tuple[Accuracy, ...]]
    drift: Drift


@dataclass(frozen=True, slots=True)
class ReportData:
    """Everything on the page but the single questions.

    `whole` is the release overall, `other_series` what else was measured of it. `trend` and
    `category_trends` are the series' releases, oldest first; `not_in_trend` are those that were
    asked other questions. `diagnosis` says why answers are wrong, `blame` how many stay so with the
    evidence in hand. `comparison` is with the release `previous`; where there is none,
    `not_compared` says why. `conversations` are of the release and of `previous`.
    """

    made_at: datetime
    version: str
    whole: Accuracy
    categories: tuple[Accuracy, ...]
    other_series: tuple[Accuracy, ...]
    trend: tuple[Accuracy, ...]
    not_in_trend: tuple[Accuracy, ...]
    category_trends: dict[str, tuple[Accuracy, ...]]
    references: tuple[Reference, ...]
    drift: Drift
    published: tuple[Published, ...]
    gold_faults: tuple[GoldFaults, ...]
    judge_corrected: CorrectedAccuracy
    scores: tuple[Scores, ...]
    score_notes: tuple[str, ...]
    diagnosis: Diagnosis
    blame: BlameBound | None
    previous: str | None
    comparison: Comparison | None
    not_compared: str | None
    conversations: tuple[ConversationAccuracy, ...]
    ladders: tuple[LadderResult, ...] = ()
    """Those measured of the release, whichever series the page follows."""
    panel: Panel | None = None
    """Several judges on the same answers; None where one alone has judged them."""
    against_previous: Comparison | str = ""
    """As `comparison`, else `not_compared`, but of a release that is not valid, too."""

    @property
    def headline(self) -> str:
        """The result in a sentence."""
        if self.comparison is None:
            return f"{self.whole.release} is not compared: {self.not_compared}."
        return self.comparison.headline


def read_report_data(
    database_path: Path,
    release: str | None = None,
    *,
    series_key: tuple[str, ...] | None = None,
    max_error_percent: float,
    margin_points: float = MARGIN_POINTS,
    audit_sha256: str | None = None,
) -> ReportData:
    """The data of a release (of its `series_key`; None: the newest), or of the newest one measured.

    A release that is not valid by `max_error_percent` is not compared. Gold faults are those of
    the given audit, or of the newest in the history.

    Raises:
        UnknownReleaseError: the release has no verdicts, or no release has.
    """
    everything = by_release(database_path, None, max_error_percent=max_error_percent)
    order, imported = _order(database_path)
    of_release = [
        row for row in everything if row.release == release and series_key in (None, row.series)
    ]
    if release is not None and not of_release:
        raise UnknownReleaseError(unknown_release(release, [row.release for row in everything]))
    whole = _newest(everything, order, imported) if release is None else of_release[0]
    series = _in_order([row for row in everything if row.series == whole.series], order)
    by_categories = by_category(database_path, None, max_error_percent=max_error_percent)
    categories = _categories_of(whole, by_categories)
    trends = _trends_of(database_path, whole, everything, by_categories, order)
    previous = _previous(whole, trends.trend, order)
    against_previous = _compared(database_path, whole, previous, margin_points, max_error_percent)
    comparison, not_compared = (
        (None, against_previous) if isinstance(against_previous, str) else (against_previous, None)
    )
    if not whole.valid:
        comparison, not_compared = None, invalid_message(whole, max_error_percent)
    scores = [row for row in read_scores(database_path, whole.release) if row.is_of(whole)]
    by_series = abstention_lines(database_path, whole.release)
    abstention = [by_series.get(row.key) for row in scores if row.category is None]
    return ReportData(
        made_at=datetime.now(UTC),
        version=__version__,
        whole=whole,
        categories=categories,
        other_series=tuple(
            row for row in everything if row.release == whole.release and row is not whole
        ),
        trend=trends.trend,
        not_in_trend=tuple(row for row in series if row not in trends.trend),
        category_trends=trends.category_trends,
        references=_references(everything, whole, imported),
        drift=trends.drift,
        published=_published(database_path, whole.dataset_sha256),
        judge_corrected=corrected_accuracy(database_path, whole),
        gold_faults=tuple(gold_faults_of(database_path, whole, audit_sha256)),
        scores=tuple(scores),
        score_notes=(
            *(line for line in abstention if line),
            *reference_lines(database_path, whole.release, everything),
            *repeated_answer_warnings(database_path, [whole]),
        ),
        diagnosis=read_diagnosis(database_path, whole),
        blame=blame_bound(database_path, whole),
        previous=previous,
        comparison=comparison,
        not_compared=not_compared,
        against_previous=against_previous,
        conversations=_conversations(database_path, whole, previous),
        ladders=tuple(
            read_ladders(
                database_path,
                whole.release,
                margin_points=margin_points,
                max_error_percent=max_error_percent,
            )
        ),
        panel=next(
            (one for one in read_panels(database_path, whole.release) if one.is_of(whole)), None
        ),
    )


def newest_trends(database_path: Path, *, max_error_percent: float) -> SeriesTrends | None:
    """The trends of the newest release measured; None where the history has no verdicts."""
    everything = by_release(database_path, None, max_error_percent=max_error_percent)
    if not everything:
        return None
    order, imported = _order(database_path)
    by_categories = by_category(database_path, None, max_error_percent=max_error_percent)
    newest = _newest(everything, order, imported)
    return _trends_of(database_path, newest, everything, by_categories, order)


def _newest(
    everything: Sequence[Accuracy], order: Mapping[str, int], imported: Set[str]
) -> Accuracy:
    measured = [row for row in everything if row.release not in imported] or everything
    if not measured:
        raise UnknownReleaseError(
            "no release has verdicts yet; measure one with `locomo-assets run`, or import one"
        )
    return max(
        measured,
        key=lambda row: (
            not _is_reference(row),
            order.get(row.release, 0),
            not is_variant(row.question_protocol),
        ),
    )


def _trends_of(
    database_path: Path,
    whole: Accuracy,
    everything: Sequence[Accuracy],
    by_categories: Sequence[Accuracy],
    order: Mapping[str, int],
) -> SeriesTrends:
    return SeriesTrends(
        trend=_in_order([row for row in everything if row.trend_key == whole.trend_key], order),
        category_trends={
            one.category: _in_order(
                [row for row in by_categories if row.trend_key == one.trend_key], order
            )
            for one in _categories_of(whole, by_categories)
        },
        drift=read_drift(database_path, whole, everything),
    )


def _categories_of(whole: Accuracy, rows: Sequence[Accuracy]) -> tuple[Accuracy, ...]:
    return tuple(row for row in rows if (row.release, row.series) == (whole.release, whole.series))


def _previous(row: Accuracy, series: Sequence[Accuracy], order: Mapping[str, int]) -> str | None:
    before = order[row.release]
    earlier = [one.release for one in series if one.valid and order[one.release] < before]
    return earlier[-1] if earlier else None


def _order(database_path: Path) -> tuple[dict[str, int], set[str]]:
    """Each release's position in time, and which releases were imported."""
    with database.open_read_only(database_path) as connection:
        rows = connection.execute(_sql("release_order")).fetchall()
    return {row[0]: row[1] for row in rows}, {row[0] for row in rows if row[2] == "imported"}


def _published(database_path: Path, dataset_sha256: str) -> tuple[Published, ...]:
    with database.open_read_only(database_path) as connection:
        rows = connection.execute(_sql("published"), [dataset_sha256]).fetchall()
    return tuple(Published(*row) for row in rows)


def _conversations(
    database_path: Path, whole: Accuracy, previous: str | None
) -> tuple[ConversationAccuracy, ...]:
    names = ("system", "question_protocol", "judge", "dataset_sha256")
    given = {name: getattr(whole, name) for name in names}
    releases = [name for name in (whole.release, previous) if name is not None]
    with database.open_read_only(database_path) as connection:
        rows = connection.execute(
            _sql("by_conversation"), {**given, "releases": releases}
        ).fetchall()
    return tuple(ConversationAccuracy(*row) for row in rows)


def _is_reference(row: Accuracy) -> bool:
    return is_reference(row.question_protocol)


def _in_order(rows: Sequence[Accuracy], order: Mapping[str, int]) -> tuple[Accuracy, ...]:
    return tuple(sorted(rows, key=lambda row: order.get(row.release, 0)))


def _compared(
    database_path: Path,
    whole: Accuracy,
    previous: str | None,
    margin_points: float,
    max_error_percent: float,
) -> Comparison | str:
    if previous is None:
        return "it is the first release of its series with these questions"
    try:
        return compare(
            database_path,
            previous,
            whole.release,
            judge=whole.judge,
            question_protocol=whole.question_protocol,
            margin_points=margin_points,
            max_error_percent=max_error_percent,
        )
    except NotComparableError as error:
        return str(error)


def _references(
    everything: Sequence[Accuracy], whole: Accuracy, imported: set[str]
) -> tuple[Reference, ...]:
    """The release's floor and ceiling, and imported results on the same data set."""
    rows = [row for row in everything if row.valid and row.dataset_sha256 == whole.dataset_sha256]
    asked = Counter((row.release, row.system, row.judge) for row in rows)
    found = []
    for row in rows:
        if row.accuracy_percent is None:
            continue
        same = (row.release, row.system, row.judge) == (whole.release, whole.system, whole.judge)
        if _is_reference(row) and same and not _is_reference(whole):
            found.append(Reference(row.question_protocol, row.accuracy_percent))
        elif row.release in imported and row.series != whole.series:
            several = asked[row.release, row.system, row.judge] > 1
            protocol = f"; {row.question_protocol}" if several else ""
            told = f"{row.system}{protocol}; judge {row.judge}; {row.scored} questions"
            name = f"{row.release} ({told})"
            found.append(Reference(name, row.accuracy_percent))
    return tuple(found)


def _sql(name: str) -> str:
    return (_FOLDER / f"{name}.sql").read_text(encoding="utf-8")
