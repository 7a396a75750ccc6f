"""Interrupting: what holds while the coroutine runs, and no longer. The signals themselves are
tested with whole processes, in `test_launcher`.
"""

import gc

import pytest

from locomo_assets.pipeline.interrupt import run_interruptibly


async def frozen(error: Exception | None = None) -> int:
    if error is not None:
        raise error
    return gc.get_freeze_count()


def test_what_is_loaded_is_not_looked_through_meanwhile() -> None:
    assert run_interruptibly(frozen()) > 10_000
    assert gc.get_freeze_count() == 0


def test_a_failure_thaws_it_too() -> None:
    with pytest.raises(ValueError, match="of the work"):
        run_interruptibly(frozen(ValueError("of the work")))
    assert gc.get_freeze_count() == 0
