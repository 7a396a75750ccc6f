"""What the diagnosis of a series says in a sentence."""

from locomo_assets.analysis.diagnosis import Diagnosis, Stage


def test_the_sentence_has_the_commonest_reason_first_and_the_share_that_is_not_known() -> None:
    stages = (Stage("never_stored", "never stored", 1, 25.0), Stage("unknown", "unknown", 3, 75.0))
    assert Diagnosis(4, stages, 75.0).line() == (
        "Of 4 wrong answers: unknown 3; never stored 1. The evidence of 75 % can't be traced."
    )
    assert Diagnosis(1, stages[:1], 0.0).line() == (
        "Of 1 wrong answer: never stored 1. The evidence of 0 % can't be traced."
    )
    assert Diagnosis(0, (), None).line() == "No answer is wrong."
