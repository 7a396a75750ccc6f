"""What repeats of one release say of the noise: how often verdicts flip, how far whole runs move.

All repeats have the same judge. Which answers are repeats is decided by the view `repeats`.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from math import sqrt
from typing import NamedTuple

from locomo_assets.analysis.comparison.paired import Paired, Shift
from locomo_assets.analysis.intervals import ALPHA, Cluster, standard_error

Question = tuple[str, int]
"""A question: its conversation, and its position in that conversation from 0."""


class Measurement(NamedTuple):
    """One scored answer: its verdict, and the memory it was given from (None where unknown)."""

    correct: bool
    ingestion_id: str | None = None


Repeat = Mapping[Question, Measurement]
"""One measurement of a release: its scored questions."""


@dataclass(frozen=True, slots=True)
class FlipRate:
    """The share of pairs of verdicts on one question that disagree; None where there is no pair."""

    pairs: int
    rate: float | None


@dataclass(frozen=True, slots=True)
class NoiseFloor:
    """The noise of one release, from its repeats.

    `repeats` counts the measurements, the current one included. `questions` counts those that at
    least two repeats scored; `accuracies` are over these, newest repeat first. `flip_rate` is the
    chance that two repeats disagree on a question. Two single measurements differ by `floor` or
    less in 95 of 100 cases. These are None where `why_none` says why.

    What was done anew between two verdicts on a question tells the sources of the noise apart:
    only the judging (`judging`), the answering from the same memories (`answering`), or the
    remembering too (`remembering`); each contains those before it. `shift` is what moved whole
    runs beside their questions, of one run: its variance in accuracy², which can be 0.
    """

    repeats: int
    questions: int
    accuracies: tuple[float, ...]
    flip_rate: float | None
    largest_difference: float | None
    floor: float | None
    judging: FlipRate
    answering: FlipRate
    remembering: FlipRate
    shift: Shift | None
    why_none: str | None


_NO_PAIR = FlipRate(0, None)


def noise_floor(
    repeats: Sequence[Repeat], compared: int, judging: FlipRate = _NO_PAIR
) -> NoiseFloor:
    """The noise for a comparison of `compared` questions. Its `floor` is the larger of two:

    - The largest difference in accuracy between two repeats. It counts only where the two repeats
      share at least half as many questions as are compared, because few questions differ by much.
    - The difference that 95 of 100 pairs of repeats stay within if each question flips by itself
      at `flip_rate`. Two repeats are enough to measure it well.

    `repeats` are newest first; one may lack questions that another has.
    """
    from scipy.special import ndtri  # scipy.stats takes half a second more to import

    pairs = [
        [(one[key], other[key]) for key in one.keys() & other.keys()]
        for one, other in combinations(repeats, 2)
    ]
    seen = [pair for pair in pairs if pair]
    if not seen or not compared:
        return NoiseFloor(
            len(repeats), 0, (), None, None, None, judging, _NO_PAIR, _NO_PAIR, None,
            "measured once: its noise is not known",
        )  # fmt: skip
    every = [both for pair in seen for both in pair]
    flip_rate = _flips(every).rate or 0.0
    differences = [
        (len(pair), abs(sum(a.correct - b.correct for a, b in pair)) / len(pair)) for pair in seen
    ]
    broad = [difference for shared, difference in differences if 2 * shared >= compared]
    by_flips = float(ndtri(1 - ALPHA / 2)) * sqrt(flip_rate / compared)
    times: dict[Question, int] = {}
    for repeat in repeats:
        for key in repeat:
            times[key] = times.get(key, 0) + 1
    repeated = {key for key, count in times.items() if count > 1}
    shares = [[r[key].correct for key in r.keys() & repeated] for r in repeats]
    known = [(a, b) for a, b in every if a.ingestion_id and b.ingestion_id]
    return NoiseFloor(
        repeats=len(repeats),
        questions=len(repeated),
        accuracies=tuple(sum(share) / len(share) for share in shares if share),
        flip_rate=flip_rate,
        largest_difference=max(difference for _, difference in differences),
        floor=max([by_flips, *broad]),
        judging=judging,
        answering=_flips([(a, b) for a, b in known if a.ingestion_id == b.ingestion_id]),
        remembering=_flips([(a, b) for a, b in known if a.ingestion_id != b.ingestion_id]),
        shift=run_shift([one for one in repeats if 2 * len(one) >= compared]),
        why_none=None,
    )


def run_shift(repeats: Sequence[Repeat]) -> Shift | None:
    """What moves a whole run of one release, beside its questions and conversations.

    On the questions that all repeats scored, each run's mean deviates from the mean of all runs.
    Its clustered standard error says how far it would if conversations moved on their own; what is
    beyond that is a shift of the whole run. The variance may come out below 0, which speaks for
    none. None with fewer than two repeats or conversations.
    """
    shared = set.intersection(*(set(one) for one in repeats)) if repeats else set()
    questions: dict[str, list[Question]] = {}
    for key in sorted(shared):
        questions.setdefault(key[0], []).append(key)
    runs = len(repeats)
    if runs < 2 or len(questions) < 2:
        return None
    # Correct answers by conversation, each with a number a run.
    correct = [[sum(one[key].correct for key in keys) for one in repeats]
               for keys in questions.values()]  # fmt: skip
    beyond = 0.0
    for run in range(runs):
        deviations = [
            Cluster(len(keys), each[run] - sum(each) / runs)
            for keys, each in zip(questions.values(), correct, strict=True)
        ]
        mean = sum(one.total for one in deviations) / len(shared)
        beyond += mean**2 - standard_error(deviations) ** 2
    return Shift(beyond / (runs - 1), runs - 1)


def shift_of_difference(a: Shift | None, b: Shift | None) -> Shift | None:
    """The variance of the difference of two releases by shifts of whole runs; None if not known.

    Both releases are taken to be moved alike, so what repeats of one show counts for both.
    """
    known = [one for one in (a, b) if one is not None]
    freedom = sum(one.degrees_of_freedom for one in known)
    if not freedom:
        return None
    single = sum(one.variance * one.degrees_of_freedom for one in known) / freedom
    # A side without a shift of its own was measured once, as far as whole runs go.
    means = sum(1 / (one.degrees_of_freedom + 1) if one else 1.0 for one in (a, b))
    return Shift(max(0.0, single) * means, freedom)


def contained(paired: Paired, a: NoiseFloor, b: NoiseFloor) -> str:
    """What the interval of the difference of releases A and B allows for, and what it does not."""
    if paired.interval is None:
        return "nothing: there is no interval"
    times = ["once" if one.repeats < 2 else f"{one.repeats} times" for one in (a, b)]
    inside = (
        f"which questions are asked, about conversations like these {paired.conversations}, and "
        "what remembering, answering and judging anew changes in each (measured "
        f"{' and '.join(dict.fromkeys(times))})"
    )
    if paired.shift_error is None:
        return (
            f"{inside}; not what moves a whole run, such as a bad day of the service: neither "
            "release was measured twice"
        )
    return f"{inside}; what moves whole runs: {paired.shift_error * 100:.2f} points"


def common_floor(floors: Iterable[NoiseFloor]) -> float | None:
    """The largest known floor; None where none is known."""
    return max((one.floor for one in floors if one.floor is not None), default=None)


def exceeds(difference: float | None, floor: float | None) -> bool | None:
    """Whether a difference, of either sign, is above the floor; None where one is not known."""
    if difference is None or floor is None:
        return None
    return abs(difference) > floor


def _flips(pairs: Sequence[tuple[Measurement, Measurement]]) -> FlipRate:
    if not pairs:
        return _NO_PAIR
    return FlipRate(len(pairs), sum(a.correct != b.correct for a, b in pairs) / len(pairs))
