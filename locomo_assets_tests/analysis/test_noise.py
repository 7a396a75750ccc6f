"""The noise floor, by hand and by simulation."""

from math import sqrt

import numpy as np
import pytest

from locomo_assets.analysis.noise import common_floor, exceeds, noise_floor

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
