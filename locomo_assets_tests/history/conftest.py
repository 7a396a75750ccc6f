"""Fixtures of the history's tests."""

from pathlib import Path

import pytest

from locomo_assets_tests.history.factories import QueriedHistory


@pytest.fixture
def history(tmp_path: Path) -> QueriedHistory:
    return QueriedHistory(tmp_path)
