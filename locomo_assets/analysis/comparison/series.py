"""The choice of the two series that a comparison of two releases compares."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import duckdb

from locomo_assets.backboard.protocols import is_reference, is_variant
from locomo_assets.errors import IMPOSSIBLE, LocomoError
from locomo_assets.history import database
from locomo_assets.near_names import unknown_release


class AnalysisError(LocomoError):
    """The history does not hold what an analysis needs."""


class UnknownReleaseError(AnalysisError):
    """The history has no verdicts, or no answers, of the release."""

    exit_code = IMPOSSIBLE


class NotComparableError(AnalysisError):
    """Judge, question protocol, data set or questions of two releases differ."""


_SQL = Path(__file__).with_name("series.sql")


@dataclass(frozen=True, slots=True)
class Series:
    """Verdicts that belong together: one release, system, question protocol, judge and data set.

    `judged_at` is the time of the newest verdict. `gold` is `published`, or `corrected` where the
    judge was given an audit's gold answers.
    """

    release: str
    system: str
    question_protocol: str
    judge: str
    dataset_sha256: str
    judged_at: datetime
    gold: str = "published"

    def parameters(self) -> dict[str, str]:
        """The parameters that select its rows in SQL."""
        return {
            "release": self.release,
            "system": self.system,
            "question_protocol": self.question_protocol,
            "judge": self.judge,
            "dataset_sha256": self.dataset_sha256,
        }


def repeats_measured(database_path: Path, release: str) -> int:
    """How many times the history has a release's questions asked, under one judge.

    Raises UnknownReleaseError where it has no verdicts of it.
    """
    with database.open_read_only(database_path) as connection:
        found = connection.execute(
            "SELECT max(repeat) FROM accuracy_by_repeat WHERE release = $1", [release]
        ).fetchone()
        if not found or found[0] is None:
            refuse_unknown(connection, [release], [])
    return int(found[0]) if found else 0


Pairing = tuple[Series, Series]


def read_series(connection: duckdb.DuckDBPyConnection, *releases: str) -> list[Series]:
    """All series of one release, or of two."""
    given = {"a": releases[0], "b": releases[-1]}
    return [
        Series(*row)
        for row in connection.execute(_SQL.read_text(encoding="utf-8"), given).fetchall()
    ]


def choose_series(
    connection: duckdb.DuckDBPyConnection,
    a: str,
    b: str,
    *,
    judge: str | None,
    question_protocol: str | None,
    intersection: bool,
) -> tuple[Pairing, list[str]]:
    """The series of A and of B to compare, and notes on the choice.

    Series of measured memory come before references, those as published before variants, the
    newest verdicts first.

    Raises:
        UnknownReleaseError: a release has no verdicts.
        NotComparableError: no series of A is comparable with one of B.
    """
    series = read_series(connection, a, b)
    refuse_unknown(connection, (a, b), series)
    if a == b:
        raise NotComparableError(
            f"release {a}: compared with itself; name two releases (what its repeats differ by "
            "is in accuracy_by_repeat, see docs/sql.md)"
        )
    pairings = [(x, y) for x in series for y in series if (x.release, y.release) == (a, b)]
    pairings = _alike(
        pairings,
        lambda one: one.judge,
        judge,
        (f"judge {judge} has not judged both", "choose a judge both have"),
        ("no judge has judged both", "judge one of them by the other's judge"),
    )
    pairings = _alike(
        pairings,
        lambda one: one.question_protocol,
        question_protocol,
        (f"question protocol {question_protocol} was not used for both", "choose one both have"),
        (
            "their questions were asked by different protocols",
            "measure one of them by the other's protocol",
        ),
    )
    if not intersection:
        pairings = _filtered(
            pairings,
            lambda one: one.dataset_sha256[:12],
            lambda x, y: x == y,
            "they were measured on different data sets",
            "--intersection compares the questions that are the same in both",
        )
    chosen = max(pairings, key=_rank)
    return chosen, _notes(chosen, pairings)


def _rank(
    pairing: Pairing,
) -> tuple[bool, bool, bool, bool, bool, datetime, list[tuple[str, str, str, str]]]:
    x, y = pairing
    names = sorted(
        (one.judge, one.question_protocol, one.system, one.dataset_sha256) for one in pairing
    )
    newest = max(x.judged_at, y.judged_at)
    return (
        not is_reference(x.question_protocol),
        not is_variant(x.question_protocol),
        x.gold == "published",
        x.dataset_sha256 == y.dataset_sha256,
        x.system == y.system,
        newest,
        names,
    )


def _alike(
    pairings: list[Pairing],
    value_of: Callable[[Series], str],
    wanted: str | None,
    none_wanted: tuple[str, str],
    none_alike: tuple[str, str],
) -> list[Pairing]:
    """The pairings whose two sides agree, and on what is wanted if anything is."""
    if wanted is not None:
        pairings = _filtered(pairings, value_of, lambda x, y: x == y == wanted, *none_wanted)
    return _filtered(pairings, value_of, lambda x, y: x == y, *none_alike)


def _filtered(
    pairings: Sequence[Pairing],
    key: Callable[[Series], str],
    matches: Callable[[str, str], bool],
    cause: str,
    hint: str,
) -> list[Pairing]:
    kept = [(x, y) for x, y in pairings if matches(key(x), key(y))]
    if not kept:
        sides = [
            f"{side[0].release} has {_listed({key(one) for one in side})}"
            for side in zip(*pairings, strict=True)
        ]
        raise NotComparableError(
            f"releases {pairings[0][0].release} and {pairings[0][1].release} can't be compared: "
            f"{cause} ({'; '.join(sides)}); {hint}"
        )
    return kept


def _listed(names: Collection[str]) -> str:
    """Names in order, quoted where a comma in one would not be told from the next."""
    has_comma = any("," in name for name in names)
    return ", ".join(f"'{name}'" if has_comma else name for name in sorted(names))


def _notes(chosen: Pairing, pairings: Sequence[Pairing]) -> list[str]:
    x, y = chosen
    notes = []
    for name, taken, present in (
        ("judges", x.judge, {one.judge for one, _ in pairings}),
        (
            "question protocols",
            x.question_protocol,
            {one.question_protocol for one, _ in pairings},
        ),
    ):
        others = sorted(present - {taken})
        if others:
            notes.append(f"{name} of both: {taken} was taken, also there: {_listed(others)}")
    if x.system != y.system:
        notes.append(f"the systems differ: {x.release} is {x.system}, {y.release} is {y.system}")
    if x.dataset_sha256 != y.dataset_sha256:
        notes.append(
            f"the data sets differ: {x.dataset_sha256[:12]} and {y.dataset_sha256[:12]}; a "
            "question counts where conversation, position, text and gold answer are the same"
        )
    return notes


def refuse_unknown(
    connection: duckdb.DuckDBPyConnection, asked: Sequence[str], series: Sequence[Series]
) -> None:
    """Raises UnknownReleaseError for the first release that none of the series is of."""
    present = {one.release for one in series}
    for release in asked:
        if release in present:
            continue
        known = connection.execute(
            "SELECT release FROM release_order SEMI JOIN current_judgements USING (release) "
            "ORDER BY position DESC"
        ).fetchall()
        raise UnknownReleaseError(unknown_release(release, [name for (name,) in known]))
