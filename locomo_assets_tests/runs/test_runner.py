"""How failures are told."""

from locomo_assets.errors import LocomoError
from locomo_assets.http.limits import BudgetReachedError
from locomo_assets.runs.context import Task
from locomo_assets.runs.runner import Failed, summarize_failures


def _failed(conversation: str, error: LocomoError) -> Failed:
    return Failed(Task("r1", conversation), "answers", error)


def test_each_cause_is_told_once() -> None:
    failures = [
        _failed("conv-1", BudgetReachedError("cost limit: 0.1 of 1 USD")),
        _failed("conv-2", LocomoError("the service lost it")),
        _failed("conv-3", BudgetReachedError("cost limit: 0.2 of 1 USD")),
    ]
    assert summarize_failures(failures) == (
        "conv-1, conv-3 at answers: cost limit: 0.2 of 1 USD; "
        "conv-2 at answers: the service lost it"
    )
