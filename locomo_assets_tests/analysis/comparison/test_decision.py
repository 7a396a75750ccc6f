"""The decision rule: what holds, which of it is said, and what can't be told."""

import pytest

from locomo_assets.analysis.comparison.decision import (
    Conclusion,
    Evidence,
    decide,
    in_points,
    p_text,
)
from locomo_assets.analysis.comparison.paired import Paired, PValues, compare_pairs
from locomo_assets_tests.analysis.factories import decided, pairs_of


def evenly(gains: int, losses: int, same: int, conversations: int = 8) -> Paired:
    """Each conversation changes alike, but for one question in every other."""
    return compare_pairs(
        pairs_of({str(n): (gains + n % 2, losses, same) for n in range(conversations)})
    )


BETTER = evenly(5, 1, 20)
WORSE = compare_pairs(pairs_of({str(n): (1, 5 + n % 2, 20) for n in range(8)}))
HARDLY_WORSE = compare_pairs(pairs_of({str(n): (0, 1 + n % 2, 398) for n in range(8)}))
HARDLY_BETTER = compare_pairs(pairs_of({str(n): (1 + n % 2, 0, 398) for n in range(8)}))
EQUIVALENT = compare_pairs(pairs_of({str(n): (4 + n % 2, 4 + (n + 1) % 2, 900) for n in range(8)}))
NOT_WORSE = compare_pairs(
    pairs_of({str(n): (4 * (n % 2), (n + 1) % 2, 200 - 4 * (n % 2)) for n in range(8)})
)
NOISE = compare_pairs(pairs_of({str(n): (3 * (n % 2), 3 * (1 - n % 2), 20) for n in range(8)}))
SAME = compare_pairs(pairs_of({str(n): (0, 0, 50) for n in range(8)}))


@pytest.mark.parametrize(
    ("paired", "word", "because"),
    [
        (BETTER, Conclusion.BETTER, "more than chance explains"),
        (WORSE, Conclusion.WORSE, "more than chance explains"),
        (HARDLY_WORSE, Conclusion.WORSE, "it is less than 1 point"),
        (HARDLY_BETTER, Conclusion.BETTER, "it is less than 1 point"),
        (EQUIVALENT, Conclusion.EQUIVALENT, "within 1"),
        (NOT_WORSE, Conclusion.NOT_WORSE, "a drop of 1 point or more is ruled out"),
        (NOISE, Conclusion.CANNOT_TELL, "would often go unseen"),
        (SAME, Conclusion.UNCHANGED, "no question of 400 changed"),
        (compare_pairs([]), Conclusion.CANNOT_TELL, "no question was scored in both"),
    ],
)
def test_the_strongest_that_holds_is_said(paired: Paired, word: Conclusion, because: str) -> None:
    found = decided(paired)
    assert found.word == word
    assert because in found.because


def test_what_is_worse_can_still_be_not_worse_by_the_margin() -> None:
    assert Conclusion.NOT_WORSE in decided(HARDLY_WORSE).claims
    assert Conclusion.NOT_WORSE not in decided(WORSE).claims
    assert Conclusion.NOT_WORSE in decided(BETTER).claims


def test_the_margin_decides_what_is_equivalent() -> None:
    assert decided(EQUIVALENT, 0.01).word == Conclusion.EQUIVALENT
    tight = compare_pairs(
        pairs_of({str(n): (4 + n % 2, 4 + (n + 1) % 2, 900) for n in range(8)}), margin=0.0001
    )
    assert decided(tight, 0.0001).word == Conclusion.CANNOT_TELL


def test_the_adjusted_p_takes_the_place_of_the_plain_one() -> None:
    adjusted = Evidence(BETTER, PValues(0.06, None, 0.06), adjusted=True)
    found = decide(adjusted, margin=0.01)
    assert found.word == Conclusion.CANNOT_TELL
    assert "Holm p = 0.060" in found.because


def test_both_bounds_have_to_say_the_same() -> None:
    def found(*bounds: Paired) -> tuple[Conclusion, str]:
        decision = decide(
            Evidence.alone(BETTER),
            [Evidence.alone(one) for one in bounds],
            margin=0.01,
            unanswered=9,
        )
        return decision.word, decision.because

    assert found(BETTER, BETTER)[0] == Conclusion.BETTER
    assert found(EQUIVALENT, BETTER)[0] == Conclusion.NOT_WORSE
    for low in (NOISE, WORSE):
        word, because = found(low, BETTER)
        assert word == Conclusion.CANNOT_TELL
        assert "9 questions went unanswered" in because


def test_few_conversations_are_named_as_the_reason() -> None:
    three = compare_pairs(pairs_of(dict.fromkeys("ab", (5, 1, 4)) | {"c": (6, 1, 3)}))
    one = compare_pairs(pairs_of({"a": (9, 0, 4)}))
    few = compare_pairs(pairs_of({"a": (1, 0, 99), "b": (2, 0, 180)}))
    assert decided(three).word == Conclusion.BETTER
    for paired, text in ((one, "there is only 1 conversation"), (few, "only 2 conversations")):
        found = decide(Evidence.alone(paired), margin=0.01, conversations_there=10)
        assert found.word == Conclusion.CANNOT_TELL
        assert text in found.because
        assert "measure all 10" in found.because
        assert "measure all" not in decided(paired).because


def test_all_conversations_alike_is_for_mcnemar_to_decide() -> None:
    many = compare_pairs(pairs_of({str(n): (0, 2, 0) for n in range(6)}))
    assert decided(many).word == Conclusion.WORSE
    assert "exact McNemar" in decided(many).because


@pytest.mark.parametrize(
    ("p", "text"),
    [
        (None, "no p-value"),
        (0.0, "p < 1e-16"),
        (1e-17, "p < 1e-16"),
        (3.2e-7, "p = 3.2e-07"),
        (0.0014, "p = 0.001"),
        (0.25, "p = 0.250"),
    ],
)
def test_no_p_value_is_shown_as_0(p: float | None, text: str) -> None:
    assert p_text(p) == text


def test_one_point_is_one() -> None:
    assert [in_points(one) for one in (0.01, 0.02, 0.005)] == ["1 point", "2 points", "0.5 points"]
