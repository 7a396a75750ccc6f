"""The decision rule: when B is better, worse, or cannot be told."""

from locomo_assets.analysis.decision import Conclusion, decide
from locomo_assets.analysis.paired import MCNEMAR, compare_pairs
from locomo_assets_tests.analysis.factories import pairs_of

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


def test_cannot_tell_says_what_is_detectable() -> None:
    small = compare_pairs(pairs_of({"a": (2, 1, 40), "b": (0, 1, 40), "c": (1, 0, 41)}))
    found = decide(small, None)
    assert found.word == Conclusion.CANNOT_TELL
    assert "would often go unseen" in found.because
    two = compare_pairs(pairs_of({"a": (5, 1, 4), "b": (1, 1, 8)}))
    assert "so few conversations" in decide(two, None).because
