"""Agreement of two judges, against a case worked by hand."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from locomo_assets.analysis.agreement import agreement


def test_worked_by_hand() -> None:
    pairs = [(True, True)] * 20 + [(True, False)] * 5 + [(False, True)] * 10 + [(False, False)] * 15
    found = agreement(pairs)
    assert found.answers == 50
    assert found.agreement == pytest.approx(0.7)
    # chance: 0.5 * 0.6 + 0.5 * 0.4 = 0.5
    assert found.kappa == pytest.approx(0.4)
    assert found.balanced_accuracy == pytest.approx((0.8 + 0.6) / 2)


@pytest.mark.parametrize("only", [True, False])
def test_one_kind_of_verdict_has_no_kappa(only: bool) -> None:
    found = agreement([(only, only)] * 3)
    assert (found.agreement, found.kappa, found.balanced_accuracy) == (1.0, None, None)


def test_nothing_judged_is_nothing_known() -> None:
    found = agreement([])
    assert (found.answers, found.agreement, found.kappa) == (0, None, None)


@given(st.lists(st.tuples(st.booleans(), st.booleans()), max_size=30))
def test_kappa_does_not_care_who_is_first(pairs: list[tuple[bool, bool]]) -> None:
    there, back = agreement(pairs), agreement([(b, a) for a, b in pairs])
    assert there.kappa == (None if back.kappa is None else pytest.approx(back.kappa))
    assert there.only_a_correct == back.only_b_correct
