"""The paired comparison against scipy, by hand, by simulation, and with the releases swapped."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest, nct, t, ttest_1samp

from locomo_assets.analysis.decision import Conclusion, decide
from locomo_assets.analysis.noise import noise_floor
from locomo_assets.analysis.paired import (
    CLUSTERED,
    MCNEMAR,
    Pair,
    Paired,
    compare_pairs,
    holm,
)
from locomo_assets_tests.analysis.factories import pairs_of

OPPOSITE = {
    Conclusion.BETTER: Conclusion.WORSE,
    Conclusion.WORSE: Conclusion.BETTER,
    Conclusion.CANNOT_TELL: Conclusion.CANNOT_TELL,
}


def test_equal_conversations_are_the_t_test_of_their_means() -> None:
    changes = {"a": (5, 1, 4), "b": (3, 2, 5), "c": (4, 0, 6), "d": (1, 2, 7)}
    found = compare_pairs(pairs_of(changes))
    reference = ttest_1samp([0.4, 0.1, 0.4, -0.1], 0.0)
    assert (found.gains, found.losses, found.questions) == (13, 5, 40)
    assert (found.correct_a, found.correct_b) == (27, 35)
    assert found.difference == pytest.approx(0.2)
    assert found.clustered_p == pytest.approx(float(reference.pvalue))
    low, high = reference.confidence_interval(0.95)
    assert found.interval == pytest.approx((low, high))


@pytest.mark.parametrize(("gains", "losses"), [(0, 1), (6, 0), (13, 5), (5, 5), (120, 80)])
def test_mcnemar_is_the_binomial_test_of_what_changed(gains: int, losses: int) -> None:
    found = compare_pairs(pairs_of({"a": (gains, losses, 3)}))
    assert found.mcnemar_p == pytest.approx(float(binomtest(gains, gains + losses).pvalue))


def test_mcnemar_by_hand() -> None:
    # six changes, all gains: 2 / 2⁶
    assert compare_pairs(pairs_of({"a": (6, 0, 1)})).mcnemar_p == pytest.approx(0.03125)


def test_holm_by_hand() -> None:
    # sorted 0.01, 0.02, 0.04 times 3, 2, 1; None is no test and not counted
    assert holm([0.04, None, 0.01, 0.02]) == pytest.approx([0.04, None, 0.03, 0.04])
    assert holm([None]) == [None]
    assert holm([]) == []


@pytest.mark.parametrize(
    ("changes", "why", "test"),
    [
        ({}, "nothing was scored", None),
        ({"a": (0, 0, 4), "b": (0, 0, 2)}, "no question changed", None),
        ({"a": (0, 0, 4)}, "no question changed", None),
        ({"a": (9, 0, 4)}, "one conversation only", None),
        ({"a": (4, 0, 4), "b": (4, 0, 4)}, "changed by the same amount", MCNEMAR),
        ({"a": (2, 2, 4), "b": (1, 1, 4)}, "changed by the same amount", None),
        ({"a": (2, 1, 4), "b": (5, 1, 4)}, None, CLUSTERED),
    ],
)
def test_what_can_not_be_had_says_why(
    changes: dict[str, tuple[int, int, int]], why: str | None, test: str | None
) -> None:
    found = compare_pairs(pairs_of(changes))
    assert found.deciding_test == test
    if why is None:
        assert found.why_none is None
    else:
        assert why in str(found.why_none)
        assert found.standard_error is None
        assert found.interval is None
        assert found.clustered_p is None
        assert found.minimal_detectable_difference is None
    if test is None:
        assert decide(found, None).word == Conclusion.CANNOT_TELL


def simulated(dice: np.random.Generator, difference: float) -> Paired:
    """Ten conversations whose questions change together, by `difference` in the mean."""
    pairs = []
    for number, size in enumerate((60, 30, 60, 80, 70, 50, 60, 75, 62, 63)):
        shift = difference + dice.normal(0, 0.06)
        was = dice.random(size) < 0.6
        up = dice.random(size) < 0.1 + max(shift, 0.0) / 0.4
        down = dice.random(size) < (0.1 * 0.4 + max(-shift, 0.0)) / 0.6
        is_ = np.where(was, ~down, up)
        pairs += [Pair(str(number), bool(a), bool(b)) for a, b in zip(was, is_, strict=True)]
    return compare_pairs(pairs)


def test_where_nothing_differs_the_clustered_test_errs_5_in_100_and_mcnemar_more() -> None:
    dice = np.random.default_rng(7)
    found = [simulated(dice, 0.0) for _ in range(600)]
    held = sum(one.interval is not None and one.interval.low <= 0 <= one.interval.high
               for one in found)  # fmt: skip
    assert 0.92 <= held / len(found) <= 0.98
    called = sum(decide(one, None).word != Conclusion.CANNOT_TELL for one in found)
    assert called == len(found) - held
    assert sum((one.mcnemar_p or 0) < 0.05 for one in found) / len(found) > 0.12


def test_a_true_difference_of_the_detectable_size_is_called_80_times_in_100() -> None:
    dice = np.random.default_rng(8)
    sizes = [one.minimal_detectable_difference or 0.0
             for one in (simulated(dice, 0.0) for _ in range(50))]  # fmt: skip
    truth = float(np.mean(sizes))
    found = [decide(simulated(dice, truth), None).word for _ in range(400)]
    assert 0.70 <= found.count(Conclusion.BETTER) / 400 <= 0.90
    assert found.count(Conclusion.WORSE) == 0


@pytest.mark.parametrize("conversations", [3, 10, 50])
def test_detectable_difference_has_its_power_under_the_noncentral_t(conversations: int) -> None:
    changes = {str(n): (3 + n % 2, 1, 6 - n % 2) for n in range(conversations)}
    found = compare_pairs(pairs_of(changes))
    assert found.minimal_detectable_difference
    assert found.standard_error
    shift = found.minimal_detectable_difference / found.standard_error
    freedom = conversations - 1
    power = float(nct.sf(t.ppf(0.975, freedom), freedom, shift))
    assert power == pytest.approx(0.8, abs=0.04)


PAIRS = st.lists(st.builds(Pair, st.sampled_from("abcd"), st.booleans(), st.booleans()))


@settings(deadline=None)
@given(PAIRS)
def test_the_other_way_round_only_the_signs_turn(pairs: list[Pair]) -> None:
    there = compare_pairs(pairs)
    back = compare_pairs([Pair(c, b, a) for c, a, b in reversed(pairs)])
    assert (back.gains, back.losses) == (there.losses, there.gains)
    assert (back.accuracy_a, back.accuracy_b) == (there.accuracy_b, there.accuracy_a)
    assert (back.mcnemar_p, back.why_none) == (there.mcnemar_p, there.why_none)
    assert back.deciding_test == there.deciding_test
    assert decide(back, None).word == OPPOSITE[decide(there, None).word]
    if there.interval is None or back.interval is None or there.difference is None:
        assert back.interval is there.interval is None
        return
    assert back.difference == pytest.approx(-there.difference)
    assert back.standard_error == pytest.approx(there.standard_error)
    assert back.clustered_p == pytest.approx(there.clustered_p)
    assert back.minimal_detectable_difference == pytest.approx(there.minimal_detectable_difference)
    assert back.interval == pytest.approx((-there.interval.high, -there.interval.low))


@settings(deadline=None)
@given(st.lists(st.dictionaries(st.integers(0, 5), st.booleans()), max_size=4))
def test_the_floor_does_not_depend_on_the_order_of_repeats(repeats: list[dict[int, bool]]) -> None:
    there, back = noise_floor(repeats, 6), noise_floor(repeats[::-1], 6)
    assert there.floor == pytest.approx(back.floor)
    assert there.flip_rate == pytest.approx(back.flip_rate)
    assert (there.floor is None) == (there.why_none is not None)
