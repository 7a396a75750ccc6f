"""How often a comparison is wrong, and what it sees, where the truth is known.

A fifth of the questions is answered correctly half of the time, the others always or never: two
measurements of one release disagree on 10 of 100, and 82 of 100 are correct.
"""

from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from bench.simulations.page import markdown
from locomo_assets.analysis.comparison.decision import Conclusion, Evidence, decide
from locomo_assets.analysis.comparison.noise import (
    Measurement,
    Repeat,
    run_shift,
    shift_of_difference,
)
from locomo_assets.analysis.comparison.paired import Pair, Paired, compare_pairs

SIZES = (152, 81, 152, 199, 178, 123, 150, 191, 156, 158)
"""Questions of categories 1–4 in the ten conversations of LoCoMo."""

SEED = 19
UNSTABLE, ALWAYS = 0.2, 0.72

Chances = npt.NDArray[np.float64]


class Service:
    """A service whose questions have a chance to be answered correctly, by conversation."""

    def __init__(self, dice: np.random.Generator, sizes: Sequence[int]) -> None:
        self._dice = dice
        self.conversations = [str(n) for n, size in enumerate(sizes) for _ in range(size)]
        kinds = dice.choice(3, len(self.conversations), p=(UNSTABLE, ALWAYS, 1 - UNSTABLE - ALWAYS))
        self._unstable = kinds == 0
        self._chances = np.where(kinds == 0, 0.5, np.where(kinds == 1, 1.0, 0.0))

    def moved(self, points: float, spread_points: float = 0.0) -> Chances:
        """The chances with an accuracy that many points higher in the mean.

        `spread_points` is the standard deviation of the change between conversations.
        """
        names = np.array(self.conversations)
        change = np.zeros(len(names))
        for name in dict.fromkeys(self.conversations):
            change[names == name] = points + self._dice.normal(0, spread_points)
        moved = self._chances + self._unstable * change / 100 / UNSTABLE
        return np.asarray(np.clip(moved, 0, 1))

    def run(self, chances: Chances, shift_points: float = 0.0) -> npt.NDArray[np.bool_]:
        """One measurement; the whole run is moved by a shift with this standard deviation."""
        shift = self._dice.normal(0, shift_points) / 100 / UNSTABLE
        moved = np.clip(chances + self._unstable * shift, 0, 1)
        return np.asarray(self._dice.random(len(chances)) < moved)


def compared(
    service: Service,
    a: Chances,
    b: Chances,
    *,
    repeats: int = 1,
    shift_points: float = 0.0,
    margin: float = 0.01,
) -> Paired:
    """A comparison of so many measurements of each release."""
    runs_a = np.array([service.run(a, shift_points) for _ in range(repeats)])
    runs_b = np.array([service.run(b, shift_points) for _ in range(repeats)])
    means = (runs_a.mean(axis=0), runs_b.mean(axis=0))
    single = repeats == 1
    pairs = [
        Pair(name, bool(was), bool(is_), *((None, None) if single else (mean_a, mean_b)))
        for name, was, is_, mean_a, mean_b in zip(
            service.conversations, runs_a[0], runs_b[0], *map(list, means), strict=True
        )
    ]
    shift = None
    if not single:
        shift_a, shift_b = (run_shift(_repeats(service, runs)) for runs in (runs_a, runs_b))
        shift = shift_of_difference(shift_a, shift_b)
    return compare_pairs(pairs, margin=margin, shift=shift)


def _repeats(service: Service, runs: npt.NDArray[np.bool_]) -> list[Repeat]:
    keys = [(name, n) for n, name in enumerate(service.conversations)]
    return [dict(zip(keys, map(Measurement, map(bool, run)), strict=True)) for run in runs]


def word(paired: Paired, margin: float = 0.01) -> Conclusion:
    """The decision on a comparison in which nothing is missing."""
    return decide(Evidence.alone(paired), margin=margin).word


_CALLED = frozenset({Conclusion.BETTER, Conclusion.WORSE})


