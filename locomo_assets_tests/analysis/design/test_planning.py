"""Standard errors against the formula by hand, and power against a small simulation."""

import numpy as np
import pytest

from bench.simulations.planning import LOCOMO, power
from locomo_assets.analysis.design.planning import (
    Design,
    Noise,
    conversations_to_detect,
    detectable_points,
    expected_error,
    repeats_to_detect,
)

FLIPS = Noise(flip_rate=0.1, spread_points=0.0)


def test_error_of_flips_alone() -> None:
    # 1,540 questions, each with the variance 0.1 / 2 · (1 + 1)
    assert expected_error(Design(LOCOMO), FLIPS) == pytest.approx(100 * (0.1 / 1540) ** 0.5)
    ten = expected_error(Design(LOCOMO, 10, 10), FLIPS)
    assert ten == pytest.approx(100 * (0.01 / 1540) ** 0.5)


def test_error_of_conversations_and_of_whole_runs() -> None:
    even = Design([100] * 10, 1, 3)
    spread = Noise(flip_rate=0.0, spread_points=2.0)
    assert expected_error(even, spread) == pytest.approx(2.0 / 10**0.5)
    shift = Noise(flip_rate=0.0, spread_points=0.0, run_shift_points=1.5)
    assert expected_error(even, shift) == pytest.approx(1.5 * (1 + 1 / 3) ** 0.5)


def test_ten_even_conversations_have_nine_degrees_of_freedom() -> None:
    even = Design([154] * 10)
    error = expected_error(even, FLIPS)
    assert error is not None
    # t quantiles at 9 degrees of freedom: 2.2622 and 0.8834
    assert detectable_points(even, FLIPS) == pytest.approx((2.2622 + 0.8834) * error, rel=1e-4)


def test_one_conversation_sees_nothing() -> None:
    for sizes in ([], [152], [152, 0]):
        assert detectable_points(Design(sizes), FLIPS) is None
        assert repeats_to_detect(1.0, sizes, FLIPS) is None


def test_repeats_that_are_enough() -> None:
    enough = repeats_to_detect(1.0, LOCOMO, FLIPS)
    assert enough is not None
    seen = [detectable_points(Design(LOCOMO, n, n), FLIPS) or 9.0 for n in (enough - 1, enough)]
    assert seen[0] > 1.0 >= seen[1]
    # An earlier release that was measured once sets a floor.
    assert repeats_to_detect(1.0, LOCOMO, FLIPS, repeats_a=1) is None
    apart = Noise(flip_rate=0.1, spread_points=5.0)
    assert repeats_to_detect(1.0, LOCOMO, apart) is None
    needed = conversations_to_detect(1.0, Design(LOCOMO), apart)
    assert needed is not None
    assert needed > 100


@pytest.mark.parametrize(
    ("design", "noise"),
    [
        (Design(LOCOMO, 3, 3), FLIPS),
        (Design(LOCOMO, 10, 1), Noise(0.1, 1.0)),
        (Design(LOCOMO[:6]), Noise(0.1, 0.5)),
    ],
)
def test_power_is_as_planned(design: Design, noise: Noise) -> None:
    random = np.random.default_rng(1)
    planned = detectable_points(design, noise)
    assert planned is not None
    assert power(design, noise, planned, random, 1500) == pytest.approx(0.8, abs=0.05)
    assert power(design, noise, 0.0, random, 1500) < 0.08
