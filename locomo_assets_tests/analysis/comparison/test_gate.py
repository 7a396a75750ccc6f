"""The gate: which decision fails by which threshold, and with which exit code."""

import pytest

from locomo_assets.analysis.comparison.decision import Conclusion
from locomo_assets.analysis.comparison.gate import check_decision, fails
from locomo_assets.analysis.fail_on import FailOn
from locomo_assets.errors import LocomoError

WORSE, CANNOT_TELL, NOT_EQUIVALENT = 4, 5, 6


@pytest.mark.parametrize(
    ("word", "claims", "worse", "cannot_tell", "not_equivalent"),
    [
        (Conclusion.BETTER, (), 0, 0, NOT_EQUIVALENT),
        (Conclusion.BETTER, (Conclusion.EQUIVALENT,), 0, 0, 0),
        (Conclusion.EQUIVALENT, (), 0, 0, 0),
        (Conclusion.UNCHANGED, (), 0, 0, 0),
        (Conclusion.NOT_WORSE, (), 0, 0, NOT_EQUIVALENT),
        (Conclusion.CANNOT_TELL, (), 0, CANNOT_TELL, CANNOT_TELL),
        (Conclusion.WORSE, (), WORSE, WORSE, WORSE),
        (Conclusion.WORSE, (Conclusion.EQUIVALENT,), WORSE, WORSE, WORSE),
        (Conclusion.INVALID, (), CANNOT_TELL, CANNOT_TELL, CANNOT_TELL),
    ],
)
def test_each_threshold_also_fails_on_those_before_it(
    word: Conclusion,
    claims: tuple[Conclusion, ...],
    worse: int,
    cannot_tell: int,
    not_equivalent: int,
) -> None:
    codes = [
        getattr(fails(word, claims, one), "exit_code", 0)
        for one in (FailOn.worse, FailOn.cannot_tell, FailOn.not_equivalent)
    ]
    assert codes == [worse, cannot_tell, not_equivalent]
    assert fails(word, claims, None) is None


def test_the_error_names_the_threshold_and_the_way_out() -> None:
    check_decision("r1", "r2", Conclusion.CANNOT_TELL, (), FailOn.worse)
    with pytest.raises(LocomoError, match=r"--fail-on is cannot-tell; `locomo-assets plan"):
        check_decision("r1", "r2", Conclusion.CANNOT_TELL, (), FailOn.cannot_tell)
    with pytest.raises(LocomoError, match=r"worse, and --fail-on is worse; .*compare r1 r2"):
        check_decision("r1", "r2", Conclusion.WORSE, (), FailOn.worse)
