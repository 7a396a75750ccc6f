"""docs/judges.md holds what its command prints."""

import subprocess
import sys

import pytest

from locomo_assets_tests.conftest import REPOSITORY, SHARED_DATA

PUBLISHED = SHARED_DATA / "backboard-published"


@pytest.mark.real_data
@pytest.mark.skipif(not PUBLISHED.exists(), reason="../shared/data is not on this machine")
def test_figures_are_those_of_the_command() -> None:
    printed = subprocess.run(
        [sys.executable, "bench/lexical.py", str(PUBLISHED)],
        cwd=REPOSITORY,
        env={"PYTHONPATH": str(REPOSITORY)},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert printed.strip() in (REPOSITORY / "docs" / "judges.md").read_text()
