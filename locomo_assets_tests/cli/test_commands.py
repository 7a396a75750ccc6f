"""The command line as a person runs it: exit codes, one line an error. What measures, and how each
kind of command ends, is seen in processes; what is read after that, in this one.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from locomo_assets_tests.cli.shell.running import Commands, Ended


def _run(home: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [str(Path(sys.executable).with_name("locomo-assets")), *arguments]
    given = {"PATH": os.environ["PATH"], "LOCOMO_HOME": str(home), **environment}
    return subprocess.run(
        command, env=given, capture_output=True, text=True, check=False, timeout=120
    )


def _refused(done: subprocess.CompletedProcess[str]) -> str:
    """The one line of an error."""
    assert done.returncode != 0
    assert "Traceback" not in done.stderr + done.stdout
    assert "leaked" not in done.stderr
    lines = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert len(lines) == 1, done.stderr
    return lines[0]


Here = Callable[..., Ended]


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Here:
    """Runs a command over a home in this process, which has loaded what it needs."""
    commands = Commands(monkeypatch, capsys)

    def run(home: Path, *arguments: str) -> Ended:
        monkeypatch.setenv("LOCOMO_HOME", str(home))
        return commands(*arguments)

    return run


def _line(done: Ended) -> str:
    """The one line of an error."""
    assert done.code != 0
    assert done.line.startswith("error: ")
    return done.line


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("home")
    done = _run(home, "run", "--release", "r1", "--questions", "6")
    assert done.returncode == 0, done.stderr
    assert "accuracy %" in done.stdout
    assert "wrong answers: evidence" in done.stdout
    assert "history.duckdb" in done.stdout
    assert "make dev" in done.stdout
    return home


def test_sql_formats(measured: Path, here: Here) -> None:
    query = "SELECT count(*) AS verdicts FROM current_judgements WHERE release = 'r1'"
    done = here(measured, "sql", query, "--format", "json")
    assert json.loads(done.out) == [{"verdicts": 12}]
    assert here(measured, "sql", query, "--format", "csv").out == "verdicts\n12\n"
    assert "verdicts" in here(measured, "sql", query).out


def test_sql_only_reads(measured: Path) -> None:
    assert "only read" in _refused(_run(measured, "sql", "DELETE FROM answers"))
    assert "no_such" in _refused(_run(measured, "sql", "SELECT * FROM no_such"))


def test_report_and_releases(measured: Path, here: Here) -> None:
    shown = here(measured, "report", "--release", "r1").out
    assert "standin" in shown
    assert "recall@10 %" in shown
    assert "r1" in here(measured, "releases").out
    assert "release r9" in _line(here(measured, "report", "--release", "r9"))


def test_a_page_that_has_no_place_is_refused_in_a_line(measured: Path, here: Here) -> None:
    for place in ("", str(measured), str(measured / "none" / "report.html")):
        done = here(measured, "report", "--html", place)
        assert "give a file's name in a folder that exists" in _line(done)
        assert done.code == 2


def test_a_release_is_pinned_and_unpinned(measured: Path, here: Here) -> None:
    assert "no release is pinned" in here(measured, "releases", "unpin").out
    assert "release r9: no verdicts in the history" in _line(
        here(measured, "releases", "pin", "r9")
    )
    assert "r1 is pinned: later" in here(measured, "releases", "pin", "r1").out
    assert "pinned already" in here(measured, "releases", "pin", "r1").out
    assert here(measured, "releases").out.splitlines()[1].rstrip().endswith("pinned")
    sql = "SELECT release, pinned FROM release_status"
    shown = here(measured, "sql", sql, "--format", "json").out
    assert json.loads(shown) == [{"release": "r1", "pinned": True}]
    assert "r1 is no longer pinned" in here(measured, "releases", "unpin").out
    assert "pinned" not in here(measured, "releases").out


def test_compare(measured: Path, tmp_path: Path, here: Here) -> None:
    home = tmp_path / "two"
    shutil.copytree(measured, home)
    r2 = ("run", "--release", "r2", "--questions", "8")
    assert "not asked 4 of the 16 questions" in _refused(_run(home, *r2, "--gate-against", "r1"))
    assert _run(home, *r2).returncode == 0
    r1 = ("run", "--release", "r1", "--questions", "6", "--force")
    again = _run(home, *r1, "--gate-against", "r2", "--fail-on", "not-equivalent")
    assert (again.returncode, "\nr1 is unchanged from r2: " in again.stdout) == (0, True)
    assert "only r2" in _line(here(home, "compare", "r1", "r2"))
    assert "choose one of: r2, r1" in _line(here(home, "compare", "r1", "r9"))
    output = here(home, "compare", "r1", "r2", "--intersection").out
    assert output.startswith("r2 is unchanged from r1: no question of 12 changed")
    assert "repeats r1 2, of 12 questions: 0.0 % flip" in " ".join(output.split())
    assert "note: left out: 4 of 16 questions only r2 has" in output
    assert max(len(line) for line in output.splitlines()) <= 100
    everything = here(home, "compare", "r1", "r2", "--intersection", "--format", "json").out
    assert json.loads(everything)["overall"]["verdict"]["word"] == "unchanged"


def test_history_is_maintained(measured: Path, tmp_path: Path, here: Here) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(measured, copy)
    assert "brought up to date" in here(copy, "history", "refresh").out
    assert "rebuilt" in here(copy, "history", "rebuild").out
    assert "0 damaged" in here(copy, "history", "check").out
    assert "nothing to compact" in here(copy, "history", "compact", "--dry-run").out
    assert "0 attempts" in here(copy, "history", "prune", "--keep-days", "1").out
    data_file = next((copy / "history" / "tables" / "answers").rglob("*.parquet"))
    data_file.write_bytes(data_file.read_bytes()[::-1])
    done = here(copy, "history", "check")
    assert data_file.name in done.out
    assert "1 faults" in _line(done)


def test_help_names_the_cost(tmp_path: Path, here: Here) -> None:
    assert "paid" in here(tmp_path, "run", "--help").out
    for command in ("sql", "report", "releases", "compare", "standin"):
        assert "cost" in here(tmp_path, command, "--help").out.lower()


def test_errors_are_one_line(tmp_path: Path) -> None:
    missing = _run(tmp_path, "run", "--dataset", str(tmp_path / "none.json"))
    assert "none.json" in _refused(missing)
    assert "nothing is measured in" in _refused(_run(tmp_path / "empty", "sql", "SELECT 1"))
    assert "conv-99" in _refused(_run(tmp_path, "run", "--conversations", "conv-99"))
    down = _run(
        tmp_path,
        "run",
        BACKBOARD_BASE_URL="http://127.0.0.1:9/api",
        BACKBOARD_API_KEY="planted-key",
    )
    assert "127.0.0.1:9" in _refused(down)
    assert "planted-key" not in down.stderr + down.stdout
