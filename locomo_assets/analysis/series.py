"""Which verdicts are compared: the series of two releases, and why some can't be compared."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import duckdb

from locomo_assets.errors import LocomoError


class ReportingError(LocomoError):
    """Something that can't be reported."""


class UnknownReleaseError(ReportingError):
    """The history has no verdicts of the release."""


class NotComparableError(ReportingError):
    """Judge, question protocol, data set or questions of two releases differ."""


_SQL = Path(__file__).with_name("series.sql")
_NAMED = 20
_REFERENCES = ("no-memory", "full-context")
"""Question protocols that memory is compared with, and that count only where asked for."""


@dataclass(frozen=True, slots=True)
class Series:
    """What was measured by what, and judged by whom. `judged_at` is the newest verdict's; `gold`
    is `published`, or `corrected` where the judge was given an audit's gold answers.
    """

    release: str
    system: str
    question_protocol: str
    judge: str
    dataset_sha256: str
    judged_at: datetime
    gold: str = "published"

    def parameters(self) -> dict[str, str]:
        """What picks its rows in SQL."""
        return {
            "release": self.release,
            "system": self.system,
            "question_protocol": self.question_protocol,
            "judge": self.judge,
            "dataset_sha256": self.dataset_sha256,
        }


Pairing = tuple[Series, Series]


def choose_series(
    connection: duckdb.DuckDBPyConnection,
    a: str,
    b: str,
    *,
    judge: str | None,
    question_protocol: str | None,
    intersection: bool,
) -> tuple[Pairing, list[str]]:
    """The series of A and of B to compare, and what is to be said about the choice.

    `UnknownReleaseError` for a release without verdicts, `NotComparableError` where none of A's
    series goes with one of B's.
    """
    rows = connection.execute(_SQL.read_text(), {"a": a, "b": b}).fetchall()
    series = [Series(*row) for row in rows]
    _refuse_unknown(connection, (a, b), series)
    if a == b:
        raise NotComparableError(
            f"release {a}: compared with itself; name two releases (what its repeats differ by "
            "is in accuracy_by_repeat, see docs/sql.md)"
        )
    pairings = [(x, y) for x in series for y in series if (x.release, y.release) == (a, b)]
    if judge is not None:
        pairings = _kept(
            pairings,
            lambda one: one.judge,
            lambda x, y: x == y == judge,
            f"judge {judge} has not judged both",
            "choose a judge both have",
        )
    pairings = _kept(
        pairings,
        lambda one: one.judge,
        lambda x, y: x == y,
        "no judge has judged both",
        "judge one of them by the other's judge",
    )
    if question_protocol is not None:
        pairings = _kept(
            pairings,
            lambda one: one.question_protocol,
            lambda x, y: x == y == question_protocol,
            f"question protocol {question_protocol} was not used for both",
            "choose one both have",
        )
    pairings = _kept(
        pairings,
        lambda one: one.question_protocol,
        lambda x, y: x == y,
        "their questions were asked by different protocols",
        "measure one of them by the other's protocol",
    )
    if not intersection:
        pairings = _kept(
            pairings,
            lambda one: one.dataset_sha256[:12],
            lambda x, y: x == y,
            "they were measured on different data sets",
            "--intersection compares the questions that are the same in both",
        )
    chosen = max(pairings, key=_rank)
    return chosen, _said(chosen, pairings)


def _rank(
    pairing: Pairing,
) -> tuple[bool, bool, bool, bool, datetime, list[tuple[str, str, str, str]]]:
    x, y = pairing
    names = sorted(
        (one.judge, one.question_protocol, one.system, one.dataset_sha256) for one in pairing
    )
    newest = max(x.judged_at, y.judged_at)
    return (
        x.question_protocol not in _REFERENCES,
        x.gold == "published",
        x.dataset_sha256 == y.dataset_sha256,
        x.system == y.system,
        newest,
        names,
    )


def _kept(
    pairings: Sequence[Pairing],
    of: Callable[[Series], str],
    alike: Callable[[str, str], bool],
    why: str,
    way_out: str,
) -> list[Pairing]:
    kept = [(x, y) for x, y in pairings if alike(of(x), of(y))]
    if not kept:
        sides = [
            f"{side[0].release} has {', '.join(sorted({of(one) for one in side}))}"
            for side in zip(*pairings, strict=True)
        ]
        raise NotComparableError(
            f"releases {pairings[0][0].release} and {pairings[0][1].release} can't be compared: "
            f"{why} ({'; '.join(sides)}); {way_out}"
        )
    return kept


def _said(chosen: Pairing, pairings: Sequence[Pairing]) -> list[str]:
    x, y = chosen
    said = []
    for name, taken, there in (
        ("judges", x.judge, {one.judge for one, _ in pairings}),
        (
            "question protocols",
            x.question_protocol,
            {one.question_protocol for one, _ in pairings},
        ),
    ):
        others = sorted(there - {taken})
        if others:
            said.append(f"{name} of both: {taken} was taken, also there: {', '.join(others)}")
    if x.system != y.system:
        said.append(f"the systems differ: {x.release} is {x.system}, {y.release} is {y.system}")
    if x.dataset_sha256 != y.dataset_sha256:
        said.append(
            f"the data sets differ: {x.dataset_sha256[:12]} and {y.dataset_sha256[:12]}; a "
            "question counts where conversation, place, text and gold answer are the same"
        )
    return said


def _refuse_unknown(
    connection: duckdb.DuckDBPyConnection, asked: Sequence[str], series: Sequence[Series]
) -> None:
    there = {one.release for one in series}
    for release in asked:
        if release in there:
            continue
        known = connection.execute(
            "SELECT release FROM release_order SEMI JOIN current_judgements USING (release) "
            "ORDER BY position DESC"
        ).fetchall()
        names = [name for (name,) in known]
        more = f" and {len(names) - _NAMED} older" if len(names) > _NAMED else ""
        raise UnknownReleaseError(
            f"release {release}: no verdicts in the history; it has "
            f"{', '.join(names[:_NAMED]) or 'none of any release'}{more}"
        )
