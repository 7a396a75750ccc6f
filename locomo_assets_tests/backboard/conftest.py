"""What all tests of the room share."""

import pytest

from locomo_assets.backboard import ask, operations


@pytest.fixture(autouse=True)
def _quick_polls(monkeypatch: pytest.MonkeyPatch) -> None:
    """Polls every 10 ms, and a lost run given up early, because a second a test adds up."""
    monkeypatch.setattr(operations, "_EAGER_PAUSE_S", 0.01)
    monkeypatch.setattr(ask, "_PAUSE_S", 0.01)
    monkeypatch.setattr(ask, "_RUN_S", 0.2)
