"""When enough has been asked: a comparison that is looked at while it is being measured.

A group-sequential design: a few looks, each with a bound of its own for the p-value, which spends a
part of the error rate (Lan and DeMets 1983). `locomo.sampling` chooses the questions of a look.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import sqrt

from locomo_assets.analysis.comparison.decision import Conclusion
from locomo_assets.analysis.comparison.paired import Paired

LOOKS = (0.2, 0.4, 0.6, 0.8, 1.0)
"""The share of the questions that each look has."""

SPENT = 0.045
"""What all looks together spend. Each look estimates its standard error anew from few
conversations, which gives chance a little more than the theory does: by simulation the looks err in
5 % or less of all runs that have no difference to find (docs/statistics.md)."""

_ROOT_TOLERANCE = 1e-5
_INTEGRAL_SEED = 1


@dataclass(frozen=True, slots=True)
class Bounds:
    """What the p-values of one look have to be below.

    `differs` is of the two-sided test for better or worse. `equivalent` is of both one-sided tests
    against the margin, which spend a rate of their own: each claim has its own.
    """

    differs: float
    equivalent: float


@lru_cache
def bounds(looks: Sequence[float] = LOOKS) -> tuple[Bounds, ...]:
    """The bounds of each look, spent by the function of O'Brien and Fleming's kind.

    They are those of statistics with independent increments. Conversations that differ tie the
    looks closer together than that, so that the whole errs less often, never more.
    """
    from scipy.stats import norm

    two_sided = critical_values(looks, SPENT, sides=2)
    one_sided = critical_values(looks, SPENT, sides=1)
    return tuple(
        Bounds(float(2 * norm.sf(both)), float(norm.sf(one)))
        for both, one in zip(two_sided, one_sided, strict=True)
    )


def conclude(evidence: Sequence[Paired], look: Bounds) -> Conclusion:
    """What a look says: the same for the observed verdicts and for each bound of what is missing.

    Better, worse or equivalent ends the measuring; else it cannot tell yet.
    """
    found = {_conclude(one, look) for one in evidence}
    return found.pop() if len(found) == 1 else Conclusion.CANNOT_TELL


def _conclude(paired: Paired, look: Bounds) -> Conclusion:
    differs, equivalent = paired.p_values.differs, paired.p_values.equivalent
    if differs is not None and differs < look.differs:
        return Conclusion.BETTER if (paired.difference or 0.0) > 0 else Conclusion.WORSE
    if equivalent is not None and equivalent < look.equivalent:
        return Conclusion.EQUIVALENT
    return Conclusion.CANNOT_TELL


def spent(share: float, alpha: float, *, sides: int) -> float:
    """What may be spent until so much of the information is there (Lan and DeMets 1983)."""
    from scipy.stats import norm

    return float(2 * sides * norm.sf(norm.isf(alpha / (2 * sides)) / sqrt(share)))


def critical_values(looks: Sequence[float], alpha: float, *, sides: int) -> list[float]:
    """The critical value of the normal statistic at each look."""
    from scipy.optimize import brentq

    found: list[float] = []
    before = 0.0
    for number, share in enumerate(looks):
        spend = spent(share, alpha, sides=sides)
        shares = looks[: number + 1]

        def excess(
            value: float, shares: Sequence[float] = shares, wanted: float = spend - before
        ) -> float:
            return sides * _crosses_last(shares, [*found, value], two_sided=sides == 2) - wanted

        found.append(float(brentq(excess, 0.5, 10.0, xtol=_ROOT_TOLERANCE)))
        before = spend
    return found


def _crosses_last(shares: Sequence[float], values: Sequence[float], *, two_sided: bool) -> float:
    """The chance that the statistic is above its last value, and was within all before."""
    import numpy as np
    from scipy.stats import multivariate_normal, norm

    if len(shares) == 1:
        return float(norm.sf(values[0]))
    information = np.asarray(shares)
    correlation = np.sqrt(
        np.minimum.outer(information, information) / np.maximum.outer(information, information)
    )
    upper = np.array([*values[:-1], np.inf])
    lower = np.array([*(-value if two_sided else -np.inf for value in values[:-1]), values[-1]])
    inside = multivariate_normal(cov=correlation, seed=_INTEGRAL_SEED, abseps=1e-7, maxpts=200_000)
    return float(inside.cdf(upper, lower_limit=lower))
