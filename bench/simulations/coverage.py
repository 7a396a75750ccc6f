"""How often the 95 % interval of one accuracy holds the truth, where conversations differ.

The truth is the accuracy on questions about conversations of this kind. Each measured conversation
has an accuracy of its own (beta distributed); its questions are right or wrong by themselves.
"""

import numpy as np

from bench.simulations.comparing import SIZES
from bench.simulations.page import Table, markdown
from locomo_assets.analysis.intervals import Cluster, clustered_mean

SEED = 20
ACCURACY = 0.85
PUBLISHED_SPREAD_POINTS = 1.4
"""Of the verdicts that Backboard published: 90.00 % in ten conversations, 84.7 to 94.7. Their
standard deviation is 2.85 points, of which 2.49 are what so few questions differ by anyway."""


def coverage(spread_points: float, trials: int, seed: int = SEED) -> tuple[float, float]:
    """Of so many measurements, the share whose interval holds the truth: Wilson's, clustered."""
    from statsmodels.stats.proportion import proportion_confint

    dice = np.random.default_rng([seed, round(10 * spread_points)])
    sizes = np.array(SIZES)
    own = np.full((trials, len(sizes)), ACCURACY)
    if spread_points:
        weight = ACCURACY * (1 - ACCURACY) / (spread_points / 100) ** 2 - 1
        own = dice.beta(weight * ACCURACY, weight * (1 - ACCURACY), own.shape)
    correct = dice.binomial(sizes, own)
    low, high = proportion_confint(correct.sum(axis=1), sizes.sum(), method="wilson")
    wilson = np.mean((low <= ACCURACY) & (high >= ACCURACY))
    clustered = 0
    for each in correct.tolist():
        found = clustered_mean([Cluster(*both) for both in zip(SIZES, each, strict=True)]).interval
        clustered += found is not None and found.low <= ACCURACY <= found.high
    return float(wilson), clustered / trials


def table(trials: int = 10_000) -> str:
    """The coverage of both intervals, by the spread between conversations."""
    rows = []
    for spread in (0.0, PUBLISHED_SPREAD_POINTS, 3.0, 5.0, 8.0):
        wilson, clustered = coverage(spread, trials)
        rows.append((f"{spread:g}", f"{wilson:.2f}", f"{clustered:.2f}"))
    return markdown(("spread between conversations, points", "Wilson", "clustered"), rows)


TABLES: dict[str, Table] = {"coverage": table}
