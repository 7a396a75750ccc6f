"""The paired comparison against scipy, by hand, by simulation, and with the releases swapped."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest, nct, t, ttest_1samp
from statsmodels.stats.multitest import multipletests

from locomo_assets.analysis.comparison.decision import Conclusion
from locomo_assets.analysis.comparison.noise import Measurement, Question, noise_floor
from locomo_assets.analysis.comparison.paired import (
    CLUSTERED,
    FEW_CONVERSATIONS,
    MCNEMAR,
    Pair,
    Paired,
    PValues,
    Shift,
    compare_pairs,
    holm,
    holm_each,
)
from locomo_assets_tests.analysis.factories import decided, pairs_of

OPPOSITE = {
    Conclusion.BETTER: Conclusion.WORSE,
    Conclusion.WORSE: Conclusion.BETTER,
}
SYMMETRIC = {Conclusion.BETTER, Conclusion.WORSE, Conclusion.EQUIVALENT, Conclusion.UNCHANGED}
BOTH = f"{CLUSTERED} and {MCNEMAR}"


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


@pytest.mark.parametrize(("gains", "losses"), [(0, 0), (0, 1), (6, 0), (13, 5), (5, 5), (120, 80)])
def test_mcnemar_is_the_binomial_test_of_what_changed(gains: int, losses: int) -> None:
    found = compare_pairs(pairs_of({"a": (gains, losses, 3)}))
    of = gains + losses
    assert found.mcnemar_p == pytest.approx(float(binomtest(gains, of).pvalue) if of else 1.0)


def test_mcnemar_by_hand() -> None:
    # six changes, all gains: 2 / 2⁶
    assert compare_pairs(pairs_of({"a": (6, 0, 1)})).mcnemar_p == pytest.approx(0.03125)


def test_holm_by_hand() -> None:
    # sorted 0.01, 0.02, 0.04 times 3, 2, 1; None is no test and not counted
    assert holm([0.04, None, 0.01, 0.02]) == pytest.approx([0.04, None, 0.03, 0.04])
    assert holm([None]) == [None]
    assert holm([]) == []


@settings(max_examples=20, deadline=None)  # statsmodels collects all garbage each time
@given(st.lists(st.floats(0.0, 1.0), min_size=1, max_size=8))
def test_holm_is_that_of_statsmodels(p_values: list[float]) -> None:
    assert holm(p_values) == multipletests(p_values, method="holm")[1].tolist()


@pytest.mark.parametrize(
    ("changes", "why", "test"),
    [
        ({}, "nothing was scored", None),
        ({"a": (0, 0, 4), "b": (0, 0, 2)}, "no question changed", None),
        ({"a": (0, 0, 4)}, "no question changed", None),
        ({"a": (9, 0, 4)}, "one conversation only", None),
        ({"a": (4, 0, 4), "b": (4, 0, 4)}, "changed by the same amount", MCNEMAR),
        ({"a": (2, 2, 4), "b": (1, 1, 4)}, "changed by the same amount", None),
        ({"a": (2, 1, 4), "b": (5, 1, 4)}, None, BOTH),
        ({c: (n, 1, 4) for n, c in enumerate("abcdef")}, None, CLUSTERED),
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
        assert decided(found).word in (Conclusion.CANNOT_TELL, Conclusion.UNCHANGED)


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
    called = sum(decided(one).word in (Conclusion.BETTER, Conclusion.WORSE) for one in found)
    assert called == len(found) - held
    assert sum((one.mcnemar_p or 0) < 0.05 for one in found) / len(found) > 0.12


def test_a_true_difference_of_the_detectable_size_is_called_80_times_in_100() -> None:
    dice = np.random.default_rng(8)
    sizes = [one.minimal_detectable_difference or 0.0
             for one in (simulated(dice, 0.0) for _ in range(50))]  # fmt: skip
    truth = float(np.mean(sizes))
    found = [decided(simulated(dice, truth)).word for _ in range(400)]
    assert 0.70 <= found.count(Conclusion.BETTER) / 400 <= 0.90
    assert found.count(Conclusion.WORSE) == 0


@pytest.mark.parametrize("conversations", [6, 10, 50])
def test_detectable_difference_has_its_power_under_the_noncentral_t(conversations: int) -> None:
    changes = {str(n): (3 + n % 2, 1, 6 - n % 2) for n in range(conversations)}
    found = compare_pairs(pairs_of(changes))
    assert found.minimal_detectable_difference
    assert found.standard_error
    shift = found.minimal_detectable_difference / found.standard_error
    freedom = conversations - 1  # all are of one size
    assert found.degrees_of_freedom == pytest.approx(freedom)
    power = float(nct.sf(t.ppf(0.975, freedom), freedom, shift))
    assert power == pytest.approx(0.8, abs=0.04)


SHARES = st.none() | st.sampled_from([0.0, 0.25, 0.5, 1.0])
PAIRS = st.lists(
    st.builds(Pair, st.sampled_from("abcdefgh"), st.booleans(), st.booleans(), SHARES, SHARES)
)


@settings(deadline=None)
@given(PAIRS)
def test_the_other_way_round_only_the_signs_turn(pairs: list[Pair]) -> None:
    there = compare_pairs(pairs)
    back = compare_pairs([Pair(p.conversation, p.correct_b, p.correct_a, p.mean_b, p.mean_a)
                          for p in reversed(pairs)])  # fmt: skip
    assert (back.gains, back.losses) == (there.losses, there.gains)
    assert back.accuracy_a == pytest.approx(there.accuracy_b)
    assert (back.mcnemar_p, back.why_none) == (there.mcnemar_p, there.why_none)
    assert back.deciding_test == there.deciding_test
    word, other = decided(there).word, decided(back).word
    assert {OPPOSITE.get(word, word)} & SYMMETRIC == {other} & SYMMETRIC
    if there.interval is None or back.interval is None or there.difference is None:
        assert back.interval is there.interval is None
        return
    assert back.difference == pytest.approx(-there.difference)
    assert back.standard_error == pytest.approx(there.standard_error)
    assert back.clustered_p == pytest.approx(there.clustered_p)
    assert back.minimal_detectable_difference == pytest.approx(there.minimal_detectable_difference)
    assert back.interval == pytest.approx((-there.interval.high, -there.interval.low))


MEASUREMENTS = st.dictionaries(
    st.tuples(st.sampled_from("ab"), st.integers(0, 5)), st.builds(Measurement, st.booleans())
)


@settings(deadline=None)
@given(st.lists(MEASUREMENTS, max_size=4))
def test_the_floor_does_not_depend_on_the_order_of_repeats(
    repeats: list[dict[Question, Measurement]],
) -> None:
    there, back = noise_floor(repeats, 6), noise_floor(repeats[::-1], 6)
    assert there.floor == pytest.approx(back.floor)
    assert there.flip_rate == pytest.approx(back.flip_rate)
    assert (there.shift is None) == (back.shift is None)
    assert (there.floor is None) == (there.why_none is not None)


def test_repeats_count_with_their_mean() -> None:
    pairs = [Pair(str(n), False, True, 0.25, 0.75) for n in range(6)]
    pairs += [Pair(str(n), True, True, 1.0, 1.0 - n / 12) for n in range(6)]
    found = compare_pairs(pairs)
    changes = [(0.5 - n / 12) / 2 for n in range(6)]
    reference = ttest_1samp(changes, 0.0)
    assert found.difference == pytest.approx(np.mean(changes))
    assert found.accuracy_a == pytest.approx(0.625)
    assert found.clustered_p == pytest.approx(float(reference.pvalue))
    assert (found.gains, found.losses) == (6, 0)  # of the newest verdicts


def test_one_sided_tests_are_scipys() -> None:
    changes = {str(n): (2 + n % 3, 2, 16 - n % 3) for n in range(8)}
    found = compare_pairs(pairs_of(changes), margin=0.1)
    values = [(n % 3) / 20 for n in range(8)]
    below = float(ttest_1samp(values, -0.1, alternative="greater").pvalue)
    above = float(ttest_1samp(values, 0.1, alternative="less").pvalue)
    assert found.p_values.not_worse == pytest.approx(below)
    assert found.p_values.equivalent == pytest.approx(max(below, above))


def test_a_shift_of_whole_runs_widens_the_interval_and_has_satterthwaites_degrees() -> None:
    pairs = pairs_of({str(n): (2 + n % 3, 2, 16 - n % 3) for n in range(8)})
    plain = compare_pairs(pairs)
    assert plain.standard_error
    shifted = compare_pairs(pairs, shift=Shift(3 * plain.standard_error**2, 2))
    assert shifted.standard_error == pytest.approx(2 * plain.standard_error)
    assert shifted.degrees_of_freedom == pytest.approx(16 / (1 / 7 + 9 / 2))
    assert shifted.shift_error == pytest.approx(3**0.5 * plain.standard_error)
    none = compare_pairs(pairs, shift=Shift(0.0, 2))
    assert none.interval == plain.interval


@pytest.mark.parametrize("conversations", range(2, 9))
def test_few_conversations_need_both_tests(conversations: int) -> None:
    """Three gains that fall evenly have hardly any spread, and prove nothing."""
    changes = {str(n): (1, 0, 100 + n % 2) for n in range(conversations)}
    found = compare_pairs(pairs_of(changes), margin=0.05)
    few = conversations < FEW_CONVERSATIONS
    assert found.clustered_p is not None
    assert found.clustered_p < 0.05
    assert (found.deciding_p == found.mcnemar_p) is few
    if few:
        assert found.p_values.equivalent is found.p_values.not_worse is None


def test_no_change_in_many_questions_rules_out_a_change_and_in_few_does_not() -> None:
    many = compare_pairs(pairs_of({str(n): (0, 0, 50) for n in range(10)}))
    few = compare_pairs(pairs_of({str(n): (0, 0, 5) for n in range(10)}))
    assert many.p_values.differs == 1.0
    assert many.p_values.equivalent == many.p_values.not_worse == pytest.approx(0.99**500)
    assert (few.p_values.equivalent or 0) > 0.05


def test_each_question_is_adjusted_by_itself() -> None:
    families = [PValues(0.01, None, 0.04), PValues(0.03, 0.02, None)]
    assert holm_each(families) == [PValues(0.02, None, 0.04), PValues(0.03, 0.02, None)]
