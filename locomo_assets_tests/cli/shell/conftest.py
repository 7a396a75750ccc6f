"""The command line in this process, and a history with two imported releases."""

from pathlib import Path

import pytest

from locomo_assets_tests.cli.shell.running import Commands
from locomo_assets_tests.imports.files import line, lines


@pytest.fixture
def run(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Commands:
    """Runs commands in a home of their own."""
    monkeypatch.chdir(home)
    return Commands(monkeypatch, capsys)


@pytest.fixture
def imported(run: Commands, tmp_path: Path) -> Commands:
    """The same, where `vendor-1` and `vendor-2` are in the history."""
    file = tmp_path / "results.jsonl"
    file.write_bytes(lines(line()))
    for release in ("vendor-1", "vendor-2"):
        done = run("import", "jsonl", str(file), "--release", release, "--system", "some-memory")
        assert done.code == 0, done.err
    return run
