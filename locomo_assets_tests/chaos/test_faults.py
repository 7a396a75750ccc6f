"""A real run through one kind of fault: the small form of the table of `make chaos`."""

from locomo_assets_tests.chaos.faults import FAULTS, run_fault


def test_each_turn_and_each_question_once() -> None:
    """As in `backboard/test_faults.py`, where each kind is; here with the whole of a run."""
    (fault,) = [one for one in FAULTS if one.name == "refused after the work, 429"]
    result = run_fault(fault, "published")
    assert result.injected > 0
    assert result.exit_codes == [0]
    assert result.is_right()
    assert result.outcome.noticed == result.outcome.in_one_thread == 0
