"""Bounds against published ones, and what looks conclude on small simulated measurements."""

import numpy as np
import pytest

from bench.simulations.stopping import (
    PUBLISHED,
    Questions,
    p_values,
    read_published,
    simulate,
)
from locomo_assets.analysis.comparison.decision import Conclusion
from locomo_assets.analysis.comparison.paired import Pair, compare_pairs
from locomo_assets.analysis.design.sequential import (
    LOOKS,
    SPENT,
    Bounds,
    bounds,
    conclude,
    critical_values,
    spent,
)


def test_critical_values_are_the_published_ones() -> None:
    """Five equal looks, two-sided 5 %: the values that LD98 (Reboussin et al. 2000) gives."""
    found = critical_values(LOOKS, 0.05, sides=2)
    assert found == pytest.approx([4.877, 3.357, 2.680, 2.290, 2.031], abs=1e-3)


def test_looks_spend_the_whole_rate_and_no_more() -> None:
    assert spent(1.0, SPENT, sides=2) == pytest.approx(SPENT)
    assert spent(1.0, SPENT, sides=1) == pytest.approx(SPENT)
    found = [bound.differs for bound in bounds()]
    assert found == sorted(found)
    assert found[-1] < SPENT < sum(found)


def test_one_look_is_an_ordinary_test() -> None:
    (only,) = bounds((1.0,))
    assert (only.differs, only.equivalent) == pytest.approx((SPENT, SPENT), abs=1e-4)


_EASY = Bounds(0.04, 0.04)


def _pairs(gained: int, lost: int) -> list[Pair]:
    """Ten conversations of 100 questions; each gains and loses some, a little more or less."""
    pairs = []
    for number in range(10):
        up, down = gained + number % 2, lost + number % 3
        pairs += [Pair(str(number), False, True)] * up + [Pair(str(number), True, False)] * down
        pairs += [Pair(str(number), True, True)] * (100 - up - down)
    return pairs


@pytest.mark.parametrize(
    ("gained", "lost", "word"),
    [
        (9, 1, Conclusion.BETTER),
        (1, 9, Conclusion.WORSE),
        (2, 2, Conclusion.EQUIVALENT),
    ],
)
def test_what_a_look_concludes(gained: int, lost: int, word: Conclusion) -> None:
    paired = compare_pairs(_pairs(gained, lost), margin=0.03)
    assert conclude([paired], _EASY) is word
    assert conclude([paired], Bounds(1e-12, 1e-12)) is Conclusion.CANNOT_TELL


def test_bounds_of_missing_verdicts_must_agree() -> None:
    better = compare_pairs(_pairs(9, 1), margin=0.03)
    open_ = compare_pairs(_pairs(2, 2), margin=0.001)
    assert conclude([better, better], _EASY) is Conclusion.BETTER
    assert conclude([better, open_], _EASY) is Conclusion.CANNOT_TELL


def _random_questions() -> Questions:
    random = np.random.default_rng(3)
    conversation = np.repeat(np.arange(10), 60)
    category = random.integers(1, 5, 600)
    return Questions(conversation, category, random.random(600) < 0.9)


def test_the_simulation_compares_as_compare_does() -> None:
    random = np.random.default_rng(4)
    conversation = np.repeat(np.arange(8), 25)
    change = random.integers(-1, 2, (3, 200)).astype(np.int8)
    there = random.random((3, 200)) < 0.6
    difference, differs, equivalent = p_values(conversation, change, there, 0.05)
    for row in range(3):
        pairs = [
            Pair(str(conversation[at]), bool(change[row, at] < 0), bool(change[row, at] > 0))
            for at in np.flatnonzero(there[row])
        ]
        paired = compare_pairs(pairs, margin=0.05)
        assert paired.difference == pytest.approx(difference[row])
        assert paired.p_values.differs == pytest.approx(differs[row])
        assert paired.p_values.equivalent == pytest.approx(equivalent[row])


def test_looks_keep_their_error_rate_and_save_questions() -> None:
    questions, random = _random_questions(), np.random.default_rng(5)
    none = simulate(questions, 0.0, 1.0, random, 1500)
    assert none.better + none.worse < 0.075
    clear = simulate(questions, 12.0, 1.0, random, 200)
    assert clear.better > 0.95
    assert clear.asked < 0.75


@pytest.mark.skipif(not PUBLISHED.exists(), reason="the published verdicts are not there")
def test_the_published_verdicts_are_read() -> None:
    questions = read_published()
    assert len(questions.right) == 1540
    assert questions.right.sum() == 1386
