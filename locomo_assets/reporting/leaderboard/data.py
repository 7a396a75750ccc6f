"""The leaderboard as data: groups of series that may be compared, each with its rows."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from locomo_assets.analysis.accuracy import Accuracy, by_release
from locomo_assets.analysis.comparison.groups import compare_all, letters
from locomo_assets.analysis.comparison.series import UnknownReleaseError
from locomo_assets.backboard.protocols import is_reference
from locomo_assets.history import database
from locomo_assets.near_names import unknown_release
from locomo_assets.prices import is_free
from locomo_assets.reporting.tables import (
    accuracy_text,
    asked_text,
    fixed,
    interval_notes,
    interval_text,
)

_SQL = Path(__file__).with_name("workload.sql")

HEADINGS = (
    "",
    "release",
    "system",
    "questions asked",
    "accuracy %",
    "95 % interval",
    "alike",
    "correct",
    "scored",
    "answered by",
    "memory tokens",
    "input tokens",
    "p50 ms",
    "USD",
    "remarks",
)
"""`alike`: rows that share a letter can't be told apart. The last four numbers are a question's."""

NOTE = (
    "alike: two rows that share a letter can't be told apart; two that share none differ (paired "
    "on the same questions, clustered by conversation, p < 0.05 by Holm over all pairs of the "
    "group). Memory tokens, input tokens and USD are of an answer, p50 ms is its median time; the "
    "judge's are not in them."
)
APART = (
    "Rows of different groups can't be compared: a group has one data set, one set of questions "
    "and one judge."
)

STANDIN_NOTE = "The stand-in's rows show that the pipeline works, and say nothing of any service."


class Workload(NamedTuple):
    """What an answer of a series took on average; None where it is not known of all."""

    memory_tokens: float | None
    input_tokens: float | None
    cost_usd: float | None
    models: str | None


@dataclass(frozen=True, slots=True)
class Entry:
    """A release's series, its place from 1, and the letters it shares with those like it."""

    place: int
    row: Accuracy
    alike: str
    workload: Workload

    @property
    def remarks(self) -> str:
        """What a reader must know of the row."""
        row = self.row
        found = (
            ("stand-in", is_free(row.system)),
            ("reference, no memory", is_reference(row.question_protocol)),
            ("imported", row.imported),
            ("too many without a verdict", not row.valid),
        )
        return ", ".join(word for word, holds in found if holds)

    def cells(self) -> tuple[str, ...]:
        """In the order of `HEADINGS`."""
        row, work = self.row, self.workload
        return (
            str(self.place),
            row.release,
            row.system,
            row.question_protocol,
            accuracy_text(row),
            interval_text(row),
            self.alike or "–",
            str(row.correct),
            str(row.scored),
            work.models or "–",
            fixed(work.memory_tokens, 0),
            fixed(work.input_tokens, 0),
            fixed(row.latency_p50_ms, 0),
            fixed(work.cost_usd, 5),
            self.remarks,
        )


@dataclass(frozen=True, slots=True)
class Group:
    """Series that may be compared, the most accurate first. `apart` says why it is a group."""

    dataset_sha256: str
    judge: str
    asked: str
    apart: str
    entries: tuple[Entry, ...]

    @property
    def has_standin(self) -> bool:
        """Whether a row is of the packaged stand-in."""
        return any(is_free(one.row.system) for one in self.entries)

    @property
    def title(self) -> str:
        """What all its rows share."""
        return f"judge {self.judge} · {self.asked} · data set {self.dataset_sha256[:12]}"


def notes(groups: Sequence[Group]) -> list[str]:
    """What a reader must know of the tables, a paragraph each."""
    intervals = interval_notes([one.row for group in groups for one in group.entries])
    apart = [APART] if len(groups) > 1 else []
    return [NOTE, *apart, *(line for line in intervals if not line.startswith("bounds"))]


def read_leaderboard(
    database_path: Path, release: str | None = None, *, max_error_percent: float
) -> list[Group]:
    """The groups, those of most series first; only those with `release`, if one is named.

    Raises:
        UnknownReleaseError: the release (or every one) has no verdicts.
    """
    rows = by_release(database_path, None, max_error_percent=max_error_percent)
    grouped: dict[tuple[str, str, str], list[Accuracy]] = defaultdict(list)
    for row in rows:
        if row.accuracy_percent is not None:
            grouped[row.dataset_sha256, row.question_set, row.judge].append(row)
    keys = [
        key
        for key, members in grouped.items()
        if release is None or any(row.release == release for row in members)
    ]
    if not keys:
        raise UnknownReleaseError(
            "no release has verdicts yet; measure one with `locomo-assets run`, or import one"
            if release is None
            else unknown_release(release, [row.release for row in rows])
        )
    keys.sort(key=lambda key: (-len(grouped[key]), -grouped[key][0].questions, key[2]))
    workloads = _workloads(database_path)
    first = keys[0]
    return [
        Group(
            dataset_sha256=key[0],
            judge=key[2],
            asked=asked_text(grouped[key][0]),
            apart="" if key == first else _apart(key, first),
            entries=tuple(_entries(database_path, grouped[key], workloads)),
        )
        for key in keys
    ]


def _apart(key: tuple[str, str, str], first: tuple[str, str, str]) -> str:
    names = ("data set", "questions", "judge")
    differing = [
        f"another {name}" if name != "questions" else "other questions"
        for name, one, other in zip(names, key, first, strict=True)
        if one != other
    ]
    # Another data set has other questions in any case.
    if "another data set" in differing and "other questions" in differing:
        differing.remove("other questions")
    return f"apart from the first group: {' and '.join(differing)}"


def _entries(
    database_path: Path, members: Sequence[Accuracy], workloads: dict[tuple[str, ...], Workload]
) -> list[Entry]:
    ordered = sorted(members, key=lambda row: (not row.valid, -(row.accuracy_percent or 0.0)))
    valid = [row for row in ordered if row.valid]
    alike = letters(len(valid), compare_all(database_path, valid))
    alike += [""] * (len(ordered) - len(valid))
    return [
        Entry(place, row, shared, workloads[_key(row)])
        for place, (row, shared) in enumerate(zip(ordered, alike, strict=True), start=1)
    ]


def _key(row: Accuracy) -> tuple[str, ...]:
    return row.release, row.system, row.question_protocol, row.dataset_sha256


def _workloads(database_path: Path) -> dict[tuple[str, ...], Workload]:
    with database.open_read_only(database_path) as connection:
        rows = connection.execute(_SQL.read_text(encoding="utf-8")).fetchall()
    return {tuple(row[:4]): Workload(*row[4:]) for row in rows}
