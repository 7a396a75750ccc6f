"""What difference a comparison would see, before anything is paid for.

The comparison is the clustered t test of `analysis.paired`; the noise comes from the history or is
assumed (`known_noise`). Prices belong to `runs.forecast`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import sqrt

from locomo_assets.analysis.comparison.paired import POWER
from locomo_assets.analysis.intervals import ALPHA, degrees_of_freedom

ASSUMED = "assumed"
MOST_REPEATS = 50
MOST_CONVERSATIONS = 1000


@dataclass(frozen=True, slots=True)
class Noise:
    """What makes two measurements of one question differ.

    `flip_rate`: the chance that two repeats disagree on a question. `spread_points`: the standard
    deviation of the true difference between conversations. `run_shift_points`: that of what moves
    a whole repeat. Each `_source` says where the number is from.
    """

    flip_rate: float
    spread_points: float
    run_shift_points: float = 0.0
    flip_source: str = ASSUMED
    spread_source: str = ASSUMED
    run_shift_source: str = ASSUMED


ASSUMED_NOISE = Noise(flip_rate=0.1, spread_points=0.5)
"""For a history that does not know better: stated, not measured."""


@dataclass(frozen=True, slots=True)
class Design:
    """A comparison to be made: `sizes` are the questions of each conversation.

    Each question is asked `repeats_a` times of the earlier release and `repeats_b` of the new one.
    """

    sizes: Sequence[int]
    repeats_a: int = 1
    repeats_b: int = 1


def expected_error(design: Design, noise: Noise) -> float | None:
    """The standard error of the difference, in points; None below two conversations.

    An answer that two repeats give differently with chance f has the variance f/2. So a difference
    of means over R_a and R_b repeats has f/2 · (1/R_a + 1/R_b) a question.
    """
    sizes = [size for size in design.sizes if size]
    if len(sizes) < 2:
        return None
    questions = sum(sizes)
    per_repeat = 1 / design.repeats_a + 1 / design.repeats_b
    answering = noise.flip_rate / 2 * per_repeat / questions
    between = (noise.spread_points / 100) ** 2 * sum((size / questions) ** 2 for size in sizes)
    whole_run = (noise.run_shift_points / 100) ** 2 * per_repeat
    return 100 * sqrt(answering + between + whole_run)


def detectable_points(design: Design, noise: Noise) -> float | None:
    """The true difference that 80 of 100 such comparisons call (Bloom 1995); None: no test."""
    error = expected_error(design, noise)
    if error is None:
        return None
    return _multiplier(degrees_of_freedom([size for size in design.sizes if size])) * error


@lru_cache
def _multiplier(freedom: float) -> float:
    from scipy.special import stdtrit  # scipy.stats takes half a second more to import

    return float(stdtrit(freedom, 1 - ALPHA / 2) + stdtrit(freedom, POWER))


def repeats_to_detect(
    points: float, sizes: Sequence[int], noise: Noise, *, repeats_a: int | None = None
) -> int | None:
    """The fewest repeats of each release that see so many points; None: 50 do not.

    `repeats_a` where the earlier release stays as it is measured.
    """
    for repeats in range(1, MOST_REPEATS + 1):
        design = Design(sizes, repeats_a or repeats, repeats)
        found = detectable_points(design, noise)
        if found is not None and found <= points:
            return repeats
    return None


def conversations_to_detect(points: float, design: Design, noise: Noise) -> int | None:
    """How many conversations of the same sizes would see so many points; None: 1,000 do not."""
    sizes = [size for size in design.sizes if size]
    if not sizes:
        return None
    for number in range(2, MOST_CONVERSATIONS + 1):
        taken = [sizes[at % len(sizes)] for at in range(number)]
        found = detectable_points(Design(taken, design.repeats_a, design.repeats_b), noise)
        if found is not None and found <= points:
            return number
    return None
