"""The command line as a person runs it: processes, exit codes, one line an error."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest


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


def test_sql_formats(measured: Path) -> None:
    query = "SELECT count(*) AS verdicts FROM current_judgements WHERE release = 'r1'"
    done = _run(measured, "sql", query, "--format", "json")
    assert json.loads(done.stdout) == [{"verdicts": 12}]
    assert _run(measured, "sql", query, "--format", "csv").stdout == "verdicts\n12\n"
    assert "verdicts" in _run(measured, "sql", query).stdout


def test_sql_only_reads(measured: Path) -> None:
    assert "only read" in _refused(_run(measured, "sql", "DELETE FROM answers"))
    assert "no_such" in _refused(_run(measured, "sql", "SELECT * FROM no_such"))


def test_report_and_releases(measured: Path) -> None:
    shown = _run(measured, "report", "--release", "r1").stdout
    assert "standin" in shown
    assert "recall@10 %" in shown
    assert "r1" in _run(measured, "releases").stdout
    assert "release r9" in _refused(_run(measured, "report", "--release", "r9"))


def test_a_page_that_has_no_place_is_refused_in_a_line(measured: Path) -> None:
    for place in ("", str(measured), str(measured / "none" / "report.html")):
        done = _run(measured, "report", "--html", place)
        assert "give a file's name in a folder that exists" in _refused(done)
        assert done.returncode == 2


def test_a_release_is_pinned_and_unpinned(measured: Path) -> None:
    assert "no release is pinned" in _run(measured, "releases", "unpin").stdout
    assert "release r9: no verdicts in the history" in _refused(
        _run(measured, "releases", "pin", "r9")
    )
    assert "r1 is pinned: later" in _run(measured, "releases", "pin", "r1").stdout
    assert "pinned already" in _run(measured, "releases", "pin", "r1").stdout
    assert _run(measured, "releases").stdout.splitlines()[1].rstrip().endswith("pinned")
    sql = "SELECT release, pinned FROM release_status"
    shown = _run(measured, "sql", sql, "--format", "json").stdout
    assert json.loads(shown) == [{"release": "r1", "pinned": True}]
    assert "r1 is no longer pinned" in _run(measured, "releases", "unpin").stdout
    assert "pinned" not in _run(measured, "releases").stdout


def test_compare(measured: Path, tmp_path: Path) -> None:
    home = tmp_path / "two"
    shutil.copytree(measured, home)
    r2 = ("run", "--release", "r2", "--questions", "8")
    assert "not asked 4 of the 16 questions" in _refused(_run(home, *r2, "--gate-against", "r1"))
    assert _run(home, *r2).returncode == 0
    r1 = ("run", "--release", "r1", "--questions", "6", "--force")
    again = _run(home, *r1, "--gate-against", "r2", "--fail-on", "not-equivalent")
    assert (again.returncode, "\nr1 is unchanged from r2: " in again.stdout) == (0, True)
    assert "only r2" in _refused(_run(home, "compare", "r1", "r2"))
    assert "choose one of: r2, r1" in _refused(_run(home, "compare", "r1", "r9"))
    output = _run(home, "compare", "r1", "r2", "--intersection").stdout
    assert output.startswith("r2 is unchanged from r1: no question of 12 changed")
    assert "repeats r1 2, of 12 questions: 0.0 % flip" in " ".join(output.split())
    assert "note: left out: 4 of 16 questions only r2 has" in output
    assert max(len(line) for line in output.splitlines()) <= 100
    everything = _run(home, "compare", "r1", "r2", "--intersection", "--format", "json").stdout
    assert json.loads(everything)["overall"]["verdict"]["word"] == "unchanged"


def test_history_is_maintained(measured: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(measured, copy)
    assert "brought up to date" in _run(copy, "history", "refresh").stdout
    assert "rebuilt" in _run(copy, "history", "rebuild").stdout
    assert "0 damaged" in _run(copy, "history", "check").stdout
    assert "nothing to compact" in _run(copy, "history", "compact", "--dry-run").stdout
    assert "0 attempts" in _run(copy, "history", "prune", "--keep-days", "1").stdout
    data_file = next((copy / "history" / "tables" / "answers").rglob("*.parquet"))
    data_file.write_bytes(data_file.read_bytes()[::-1])
    done = _run(copy, "history", "check")
    assert data_file.name in done.stdout
    assert "1 faults" in _refused(done)


def test_help_names_the_cost(tmp_path: Path) -> None:
    assert "paid" in _run(tmp_path, "run", "--help").stdout
    for command in ("sql", "report", "releases", "compare", "standin"):
        assert "cost" in _run(tmp_path, command, "--help").stdout.lower()


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
