"""The noise floor, by hand and by simulation, and what it does to the words."""

from math import sqrt

import numpy as np
import pytest

from locomo_assets.analysis.decision import Conclusion, decide
from locomo_assets.analysis.noise import common_floor, exceeds, noise_floor
from locomo_assets.analysis.paired import MCNEMAR, compare_pairs
from locomo_assets_tests.analysis.test_paired import pairs_of

NEVER = noise_floor(list[dict[int, bool]](), 1)


def test_two_repeats_by_hand() -> None:
    newest = {"q1": True, "q2": True, "q3": False, "q4": True, "only here": True}
    older = {"q1": True, "q2": False, "q3": False, "q4": False}
    found = noise_floor([newest, older], compared=400)
    assert (found.repeats, found.questions) == (2, 4)
    assert found.accuracies == (0.75, 0.25)
    assert found.flip_rate == 0.5
    assert found.largest_difference == 0.5
    # so few questions say how often one flips, not how far a run of 400 moves
    assert found.floor == pytest.approx(1.959964 * sqrt(0.5 / 400))


def test_what_moves_a_whole_run_counts_where_the_repeats_are_broad() -> None:
    newest = dict.fromkeys(range(100), True)
    older = {number: number >= 30 for number in range(100)}
    by_flips = 1.959964 * sqrt(0.3 / 200)
    assert noise_floor([newest, older], compared=200).floor == pytest.approx(0.3)
    assert noise_floor([newest, older], compared=201).floor == pytest.approx(by_flips, rel=0.01)


def test_flips_that_cancel_out_still_make_a_floor() -> None:
    newest = {number: number % 10 == 0 for number in range(100)}
    older = {number: number % 10 == 1 for number in range(100)}
    found = noise_floor([newest, older], compared=100)
    assert found.largest_difference == 0.0
    assert found.flip_rate == 0.2
    assert found.floor == pytest.approx(1.959964 * sqrt(0.2 / 100))


def test_measured_once_has_no_floor() -> None:
    histories: list[list[dict[str, bool]]] = [
        [], [{"q": True}], [{"q": True}, {"other": False}], [{}, {}]
    ]  # fmt: skip
    for repeats in histories:
        found = noise_floor(repeats, compared=10)
        assert found.floor is None
        assert "measured once" in str(found.why_none)
    assert common_floor([NEVER]) is None


def test_the_larger_floor_counts_and_either_sign_is_above_it() -> None:
    steady = noise_floor([{1: True, 2: True}, {1: True, 2: True}], compared=2)
    shaky = noise_floor([{1: True, 2: True}, {1: False, 2: True}], compared=2)
    assert steady.floor == 0.0
    assert common_floor([steady, shaky, NEVER]) == shaky.floor
    assert exceeds(-0.2, 0.1) is True
    assert exceeds(0.1, 0.1) is False
    assert exceeds(0.1, None) is None
    assert exceeds(None, 0.1) is None


def test_two_runs_of_one_release_stay_below_the_floor_95_times_in_100() -> None:
    dice = np.random.default_rng(2)
    chances = dice.beta(2, 1, 400)  # of each question, to be answered correctly

    def run() -> dict[int, bool]:
        return {n: bool(hit) for n, hit in enumerate(dice.random(400) < chances)}

    below = 0
    for _ in range(400):
        floor = noise_floor([run(), run()], compared=400).floor
        difference = (sum(run().values()) - sum(run().values())) / 400
        below += exceeds(difference, floor) is False
    assert 0.93 <= below / 400 <= 0.995


BETTER = compare_pairs(pairs_of({"a": (5, 1, 4), "b": (4, 1, 5), "c": (5, 0, 5), "d": (6, 1, 3)}))


def test_better_needs_both_the_test_and_the_floor() -> None:
    assert decide(BETTER, 0.1).word == Conclusion.BETTER
    assert "above the noise floor, 10.00 points" in decide(BETTER, 0.1).because
    below = decide(BETTER, 0.5)
    assert below.word == Conclusion.CANNOT_TELL
    assert "not above the noise floor" in below.because
    assert decide(BETTER, None).word == Conclusion.BETTER
    assert "not known" in decide(BETTER, None).because


def test_the_adjusted_p_takes_the_place_of_the_plain_one() -> None:
    assert decide(BETTER, None, p_adjusted=0.06).word == Conclusion.CANNOT_TELL
    assert "Holm p = 0.06" in decide(BETTER, None, p_adjusted=0.06).because


def test_all_conversations_alike_is_for_mcnemar_to_decide() -> None:
    few = compare_pairs(pairs_of({"a": (1, 0, 1), "b": (1, 0, 1)}))
    many = compare_pairs(pairs_of({"a": (0, 5, 0), "b": (0, 5, 0)}))
    assert few.deciding_test == many.deciding_test == MCNEMAR
    assert decide(few, None).word == Conclusion.CANNOT_TELL
    assert decide(many, None).word == Conclusion.WORSE
    assert MCNEMAR in decide(many, None).because


def test_cannot_tell_says_what_could_be_told() -> None:
    small = compare_pairs(pairs_of({"a": (2, 1, 40), "b": (0, 1, 40), "c": (1, 0, 41)}))
    found = decide(small, None)
    assert found.word == Conclusion.CANNOT_TELL
    assert "would often go unseen" in found.because
    two = compare_pairs(pairs_of({"a": (5, 1, 4), "b": (1, 1, 8)}))
    assert "so few conversations" in decide(two, None).because
