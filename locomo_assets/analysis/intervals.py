"""The interval of a single mean, clustered by conversation.

Wilson's interval, which takes questions as independent, is computed in SQL: `wilson_low` and
`wilson_high` in history/sql/macros.sql. The difference of two releases belongs to `paired`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

ALPHA = 0.05
CORRECTION = "CR2, t with (conversations - 1) degrees of freedom"


class Interval(NamedTuple):
    """Bounds at 95 %."""

    low: float
    high: float


class Cluster(NamedTuple):
    """One conversation: how many values it has, and their sum."""

    size: int
    total: int


@dataclass(frozen=True, slots=True)
class ClusteredMean:
    """A mean over all values, and its precision as the spread between the clusters shows it.

    `clusters` counts those with values. If `standard_error` and `interval` can't be had, they
    are None and `why_none` gives the reason. `mean` is None if there is no value.
    """

    values: int
    clusters: int
    mean: float | None
    standard_error: float | None
    interval: Interval | None
    why_none: str | None


def clustered_mean(
    clusters: Sequence[Cluster], *, least: float = 0.0, most: float = 1.0
) -> ClusteredMean:
    """The mean of all values with its clustered standard error and interval.

    The values of a cluster may depend on each other in any way; only the clusters have to be
    independent. The standard error is CR2 (Bell and McCaffrey 2002), the sandwich estimator
    corrected for few and unequal clusters. The interval uses Student's t with one degree of
    freedom less than there are clusters: with ten, t is 2.26 where the normal has 1.96. It is cut
    to `least` … `most`, between which the values lie.
    """
    from scipy.stats import t

    present = [cluster for cluster in clusters if cluster.size]
    values = sum(cluster.size for cluster in present)
    total = sum(cluster.total for cluster in present)
    mean = total / values if values else None
    why_none = _why_none(present, values, total)
    if mean is None or why_none:
        return ClusteredMean(values, len(present), mean, None, None, why_none)
    error = _standard_error(present)
    reach = float(t.ppf(1 - ALPHA / 2, len(present) - 1)) * error
    interval = Interval(max(least, mean - reach), min(most, mean + reach))
    return ClusteredMean(values, len(present), mean, error, interval, None)


def _why_none(present: Sequence[Cluster], values: int, total: int) -> str | None:
    if not present:
        return "nothing was scored"
    if len(present) == 1:
        return "one conversation only: how much conversations differ is not known"
    # Compared as integers: a standard error made of rounding errors would look like certainty.
    if all(cluster.total * values == cluster.size * total for cluster in present):
        return "all conversations have the same mean: their spread is not seen"
    return None


def _standard_error(present: Sequence[Cluster]) -> float:
    """CR2 of the mean.

    The regression of the clusters' means on a constant, weighted by their sizes, has the same
    residual sums and leverages as that of all values, so its HC2 is the CR2 of the latter.
    """
    import numpy as np
    from statsmodels.regression.linear_model import WLS

    sizes = np.array([cluster.size for cluster in present], dtype=float)
    totals = np.array([cluster.total for cluster in present], dtype=float)
    fit = WLS(totals / sizes, np.ones(len(present)), weights=sizes).fit(cov_type="HC2")
    return float(fit.bse[0])
