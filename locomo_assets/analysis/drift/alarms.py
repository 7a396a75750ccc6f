"""The alarms on a series of releases: four tests that share one budget of false alarms a year.

Everything is one-sided: an alarm says that accuracy went down. Which releases make a series
belongs to `history`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from math import sqrt

import numpy as np
import numpy.typing as npt

from locomo_assets.analysis.comparison.paired import POWER
from locomo_assets.analysis.intervals import (
    ALPHA,
    Cluster,
    Interval,
    degrees_of_freedom,
    standard_error,
)

RELEASES_A_YEAR = 20
"""How many looks share the budget, unless a year had more. All tests look so many releases back."""

LEAST_RELEASES = 5
"""With fewer nobody can tell a fall from the scatter of the releases, and nothing alarms."""

_REFERENCE = 0.5
"""What a step of the CUSUM forgives, in standard deviations: half of the shift it sees best."""


class Alarm(StrEnum):
    """What can raise an alarm."""

    BASELINE = "pinned baseline"
    BEST = "best so far"
    SLOPE = "slope"
    CUSUM = "CUSUM"


BUDGET = {Alarm.SLOPE: 0.02, Alarm.CUSUM: 0.015, Alarm.BASELINE: 0.01, Alarm.BEST: 0.005}
"""The chance of a false alarm of each in a year in which nothing changes."""

FALSE_ALARMS_A_YEAR = sum(BUDGET.values())

_LINES = 9
"""Twenty looks at one growing line alarm as often as nine at lines of their own would."""

Shares = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class AlarmTest:
    """One test at the newest release. It alarms at a p-value up to `limit`, a CUSUM from it on.

    `value` is None where the test can't be made. `against` is the position of the release compared
    with, and `change` the newest accuracy minus that one's, as a share.
    """

    alarm: Alarm
    value: float | None
    limit: float
    raised: bool
    change: float | None = None
    against: int | None = None


@dataclass(frozen=True, slots=True)
class Slope:
    """Change of the accuracy a release, with its 95 % interval; shares, not points.

    `detectable` is the fall a release that 80 of 100 such series would raise an alarm for.
    """

    change: float
    interval: Interval
    p: float
    detectable: float


def examine(
    shares: Shares, sizes: Sequence[int], *, pinned: bool = False, looks: int = RELEASES_A_YEAR
) -> tuple[tuple[AlarmTest, ...], Slope | None]:
    """The tests at the last of the releases, and the slope; none with too few releases.

    `shares` has a row a release, oldest first, and a column a conversation: the share of correct
    answers on the questions that all releases have; `sizes` counts these. With `pinned` the first
    row is the baseline. `looks` are the releases of a year.
    """
    looks = max(RELEASES_A_YEAR, looks)
    recent = shares[-RELEASES_A_YEAR:]
    if len(recent) < LEAST_RELEASES or not sizes:
        return (), None
    line = _Line(recent, sizes)
    if line.off < _NOTHING:
        return (), None
    limits = {alarm: chance / looks for alarm, chance in BUDGET.items()}
    limits[Alarm.SLOPE] *= RELEASES_A_YEAR / _LINES
    slope = line.slope(limits[Alarm.SLOPE])
    earlier = len(shares) - len(recent)
    best = int(np.argmax(line.means[:-1]))
    tests = [
        _p_test(Alarm.SLOPE, slope.p, limits, slope.change),
        _cusum_test(line.means, looks),
        # The best of many is partly lucky: its p-value counts for as many comparisons.
        line.below(Alarm.BEST, recent[best], limits, len(recent) - 1, earlier + best),
    ]
    if pinned:
        tests.append(line.below(Alarm.BASELINE, shares[0], limits, 1, 0))
    return tuple(tests), slope


_NOTHING = 1e-12


class _Line:
    """Least squares over the releases, by conversation and so paired by question.

    A fall has to be beyond two things: what conversations differ by, and the scatter of whole
    releases, which is where a bad day of the service shows. The larger p-value counts.
    """

    def __init__(self, shares: Shares, sizes: Sequence[int]) -> None:
        self._shares, self._sizes = shares, sizes
        self.means = shares @ np.array(sizes) / sum(sizes)
        steps = np.arange(len(shares)) - (len(shares) - 1) / 2
        self._squares = float(steps @ steps)
        self._slopes = steps @ shares / self._squares
        fitted = self.means.mean() + steps * self._mean(self._slopes)
        self.off = sqrt(float(np.square(self.means - fitted).sum()) / (len(shares) - 2))

    def slope(self, limit: float) -> Slope:
        """The change a release."""
        from scipy.special import stdtrit

        change = self._mean(self._slopes)
        p, error, freedom = self._p(
            self._slopes, self.off / sqrt(self._squares), len(self.means) - 2
        )
        reach = float(stdtrit(freedom, 1 - ALPHA / 2)) * error
        detectable = float(stdtrit(freedom, 1 - limit) + stdtrit(freedom, POWER)) * error
        return Slope(change, Interval(change - reach, change + reach), p, detectable)

    def below(
        self,
        alarm: Alarm,
        other: Shares,
        limits: Mapping[Alarm, float],
        comparisons: int,
        against: int,
    ) -> AlarmTest:
        """Whether the last release is below another one.

        The scatter is that of neighbours among the earlier releases (von Neumann 1941): a step is
        in few of their differences, and a fall of the newest release must not hide itself.
        """
        changes, earlier = self._shares[-1] - other, self.means[:-1]
        count = len(earlier)
        scatter = sqrt(float(np.square(np.diff(earlier)).mean()))
        p, _, _ = self._p(changes, scatter, 2 * (count - 1) ** 2 / (3 * count - 4))
        return _p_test(alarm, min(1.0, p * comparisons), limits, self._mean(changes), against)

    def _mean(self, of_conversations: npt.NDArray[np.float64]) -> float:
        return float(of_conversations @ np.array(self._sizes) / sum(self._sizes))

    def _p(
        self, of_conversations: npt.NDArray[np.float64], error_of_releases: float, freedom: float
    ) -> tuple[float, float, float]:
        """P-value of a mean below 0, the standard error behind it, its degrees of freedom."""
        from scipy.special import stdtr

        mean, sizes = self._mean(of_conversations), self._sizes
        found = [(error_of_releases, float(freedom))]
        if len(sizes) > 1:
            values = of_conversations.tolist()
            clusters = [Cluster(n, n * one) for n, one in zip(sizes, values, strict=True)]
            found.append((standard_error(clusters), degrees_of_freedom(sizes)))
        p_values = [float(stdtr(each, mean / max(error, _NOTHING))) for error, each in found]
        larger = p_values.index(max(p_values))
        return p_values[larger], *found[larger]


def _p_test(
    alarm: Alarm,
    p: float,
    limits: Mapping[Alarm, float],
    change: float,
    against: int | None = None,
) -> AlarmTest:
    return AlarmTest(alarm, p, limits[alarm], p <= limits[alarm], change, against)


def _cusum_test(means: npt.NDArray[np.float64], looks: int) -> AlarmTest:
    height, limit = cusum(means), cusum_limit(looks, BUDGET[Alarm.CUSUM])
    return AlarmTest(Alarm.CUSUM, height, limit, height >= limit)


def cusum(means: Sequence[float] | npt.NDArray[np.float64]) -> float:
    """The height of a self-starting CUSUM for a fall (Hawkins 1987), in standard deviations.

    Each mean is compared with those before it. Whatever the noise of a release is, its quantile
    is that of a standard normal variable, independent of those before, as long as nothing changes.
    """
    from scipy.special import ndtri, stdtr

    values = np.asarray(means, dtype=float)
    height = 0.0
    for n in range(2, len(values)):
        before = values[:n]
        deviation = float(before.std(ddof=1))
        if deviation < _NOTHING:
            continue
        distance = sqrt(n / (n + 1)) * (float(values[n]) - float(before.mean())) / deviation
        score = float(np.clip(ndtri(stdtr(n - 1, distance)), -6.0, 6.0))
        height = max(0.0, height - score - _REFERENCE)
    return height


@cache
def cusum_limit(steps: int, false_alarms: float) -> float:
    """The height that a CUSUM without a change reaches in so many steps with this probability.

    By the Markov chain of Brook and Evans (1972), on a grid.
    """
    from scipy.optimize import brentq

    return float(brentq(lambda limit: _reaches(limit, steps) - false_alarms, 0.5, 20.0, xtol=1e-4))


def _reaches(limit: float, steps: int) -> float:
    from scipy.special import ndtr

    cells = 200
    edges = np.linspace(0.0, limit, cells + 1)
    middles = (edges[:-1] + edges[1:]) / 2
    # From a height to one at most an edge; the first cell also takes what would fall below 0.
    reached = ndtr(edges[1:][None, :] - middles[:, None] + _REFERENCE)
    moves = np.diff(reached, axis=1, prepend=0.0)
    state = np.zeros(cells)
    state[0] = 1.0
    for _ in range(steps):
        state = state @ moves
    return 1.0 - float(state.sum())
