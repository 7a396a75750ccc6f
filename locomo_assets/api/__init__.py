"""The Python API, for notebooks and scripts: a history's results as data frames and frozen values.

It reads and never measures. `import locomo_assets` loads it at its first use, so that the package
itself stays cheap to import.
"""

import warnings
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb

from locomo_assets.analysis.accuracy import Accuracy, by_release
from locomo_assets.analysis.comparison import Comparison, compare
from locomo_assets.analysis.comparison.series import UnknownReleaseError
from locomo_assets.file_urls import FileUrlError, is_file_url, normalized, path_of
from locomo_assets.history import database, statements
from locomo_assets.history.errors import HistoryQueryError, HistoryUnreachableError
from locomo_assets.history.store import HistoryStore
from locomo_assets.near_names import unknown_release
from locomo_assets.reporting.report_data import ReportData, read_report_data
from locomo_assets.settings import Settings, read_settings

if TYPE_CHECKING:
    import pandas as pd

_FOLDER = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class History:
    """What was measured, read from `history.duckdb`. Each call reads the newest state.

    `margin_points` is the difference that matters in comparisons. A release with more than
    `max_error_percent` of its questions without a verdict is not valid.
    """

    database_path: Path
    margin_points: float
    max_error_percent: float

    def sql(self, query: str, params: Any = None) -> duckdb.DuckDBPyRelation:
        """A query over the tables and views of docs/sql.md: `.df()`, `.fetchall()`, `.show()`.

        The relation keeps showing the state in which it was made. HistoryQueryError for SQL that
        is wrong, or would change something.
        """
        connection = database.open_read_only(self.database_path)
        try:
            found = connection.sql(query, params=params)
        except duckdb.Error as error:
            said = statements.explained(connection, error)
            connection.close()
            raise HistoryQueryError(said) from error
        if found is None:
            raise HistoryQueryError("SQL: it gives no rows; ask with SELECT or FROM")
        return found

    def releases(self) -> list[str]:
        """The releases with verdicts, oldest first."""
        rows = by_release(self.database_path, None, max_error_percent=self.max_error_percent)
        return list(dict.fromkeys(row.release for row in reversed(rows)))

    def report(self, release: str | None = None) -> ReportData:
        """Everything on the page of a release, or of the newest: numbers, trend, comparison.

        UnknownReleaseError where it has no verdicts.
        """
        return read_report_data(
            self.database_path,
            release,
            max_error_percent=self.max_error_percent,
            margin_points=self.margin_points,
        )

    def compare(
        self,
        a: str,
        b: str,
        *,
        judge: str | None = None,
        question_protocol: str | None = None,
        intersection: bool = False,
    ) -> Comparison:
        """Is B better than A? As `locomo-assets compare A B`.

        UnknownReleaseError, or NotComparableError where judge, protocol, data set or questions
        differ.
        """
        return compare(
            self.database_path,
            a,
            b,
            judge=judge,
            question_protocol=question_protocol,
            intersection=intersection,
            margin_points=self.margin_points,
            max_error_percent=self.max_error_percent,
        )

    def questions(
        self, release: str, *, judge: str | None = None, question_protocol: str | None = None
    ) -> "pd.DataFrame":
        """Every judged question of a release: verdict, answer, evidence, times, cost.

        Of the series judged last, references after all others, unless judge or question protocol
        say which.
        """
        return self._of_series("questions", release, judge, question_protocol)

    def diagnosis(
        self, release: str, *, judge: str | None = None, question_protocol: str | None = None
    ) -> "pd.DataFrame":
        """Every wrong answer of a release with the reason: the view `diagnosis` of one series.

        `report(release).diagnosis` has the reasons counted.
        """
        return self._of_series("diagnosis", release, judge, question_protocol)

    def _of_series(
        self, name: str, release: str, judge: str | None, question_protocol: str | None
    ) -> "pd.DataFrame":
        row = self._series(release, judge, question_protocol)
        params = {
            "release": row.release,
            "system": row.system,
            "judge": row.judge,
            "question_protocol": row.question_protocol,
            "dataset_sha256": row.dataset_sha256,
        }
        found = self.sql((_FOLDER / f"{name}.sql").read_text(encoding="utf-8"), params)
        with warnings.catch_warnings():
            # DuckDB 2.0 makes columns of times in a way that pandas 3 calls deprecated.
            warnings.filterwarnings("ignore", "The inplace keyword", DeprecationWarning)
            return found.df()

    def _series(self, release: str, judge: str | None, question_protocol: str | None) -> Accuracy:
        rows = by_release(self.database_path, release, max_error_percent=self.max_error_percent)
        if not rows:
            raise UnknownReleaseError(unknown_release(release, self.releases()[::-1]))
        for row in rows:
            if judge in (None, row.judge) and question_protocol in (None, row.question_protocol):
                return row
        known = "; ".join(f"{row.judge}, {row.question_protocol}" for row in rows)
        raise UnknownReleaseError(
            f"release {release}: no verdicts by judge {judge or '(any)'} on questions asked by "
            f"{question_protocol or '(any)'}; there are: {known}"
        )


def open_history(path_or_url: str | Path | None = None, *, refresh: bool = True) -> History:
    """The history at a folder, a URL or a `history.duckdb`; None: that of LOCOMO_HISTORY.

    Its database is brought up to date first, in its folder or, of a remote one, in LOCOMO_HOME.
    Without `refresh`, and of a `history.duckdb`, it is read as it is. HistoryUnreachableError
    where there is none.
    """
    settings = read_settings()
    url, database_path = _place(path_or_url, settings)
    if url is not None and refresh:
        _refuse_missing(url)
        database.refresh(HistoryStore.open(url), database_path)
    with database.open_read_only(database_path):
        return History(database_path, settings.margin_points, settings.max_error_percent)


def _place(path_or_url: str | Path | None, settings: Settings) -> tuple[str | None, Path]:
    """The history's URL, None for a database alone; and where its database is."""
    if path_or_url is None:
        return settings.history_url, settings.database_path
    given = str(path_or_url)
    if "://" not in given and not is_file_url(given):
        path = Path(given).expanduser().resolve()
        if path.suffix == ".duckdb":
            return None, path
        return path.as_uri(), path / database.DATABASE_NAME
    try:
        given, folder = normalized(given), path_of(given)
    except FileUrlError as error:
        raise HistoryUnreachableError(f"history {given}: {error}") from None
    if given == settings.history_url:
        return given, settings.database_path
    if folder is not None:
        return given, folder / database.DATABASE_NAME
    # Of its own, so that two histories do not take turns in one file.
    name = f"history-{sha256(given.encode()).hexdigest()[:12]}.duckdb"
    return given, settings.home / name


def _refuse_missing(url: str) -> None:
    # Opening the store would make an empty history at a mistyped place.
    if not HistoryStore.exists(url):
        raise HistoryUnreachableError(
            f"history {url}: there is none; measure a release first (`locomo-assets run`), or "
            "give the folder or URL of LOCOMO_HISTORY"
        )
