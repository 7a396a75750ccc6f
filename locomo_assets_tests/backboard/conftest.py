"""What all tests of the room share."""

import pytest

from locomo_assets.backboard import operations


@pytest.fixture(autouse=True)
def _quick_polls(monkeypatch: pytest.MonkeyPatch) -> None:
    """Polls of memory operations every 10 ms, because a second a test adds up."""
    monkeypatch.setattr(operations, "_EAGER_PAUSE_S", 0.01)
