"""Real runs through two kinds of faults: the small form of the table of `make chaos`."""

import pytest

from locomo_assets_tests.chaos.faults import FAULTS, run_fault

BY_NAME = {fault.name: fault for fault in FAULTS}


@pytest.mark.parametrize(
    ("name", "protocol"),
    [("refused after the work, 429", "published"), ("late, any, by 0.3 s", "isolated")],
)
def test_each_turn_and_each_question_once(name: str, protocol: str) -> None:
    result = run_fault(BY_NAME[name], protocol)
    assert result.injected > 0
    assert result.exit_codes == [0]
    assert result.is_right()
    assert result.outcome.noticed == result.outcome.in_one_thread == 0
