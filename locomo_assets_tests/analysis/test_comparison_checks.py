"""Findings on the judge, and on a release beside the one before it."""

import pytest

from locomo_assets.analysis.checks import judge_canaries


@pytest.mark.parametrize(
    ("right", "wrong", "passed"), [(100.0, 0.0, True), (70.0, 0.0, False), (100.0, 30.0, False)]
)
def test_a_judge_that_lets_wrong_answers_pass_fails(
    right: float, wrong: float, passed: bool
) -> None:
    found = judge_canaries(
        {
            "canaries_right_accepted_percent": right,
            "canaries_wrong_accepted_percent": wrong,
            "canaries_vague_accepted_percent": 90.0,
        }
    )
    assert found.passed is passed
    assert not found.grave
    assert f"{wrong:g} % of the wrong" in found.actual


def test_a_release_without_canaries_is_told_to_have_none() -> None:
    found = judge_canaries({})
    assert found.passed
    assert "no canaries" in found.actual
