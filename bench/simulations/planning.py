"""Does a comparison find the difference that its plan says it would find in 80 of 100?"""

from collections.abc import Sequence

import numpy as np

from bench.simulations.page import markdown
from locomo_assets.analysis.design.planning import (
    Design,
    Noise,
    detectable_points,
    expected_error,
)
from locomo_assets.analysis.intervals import ALPHA, Cluster, degrees_of_freedom, standard_error

SEED = 20261127
TRIALS = 4000

LOCOMO = (152, 81, 152, 199, 178, 123, 150, 191, 156, 158)
"""The questions of categories 1 to 4 of each conversation of the real data set."""

_UNSTABLE = 0.2
_DESIGNS: tuple[tuple[str, Design, Noise], ...] = (
    ("measured once each", Design(LOCOMO), Noise(0.1, 0.0)),
    ("3 repeats each", Design(LOCOMO, 3, 3), Noise(0.1, 0.0)),
    ("10 repeats each", Design(LOCOMO, 10, 10), Noise(0.1, 0.0)),
    ("10 repeats of A, 1 of B", Design(LOCOMO, 10, 1), Noise(0.1, 0.0)),
    ("3 repeats each, spread 0.5 points", Design(LOCOMO, 3, 3), Noise(0.1, 0.5)),
    ("3 repeats each, spread 2 points", Design(LOCOMO, 3, 3), Noise(0.1, 2.0)),
    ("six conversations, 3 repeats each", Design(LOCOMO[:6], 3, 3), Noise(0.1, 0.5)),
    ("thirty conversations, once each", Design(LOCOMO * 3), Noise(0.1, 0.5)),
)


def planning(trials: int = TRIALS) -> str:
    """The table `planning`."""
    random = np.random.default_rng(SEED)
    rows = []
    for name, design, noise in _DESIGNS:
        planned = detectable_points(design, noise) or 0.0
        error = expected_error(design, noise) or 0.0
        rows.append(
            (
                name,
                f"{error:.2f}",
                f"{planned:.2f}",
                f"{power(design, noise, planned, random, trials):.3f}",
                f"{power(design, noise, 0.0, random, trials):.3f}",
            )
        )
    head = (
        "10 % of answers flip",
        "standard error, points",
        "detectable, points",
        "called, if it is true",
        "called, if there is none",
    )
    return markdown(head, rows)


def power(
    design: Design, noise: Noise, points: float, random: np.random.Generator, trials: int
) -> float:
    """The share of comparisons that call a true difference of so many points.

    A fifth of the questions is a coin toss, for a flip rate of 10 %; the others never change. The
    difference is a bias of B's coin, which is another one in each conversation.
    """
    from scipy.stats import t

    sizes = np.array(design.sizes)
    tossed = np.rint(sizes * _UNSTABLE * noise.flip_rate / 0.1).astype(int)
    spread = noise.spread_points / 100
    true = points / 100 + spread * random.standard_normal((trials, len(sizes)))
    chance = np.clip(0.5 + true * sizes / tossed, 0.0, 1.0)
    a = random.binomial(tossed * design.repeats_a, 0.5, chance.shape) / design.repeats_a
    b = random.binomial(tossed * design.repeats_b, chance) / design.repeats_b
    least = float(t.ppf(1 - ALPHA / 2, degrees_of_freedom(design.sizes)))
    return float(np.mean([_is_called(design.sizes, each, least) for each in b - a]))


def _is_called(sizes: Sequence[int], changes: np.ndarray, least: float) -> bool:
    clusters = [Cluster(int(size), float(one)) for size, one in zip(sizes, changes, strict=True)]
    difference = float(changes.sum()) / sum(sizes)
    return abs(difference) > least * standard_error(clusters)


TABLES = {"planning": planning}
