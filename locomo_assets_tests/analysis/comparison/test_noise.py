"""The noise floor, by hand and by simulation."""

from collections.abc import Mapping, Sequence
from math import sqrt

import numpy as np
import pytest

from locomo_assets.analysis.comparison.noise import (
    FlipRate,
    Measurement,
    NoiseFloor,
    Question,
    common_floor,
    contained,
    exceeds,
    noise_floor,
    run_shift,
    shift_of_difference,
)
from locomo_assets.analysis.comparison.paired import compare_pairs
from locomo_assets_tests.analysis.factories import pairs_of

Repeat = dict[Question, Measurement]


def repeat(verdicts: Mapping[int, bool], conversation: str = "c", memory: str = "") -> Repeat:
    """A repeat of one conversation: position → correct."""
    return {(conversation, n): Measurement(hit, memory or None) for n, hit in verdicts.items()}


def floor_of(repeats: Sequence[Mapping[int, bool]], compared: int) -> NoiseFloor:
    return noise_floor([repeat(one) for one in repeats], compared)


NEVER = floor_of([], 1)


def test_two_repeats_by_hand() -> None:
    newest = {1: True, 2: True, 3: False, 4: True, 5: True}
    older = {1: True, 2: False, 3: False, 4: False}
    found = floor_of([newest, older], compared=400)
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
    assert floor_of([newest, older], compared=200).floor == pytest.approx(0.3)
    assert floor_of([newest, older], compared=201).floor == pytest.approx(by_flips, rel=0.01)


def test_flips_that_cancel_out_still_make_a_floor() -> None:
    newest = {number: number % 10 == 0 for number in range(100)}
    older = {number: number % 10 == 1 for number in range(100)}
    found = floor_of([newest, older], compared=100)
    assert found.largest_difference == 0.0
    assert found.flip_rate == 0.2
    assert found.floor == pytest.approx(1.959964 * sqrt(0.2 / 100))


def test_measured_once_has_no_floor() -> None:
    histories: list[list[dict[int, bool]]] = [
        [], [{1: True}], [{1: True}, {2: False}], [{}, {}]
    ]  # fmt: skip
    for repeats in histories:
        found = floor_of(repeats, compared=10)
        assert found.floor is None
        assert "measured once" in str(found.why_none)
    assert common_floor([NEVER]) is None


def test_the_larger_floor_counts_and_either_sign_is_above_it() -> None:
    steady = floor_of([{1: True, 2: True}, {1: True, 2: True}], compared=2)
    shaky = floor_of([{1: True, 2: True}, {1: False, 2: True}], compared=2)
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
        floor = floor_of([run(), run()], compared=400).floor
        difference = (sum(run().values()) - sum(run().values())) / 400
        below += exceeds(difference, floor) is False
    assert 0.93 <= below / 400 <= 0.995


def test_what_was_done_anew_tells_the_sources_apart() -> None:
    repeats = [
        repeat({1: True, 2: True, 3: True, 4: True}, memory="new"),
        repeat({1: True, 2: True, 3: True, 4: False}, memory="old"),
        repeat({1: True, 2: False, 3: False, 4: False}, memory="old"),
    ]
    found = noise_floor(repeats, 4, FlipRate(10, 0.1))
    assert found.judging == FlipRate(10, 0.1)
    assert found.answering == FlipRate(4, 0.5)
    assert found.remembering == FlipRate(8, 4 / 8)
    unknown = noise_floor([repeat({1: True}), repeat({1: False})], 1)
    assert unknown.answering == unknown.remembering == FlipRate(0, None)


def runs(
    dice: np.random.Generator, count: int, shift: float, conversations: int = 10
) -> list[Repeat]:
    """Runs of 150 questions a conversation with a 10 % chance to flip, all moved by a `shift`."""
    found = []
    for _ in range(count):
        moved = 0.5 + dice.normal(0, shift)
        found.append({
            (str(c), n): Measurement(bool(dice.random() < (moved if n < 30 else 1.0)))
            for c in range(conversations) for n in range(150)
        })  # fmt: skip
    return found


def test_a_shift_of_whole_runs_is_told_from_flips() -> None:
    dice = np.random.default_rng(4)

    def mean(shift: float) -> float:
        found = [run_shift(runs(dice, 5, shift)) for _ in range(40)]
        return float(np.mean([one.variance for one in found if one]))

    # a fifth of the questions moves by 0.1, the whole by 0.02
    assert mean(0.1) == pytest.approx(0.02**2, rel=0.35)
    assert abs(mean(0.0)) < 0.1 * 0.02**2
    flips = 0.2 * 0.25 / 1500
    assert flips < 0.1 * 0.02**2


def test_a_shift_needs_two_broad_repeats_of_two_conversations() -> None:
    one = repeat(dict.fromkeys(range(10), True))
    assert noise_floor([one, one], 10).shift is None
    both = one | repeat(dict.fromkeys(range(10), True), "d")
    found = noise_floor([both, both], 20)
    assert found.shift == (0.0, 1)
    assert noise_floor([both, both], 41).shift is None


def test_a_shift_of_one_release_counts_for_both() -> None:
    both = repeat({1: True}) | repeat({1: True}, "d")
    other = repeat({1: False}) | repeat({1: False}, "d")
    moved = noise_floor([both, other, both], 2)
    assert moved.shift
    assert tuple(moved.shift) == pytest.approx((1 / 3, 2))
    assert shift_of_difference(None, None) is None
    once = shift_of_difference(moved.shift, None)
    assert once
    assert tuple(once) == pytest.approx((1 / 3 * (1 / 3 + 1), 2))
    steady = noise_floor([both, both], 2)
    pooled = shift_of_difference(moved.shift, steady.shift)
    assert pooled
    assert tuple(pooled) == pytest.approx((2 / 9 * (1 / 3 + 1 / 2), 3))


def test_the_reader_is_told_what_the_interval_allows_for() -> None:
    paired = compare_pairs(pairs_of({str(n): (n, 1, 9) for n in range(6)}))
    assert "not what moves a whole run" in contained(paired, NEVER, NEVER)
    assert "measured once" in contained(paired, NEVER, NEVER)
    assert contained(compare_pairs([]), NEVER, NEVER).startswith("nothing")
