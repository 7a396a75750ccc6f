"""How often the alarms on a series of releases are false, and what they find.

The service is that of `comparing`: of 1,540 questions in ten conversations a fifth is unstable, so
two measurements of one release disagree on 10 of 100. A release is measured once.
"""

from collections.abc import Sequence

import numpy as np

from bench.simulations.comparing import ALWAYS, SIZES, UNSTABLE
from bench.simulations.page import Table, markdown
from locomo_assets.analysis.drift.alarms import BUDGET, LEAST_RELEASES, Alarm, Shares, examine
from locomo_assets.analysis.intervals import Cluster, clustered_mean

SEED = 21
YEAR = 20


class Truth:
    """What really happens to accuracy: points by release, and the noise of whole runs.

    With `unequal` a change is that of the mean, and conversations differ in it by so large a share
    (their standard deviation).
    """

    def __init__(
        self, points: Sequence[float], *, shift_points: float = 0.0, unequal: float = 0.0
    ) -> None:
        self.points, self.shift_points, self.unequal = points, shift_points, unequal

    def measured(self, dice: np.random.Generator) -> Shares:
        """A history: a row a release, a column a conversation."""
        sizes, releases = np.array(SIZES), len(self.points)
        kinds = dice.multinomial(sizes, (UNSTABLE, ALWAYS, 1 - UNSTABLE - ALWAYS))
        factors = 1 + dice.normal(0, self.unequal, len(sizes))
        moved = np.outer(self.points, factors) + dice.normal(0, self.shift_points, (releases, 1))
        chances = np.clip(0.5 + moved / 100 / UNSTABLE, 0, 1)
        return np.asarray((kinds[:, 1] + dice.binomial(kinds[:, 0], chances)) / sizes)


def found(
    truth: Truth, trials: int, *, first: int = 0, pinned: bool = True, seed: int = SEED
) -> tuple[float, dict[Alarm, float]]:
    """The share of histories with an alarm at any release from `first` on: of any, and by kind."""
    dice = np.random.default_rng(seed)
    any_alarm, by_alarm = 0, dict.fromkeys(Alarm, 0)
    for _ in range(trials):
        shares = truth.measured(dice)
        raised: set[Alarm] = set()
        for count in range(first + 1, len(shares) + 1):
            tests, _ = examine(shares[:count], SIZES, pinned=pinned)
            raised |= {test.alarm for test in tests if test.raised}
        any_alarm += bool(raised)
        for alarm in raised:
            by_alarm[alarm] += 1
    return any_alarm / trials, {alarm: count / trials for alarm, count in by_alarm.items()}


def found_by_neighbours(truth: Truth, trials: int, *, first: int = 0, seed: int = SEED) -> float:
    """The share of histories in which any release is worse than the one before (p < 0.05)."""
    dice = np.random.default_rng(seed)
    alarms = 0
    for _ in range(trials):
        changes = np.diff(truth.measured(dice), axis=0)[max(0, first - 1) :]
        alarms += any(_is_worse(one.tolist()) for one in changes)
    return alarms / trials


def _is_worse(changes: Sequence[float]) -> bool:
    clusters = [Cluster(n, n * one) for n, one in zip(SIZES, changes, strict=True)]
    high = clustered_mean(clusters, least=-1.0).interval
    return high is not None and high.high < 0


def table(trials: int = 600) -> str:
    """False alarms in a year of 20 releases, and falls found, by alarm.

    The last column is what comparing each release with the one before would have said.
    """
    unchanged, second_year = [0.0] * YEAR, [0.0] * 2 * YEAR
    falling, step = [-0.4 * n for n in range(10)], [0.0] * 8 + [-2.0] * 12
    cases = (
        ("nothing changes, 20 releases", Truth(unchanged), 0, 2 * trials),
        ("nothing changes, runs move by 0.3", Truth(unchanged, shift_points=0.3), 0, trials),
        ("nothing changes, runs move by 0.5", Truth(unchanged, shift_points=0.5), 0, trials),
        ("nothing changes, releases 21–40", Truth(second_year), YEAR, 3 * trials),
        ("−0.4 a release, by the tenth", Truth(falling), 0, trials),
        ("the same, runs move by 0.3", Truth(falling, shift_points=0.3), 0, trials),
        ("the same, conversations differ by half", Truth(falling, unequal=0.5), 0, trials),
        ("−2 at the ninth, by the twelfth", Truth(step[:12]), 8, trials),
        ("−2 at the ninth, by the twentieth", Truth(step), 8, trials),
        ("−6 at the tenth, at once", Truth([0.0] * 9 + [-6.0]), 9, trials),
        ("−6 at the twentieth, at once", Truth([0.0] * 19 + [-6.0]), 19, trials),
    )
    rows = []
    for name, truth, first, times in cases:
        share, by_alarm = found(truth, times, first=first)
        shares = (share, *by_alarm.values(), found_by_neighbours(truth, times // 2, first=first))
        rows.append((name, *(f"{one:.3f}" for one in shares)))
    head = ("what happens, points", "any alarm", *Alarm, "each against the one before")
    return markdown(head, rows)


def looks_at_a_slope(trials: int = 100_000) -> str:
    """How often twenty looks at one growing line alarm, by what each look spends."""
    from scipy.special import stdtr

    means = np.random.default_rng(SEED).normal(size=(trials, YEAR))
    smallest = np.ones(trials)
    for count in range(LEAST_RELEASES, YEAR + 1):
        steps = np.arange(count) - (count - 1) / 2
        seen, squares = means[:, :count], steps @ steps
        slopes = seen @ steps / squares
        off = seen - seen.mean(axis=1, keepdims=True) - np.outer(slopes, steps)
        errors = np.sqrt(np.square(off).sum(axis=1) / (count - 2) / squares)
        smallest = np.minimum(smallest, stdtr(count - 2, slopes / errors))
    budget = BUDGET[Alarm.SLOPE]
    rows = []
    for name, limit in (("twentieth", budget / 20), ("ninth", budget / 9)):
        false = (smallest <= limit).mean()
        rows.append((f"a {name} of {budget:g}", f"{limit:.4f}", f"{false:.4f}"))
    return markdown(("each look spends", "limit of p", "false alarms"), rows)


TABLES: dict[str, Table] = {"drift": table, "slope-looks": looks_at_a_slope}
