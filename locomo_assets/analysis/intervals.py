"""The interval of a single mean, clustered by conversation.

Wilson's interval, which takes questions as independent, is computed in SQL: `wilson_low` and
`wilson_high` in history/sql/macros.sql. The difference of two releases belongs to `paired`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from typing import NamedTuple

ALPHA = 0.05
CORRECTION = "CR2, t with Bell–McCaffrey degrees of freedom"


class Interval(NamedTuple):
    """Bounds at 95 %."""

    low: float
    high: float


class Cluster(NamedTuple):
    """One conversation: how many values it has, and their sum."""

    size: int
    total: float


@dataclass(frozen=True, slots=True)
class ClusteredMean:
    """A mean over all values, and its precision as the spread between the clusters shows it.

    `clusters` counts those with values. If `standard_error`, `degrees_of_freedom` and `interval`
    can't be had, they are None and `why_none` gives the reason. `mean` is None if there is no
    value.
    """

    values: int
    clusters: int
    mean: float | None
    standard_error: float | None
    degrees_of_freedom: float | None
    interval: Interval | None
    why_none: str | None


def clustered_mean(
    clusters: Sequence[Cluster], *, least: float = 0.0, most: float = 1.0
) -> ClusteredMean:
    """The mean of all values with its clustered standard error and interval.

    The values of a cluster may depend on each other in any way; only the clusters have to be
    independent. The standard error is CR2, the sandwich estimator corrected for few and unequal
    clusters, and the interval uses Student's t with Satterthwaite's degrees of freedom for it (both
    Bell and McCaffrey 2002): one less than there are clusters if all are of one size, fewer if
    not. With the ten conversations of LoCoMo, t is 2.28 where the normal has 1.96. The interval
    is cut to `least` … `most`, between which the values lie.
    """
    from scipy.special import stdtrit  # scipy.stats takes half a second more to import

    present = [cluster for cluster in clusters if cluster.size]
    values = sum(cluster.size for cluster in present)
    total = sum(cluster.total for cluster in present)
    mean = total / values if values else None
    why_none = _why_none(present, values, total)
    if mean is None or why_none:
        return ClusteredMean(values, len(present), mean, None, None, None, why_none)
    error = standard_error(present)
    freedom = degrees_of_freedom([cluster.size for cluster in present])
    reach = float(stdtrit(freedom, 1 - ALPHA / 2)) * error
    interval = Interval(max(least, mean - reach), min(most, mean + reach))
    return ClusteredMean(values, len(present), mean, error, freedom, interval, None)


def standard_error(clusters: Sequence[Cluster]) -> float:
    """CR2 of the mean. For a mean it has this closed form: the residual sum of a cluster that
    holds the share p of all values is divided by the root of 1 − p.
    """
    values = sum(cluster.size for cluster in clusters)
    mean = sum(cluster.total for cluster in clusters) / values
    return (
        sqrt(sum((one.total - one.size * mean) ** 2 / (1 - one.size / values) for one in clusters))
        / values
    )


def degrees_of_freedom(sizes: Sequence[int]) -> float:
    """Satterthwaite's degrees of freedom of `standard_error`, for values that are independent."""
    shares = [size / sum(sizes) for size in sizes]
    leverages = [share**2 / (1 - share) for share in shares]
    return 1 / (
        sum(share**2 for share in shares)
        + sum(leverages) ** 2
        - sum(leverage**2 for leverage in leverages)
    )


def _why_none(present: Sequence[Cluster], values: int, total: float) -> str | None:
    if not present:
        return "nothing was scored"
    if len(present) == 1:
        return "one conversation only: how much conversations differ is not known"
    # A standard error made of rounding errors would look like certainty.
    if all(abs(one.total * values - one.size * total) < 1e-9 * values for one in present):
        return "all conversations have the same mean: their spread is not seen"
    return None
