"""What all tests share: an environment without keys and a home of their own."""

import os
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent
SHARED_DATA = REPOSITORY.parent / "shared" / "data"


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test sees the settings or keys of whoever runs it."""
    for name in list(os.environ):
        if name.startswith(("LOCOMO_", "BACKBOARD_", "OPENAI_", "DAGSTER_")):
            monkeypatch.delenv(name)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A LOCOMO_HOME of this test alone."""
    monkeypatch.setenv("LOCOMO_HOME", str(tmp_path))
    return tmp_path


@pytest.fixture
def real_dataset() -> Path:
    """The real data set, where it is there to read."""
    path = SHARED_DATA / "locomo10.json"
    if not path.exists():
        pytest.skip("the real data set is not beside the project")
    return path
