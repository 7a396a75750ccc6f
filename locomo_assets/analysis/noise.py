"""The noise floor of a comparison: how far repeats of one release differ (A/A).

All repeats have the same judge. Which answers are repeats is decided by the view `repeats`.
"""

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from math import sqrt
from typing import TypeVar

from locomo_assets.analysis.intervals import ALPHA

Question = TypeVar("Question", bound=Hashable)


@dataclass(frozen=True, slots=True)
class NoiseFloor:
    """The noise of one release, from its repeats.

    `repeats` counts the measurements, the current one included. `questions` counts those that at
    least two repeats scored; `accuracies` are over these, newest repeat first. `flip_rate` is the
    chance that two repeats disagree on a question. A difference below `floor` is no more than a
    repeat would show. The last three are None where `why_none` says why.
    """

    repeats: int
    questions: int
    accuracies: tuple[float, ...]
    flip_rate: float | None
    largest_difference: float | None
    floor: float | None
    why_none: str | None


def noise_floor(repeats: Sequence[Mapping[Question, bool]], compared: int) -> NoiseFloor:
    """The floor for a comparison of `compared` questions: the larger of two differences.

    - The largest difference in accuracy between two repeats. It shows what moves a whole run, such
      as a bad day of the service. It counts only where the two repeats share at least half as many
      questions as are compared, because few questions differ by much.
    - The difference that 95 of 100 pairs of repeats stay within if each question flips by itself
      at `flip_rate`. Two repeats are enough to measure it well.

    `repeats` hold correct or wrong by question, newest first; one may lack questions that another
    has.
    """
    from scipy.stats import norm

    pairs = [
        [(one[key], other[key]) for key in one.keys() & other.keys()]
        for one, other in combinations(repeats, 2)
    ]
    seen = [pair for pair in pairs if pair]
    if not seen or not compared:
        return NoiseFloor(
            len(repeats), 0, (), None, None, None, "measured once: its noise is not known"
        )
    flip_rate = sum(a != b for pair in seen for a, b in pair) / sum(len(pair) for pair in seen)
    differences = [(len(pair), abs(sum(a - b for a, b in pair)) / len(pair)) for pair in seen]
    broad = [difference for shared, difference in differences if 2 * shared >= compared]
    by_flips = float(norm.ppf(1 - ALPHA / 2)) * sqrt(flip_rate / compared)
    times: dict[Question, int] = {}
    for repeat in repeats:
        for key in repeat:
            times[key] = times.get(key, 0) + 1
    repeated = {key for key, count in times.items() if count > 1}
    shares = [[r[key] for key in r.keys() & repeated] for r in repeats]
    return NoiseFloor(
        repeats=len(repeats),
        questions=len(repeated),
        accuracies=tuple(sum(share) / len(share) for share in shares if share),
        flip_rate=flip_rate,
        largest_difference=max(difference for _, difference in differences),
        floor=max([by_flips, *broad]),
        why_none=None,
    )


def common_floor(floors: Iterable[NoiseFloor]) -> float | None:
    """The largest known floor; None where none is known."""
    return max((one.floor for one in floors if one.floor is not None), default=None)


def exceeds(difference: float | None, floor: float | None) -> bool | None:
    """Whether a difference, of either sign, is above the floor; None where one is not known."""
    if difference is None or floor is None:
        return None
    return abs(difference) > floor
