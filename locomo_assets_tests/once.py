"""What is costly to make and only started from: made once a session, for all workers; copied."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from filelock import FileLock


def made_once(
    factory: pytest.TempPathFactory, name: str, folder: Path, make: Callable[[], None]
) -> None:
    """Fills a folder with what `make` puts there: called by the first test alone, copied by others.

    What it makes must not name the folder it lies in.
    """
    base = factory.getbasetemp()
    kept = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / f"once-{name}"
    with FileLock(f"{kept}.lock"):
        if kept.exists():
            shutil.copytree(kept, folder, dirs_exist_ok=True)
        else:
            make()
            shutil.copytree(folder, kept)
