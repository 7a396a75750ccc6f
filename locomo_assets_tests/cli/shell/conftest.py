"""The command line in this process, and a history with two imported releases."""

from pathlib import Path

import pytest

from locomo_assets_tests.cli.shell.running import Commands
from locomo_assets_tests.imports.files import line, lines
from locomo_assets_tests.once import made_once


@pytest.fixture
def run(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Commands:
    """Runs commands in a home of their own."""
    monkeypatch.chdir(home)
    return Commands(monkeypatch, capsys)


@pytest.fixture
def imported(run: Commands, home: Path, tmp_path_factory: pytest.TempPathFactory) -> Commands:
    """The same, where `vendor-1` and `vendor-2` are in the history."""

    def make() -> None:
        file = home / "results.jsonl"
        file.write_bytes(lines(line()))
        for release in ("vendor-1", "vendor-2"):
            words = ("jsonl", str(file), "--release", release, "--system", "some-memory")
            done = run("import", *words)
            assert done.code == 0, done.err

    made_once(tmp_path_factory, "imported", home, make)
    return run
