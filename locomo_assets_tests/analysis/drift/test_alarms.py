"""The alarms on series whose truth is known."""

import numpy as np
import pytest
from scipy import stats

from bench.simulations.comparing import SIZES
from locomo_assets.analysis.drift.alarms import (
    BUDGET,
    FALSE_ALARMS_A_YEAR,
    RELEASES_A_YEAR,
    Alarm,
    AlarmTest,
    Shares,
    cusum,
    cusum_limit,
    examine,
)


def series(accuracies: list[float], *, seed: int = 1, noise: float = 0.01) -> Shares:
    """Releases with these accuracies in ten conversations, each with some noise."""
    dice = np.random.default_rng(seed)
    return np.array(accuracies)[:, None] + dice.normal(0, noise, (len(accuracies), len(SIZES)))


def by_alarm(shares: Shares, *, pinned: bool = False, looks: int = 0) -> dict[Alarm, AlarmTest]:
    tests, _ = examine(shares, SIZES, pinned=pinned, looks=looks)
    return {test.alarm: test for test in tests}


def test_the_budget_is_five_percent_a_year() -> None:
    assert pytest.approx(0.05) == FALSE_ALARMS_A_YEAR
    assert set(BUDGET) == set(Alarm)


def test_a_steady_fall_is_seen_by_its_slope() -> None:
    shares = series([0.9 - 0.01 * n for n in range(10)])
    assert by_alarm(shares)[Alarm.SLOPE].raised
    _, slope = examine(shares, SIZES)
    assert slope is not None
    assert slope.interval.low < slope.change < slope.interval.high < 0
    means = shares @ np.array(SIZES) / sum(SIZES)
    assert slope.change == pytest.approx(stats.linregress(range(10), means).slope, abs=1e-12)


def test_a_step_is_seen_by_the_cusum_and_below_the_baseline() -> None:
    tests = by_alarm(series([0.9] * 18 + [0.85], noise=0.005), pinned=True)
    assert tests[Alarm.CUSUM].raised
    assert tests[Alarm.BASELINE].raised
    assert tests[Alarm.BASELINE].against == 0
    assert tests[Alarm.BASELINE].change == pytest.approx(-0.05, abs=0.01)


def test_a_fall_from_a_peak_is_one_to_the_best_so_far() -> None:
    found = by_alarm(series([0.85, 0.85, 0.85, 0.85, 0.92, 0.92, 0.92, 0.92, 0.85]))
    assert found[Alarm.BEST].change == pytest.approx(-0.07, abs=0.01)
    large = by_alarm(series([0.9] * 18 + [0.8], noise=0.005))
    assert large[Alarm.BEST].raised
    assert found[Alarm.BEST].against in {4, 5, 6, 7}
    assert Alarm.BASELINE not in found


@pytest.mark.parametrize("accuracies", [[0.9] * 12, [0.8 + 0.01 * n for n in range(12)]])
def test_neither_a_level_nor_a_rise_alarms(accuracies: list[float]) -> None:
    assert not any(test.raised for test in by_alarm(series(accuracies), pinned=True).values())


def test_what_a_single_conversation_does_is_no_fall_of_all() -> None:
    shares = series([0.9] * 10)
    shares[:, 0] -= 0.05 * np.arange(10)
    assert not by_alarm(shares)[Alarm.SLOPE].raised


def test_the_scatter_of_whole_releases_is_no_fall() -> None:
    level = [0.90, 0.80, 0.91, 0.79, 0.90, 0.80, 0.91, 0.79, 0.90, 0.79]
    shares = series(level, noise=0.001)
    assert not any(test.raised for test in by_alarm(shares, pinned=True).values())
    assert (by_alarm(shares, pinned=True)[Alarm.BASELINE].value or 0.0) > 0.05


def test_too_few_releases_and_releases_that_are_alike_say_nothing() -> None:
    assert examine(series([0.9, 0.5, 0.4, 0.3]), SIZES) == ((), None)
    assert examine(np.full((8, len(SIZES)), 0.9), SIZES) == ((), None)
    assert examine(np.zeros((0, len(SIZES))), SIZES) == ((), None)


def test_one_conversation_is_judged_by_the_scatter_of_its_releases() -> None:
    shares = np.array([[0.9 - 0.02 * n + 0.002 * (-1) ** n] for n in range(8)])
    tests, _ = examine(shares, [100])
    assert {test.alarm for test in tests if test.raised} >= {Alarm.SLOPE}


def test_more_releases_a_year_share_the_same_budget() -> None:
    shares = series([0.9] * 12)
    usual, many = by_alarm(shares), by_alarm(shares, looks=2 * RELEASES_A_YEAR)
    assert many[Alarm.SLOPE].limit == pytest.approx(usual[Alarm.SLOPE].limit / 2)
    assert many[Alarm.CUSUM].limit > usual[Alarm.CUSUM].limit


def test_the_cusum_compares_each_release_with_those_before_it() -> None:
    # By hand: 3 against the mean 0 and deviation √2 of (1, −1), a t of √(2/3)·3/√2 = 1.73.
    assert cusum([1.0, -1.0, 3.0]) == 0.0
    score = stats.norm.ppf(stats.t.cdf(-np.sqrt(3), 1))
    assert cusum([1.0, -1.0, -3.0]) == pytest.approx(-score - 0.5, abs=1e-12)
    assert cusum([0.0, 0.0, -9.0]) == 0.0  # no spread to go by


def test_the_limit_of_the_cusum_keeps_its_promise() -> None:
    limit = cusum_limit(20, 0.05)
    dice, heights, alarms = np.random.default_rng(2), np.zeros(20_000), np.zeros(20_000, bool)
    for _ in range(20):
        heights = np.maximum(0, heights - dice.normal(size=len(heights)) - 0.5)
        alarms |= heights >= limit
    assert alarms.mean() == pytest.approx(0.05, abs=0.006)
