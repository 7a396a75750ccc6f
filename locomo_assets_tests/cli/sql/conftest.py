"""A home with two releases that differ."""

from pathlib import Path

import pytest

from locomo_assets.history.database import refresh
from locomo_assets_tests.analysis.factories import HistoryBuilder


@pytest.fixture(scope="package")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The home; tests only read it."""
    home = tmp_path_factory.mktemp("home")
    (home / "history").mkdir()
    made = HistoryBuilder(home / "history")
    made.dataset(("conv-1", "conv-2"), 10)
    made.measure("r1", {"conv-1": "----+" * 2, "conv-2": "---++" * 2})
    made.measure("r2", {"conv-1": "++++-" * 2, "conv-2": "++-++" * 2})
    refresh(made.store, made.database_path)
    return home
