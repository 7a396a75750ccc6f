"""Fixtures of all tests of `backboard`."""

import pytest

from locomo_assets.backboard import ask, operations


@pytest.fixture(autouse=True)
def _quick_polls(monkeypatch: pytest.MonkeyPatch) -> None:
    """Poll every 10 ms, and give a lost run up early: a second in each test adds up."""
    monkeypatch.setattr(operations, "_EAGER_PAUSE_S", 0.01)
    monkeypatch.setattr(ask, "_PAUSE_S", 0.01)
    monkeypatch.setattr(ask, "_RUN_S", 0.2)
