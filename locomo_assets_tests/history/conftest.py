"""Fixtures of the history's tests."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from locomo_assets_tests.history.factories import QueriedHistory


@pytest.fixture
def history(tmp_path: Path) -> QueriedHistory:
    return QueriedHistory(tmp_path)


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 256 kB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(disk)],
        check=False,
        capture_output=True,
    )
    if mounted.returncode:
        pytest.skip("may not mount a small file system here")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)