def few_conversations(trials: int = 4000) -> str:
    """False alarms of each test, by conversations: nothing differs in the mean."""
    rows = []
    for count in (2, 3, 4, 5, 6, 10):
        for flips, spread in ((0.1, 0.0), (0.1, 3.0)):
            dice = np.random.default_rng([SEED, count, round(1000 * flips), round(spread)])
            alarms: Counter[str] = Counter()
            for _ in range(trials):
                paired = _nothing(dice, SIZES[:count], flips, spread)
                alarms["clustered"] += (paired.clustered_p or 1.0) < 0.05
                alarms["McNemar"] += (paired.mcnemar_p or 1.0) < 0.05
                alarms["decision"] += word(paired) in _CALLED
            rows.append((count, f"{spread:g}", *(
                f"{alarms[name] / trials:.3f}" for name in ("clustered", "McNemar", "decision")
            )))  # fmt: skip
    head = ("conversations", "spread, points",
            "clustered t", "exact McNemar", "the decision")  # fmt: skip
    return markdown(head, rows)


def _nothing(
    dice: np.random.Generator, sizes: Sequence[int], flips: float, spread_points: float
) -> Paired:
    pairs = []
    for n, size in enumerate(sizes):
        shift = dice.normal(0, spread_points) / 100
        drawn = dice.random(size)
        up, down = drawn < (flips + shift) / 2, drawn > 1 - (flips - shift) / 2
        pairs += [Pair(str(n), bool(d), bool(u)) for u, d in zip(up, down, strict=True)]
    return compare_pairs(pairs)


def decisions(trials: int = 1000) -> str:
    """What is decided, by true difference: ten conversations, measured once and ten times."""
    words = (Conclusion.BETTER, Conclusion.WORSE, Conclusion.EQUIVALENT, Conclusion.NOT_WORSE,
             Conclusion.CANNOT_TELL)  # fmt: skip
    rows = []
    for repeats, times in ((1, trials), (10, trials // 4)):
        for points in (-3.0, -1.0, 0.0, 1.0, 3.0):
            dice = np.random.default_rng([SEED, repeats, round(points) + 10])
            found = Counter(_outcomes(dice, points, times, repeats=repeats))
            shares = (f"{found[one] / times:.2f}" for one in words)
            rows.append((f"{points:+g}", repeats, *shares))
    return markdown(("true difference", "measured", *map(str, words)), rows)


def repeats(trials: int = 1000) -> str:
    """False alarms, and the power for +1 point, by repeats and by what moves whole runs."""
    rows = []
    for count in (1, 3, 5, 10):
        for shift in (0.0, 0.5):
            cells = []
            for points in (0.0, 1.0):
                dice = np.random.default_rng([SEED, count, round(10 * shift), round(points)])
                found = _outcomes(dice, points, trials, repeats=count, shift_points=shift)
                wanted = _CALLED if points == 0.0 else {Conclusion.BETTER}
                cells.append(f"{sum(one in wanted for one in found) / trials:.3f}")
            rows.append((f"{count} + {count}", f"{shift:g}", *cells))
    head = ("measured", "a whole run moves by, points", "false alarms", "+1 point is seen")
    return markdown(head, rows)


def _outcomes(
    dice: np.random.Generator,
    points: float,
    trials: int,
    *,
    repeats: int,
    shift_points: float = 0.0,
) -> list[Conclusion]:
    found = []
    for _ in range(trials):
        service = Service(dice, SIZES)
        a, b = service.moved(0.0), service.moved(points)
        paired = compared(service, a, b, repeats=repeats, shift_points=shift_points)
        found.append(word(paired))
    return found


def power(points: float, *, repeats: int, trials: int, seed: int) -> float:
    """The share of comparisons that call a true difference."""
    dice = np.random.default_rng(seed)
    found = _outcomes(dice, points, trials, repeats=repeats)
    return sum(one in _CALLED for one in found) / trials


TABLES: dict[str, Callable[[], str]] = {
    "few-conversations": few_conversations,
    "decisions": decisions,
    "repeats": repeats,
}
