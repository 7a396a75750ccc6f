"""Many series on the same questions by the same judge: which of them can be told apart.

Every pair is compared as `compare` compares two, and the p-values are adjusted for their number.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from itertools import combinations
from pathlib import Path

from locomo_assets.analysis.accuracy import Accuracy
from locomo_assets.analysis.comparison import MARGIN_POINTS
from locomo_assets.analysis.comparison.measured import BothMeasured, Measured, read_questions
from locomo_assets.analysis.comparison.noise import shift_of_difference
from locomo_assets.analysis.comparison.paired import holm
from locomo_assets.analysis.comparison.parts import paired_of
from locomo_assets.analysis.comparison.series import Series
from locomo_assets.analysis.intervals import ALPHA
from locomo_assets.history import database
from locomo_assets.locomo.model import ADVERSARIAL

_UNKNOWN_TIME = datetime.min.replace(tzinfo=UTC)

Pair = tuple[int, int]
"""Two places in a list of series, the earlier first."""


def compare_all(database_path: Path, rows: Sequence[Accuracy]) -> dict[Pair, float | None]:
    """The p-value that two series differ, for each pair, by Holm for the number of pairs.

    The rows are over all scored categories, of one data set, one set of questions and one judge.
    None where the test can't be made.
    """
    with database.open_read_only(database_path) as connection:
        measured = []
        for row in rows:
            series = Series(row.release, *row.series, judged_at=_UNKNOWN_TIME)
            questions = read_questions(connection, series)
            in_score = {
                key: one for key, one in questions.items() if one["category"] != ADVERSARIAL
            }
            measured.append(Measured(connection, series, in_score))
    pairs = list(combinations(range(len(rows)), 2))
    found = [_p_value(BothMeasured(measured[one], measured[other])) for one, other in pairs]
    return dict(zip(pairs, holm(found), strict=True))


def _p_value(both: BothMeasured) -> float | None:
    keys = {key for key in both.a.questions.keys() & both.b.questions.keys() if both.is_scored(key)}
    shift = shift_of_difference(both.a.noise(keys).shift, both.b.noise(keys).shift)
    return paired_of(both.pairs(sorted(keys)), MARGIN_POINTS / 100, shift).p_values.differs


def letters(count: int, p_values: Mapping[Pair, float | None]) -> list[str]:
    """For each series the letters of the groups that it is in, by the series' order.

    Two series that share a letter can't be told apart; two that share none differ. A group is as
    large as can be (a compact letter display, by insertion and absorption, Piepho 2004).
    """
    groups: list[frozenset[int]] = [frozenset(range(count))] if count else []
    for (one, other), p in sorted(p_values.items()):
        if p is None or p >= ALPHA:
            continue
        split: list[frozenset[int]] = []
        for group in groups:
            split += [group - {one}, group - {other}] if {one, other} <= group else [group]
        whole = set(split)
        groups = [group for group in whole if not any(group < bigger for bigger in whole)]
    groups.sort(key=sorted)
    return [
        "".join(_letter(at) for at, group in enumerate(groups) if place in group)
        for place in range(count)
    ]


def _letter(at: int) -> str:
    return chr(ord("a") + at) if at < 26 else f"({at + 1})"
