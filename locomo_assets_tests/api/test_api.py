"""The Python API: cheap to import, read-only, the values of the command line; its docs run."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

import locomo_assets as la
from locomo_assets.analysis.comparison.decision import Conclusion
from locomo_assets.analysis.comparison.gate import WorseError
from locomo_assets.analysis.comparison.series import UnknownReleaseError
from locomo_assets.history.errors import HistoryQueryError, HistoryUnreachableError
from locomo_assets_tests.analysis.factories import HistoryBuilder
from locomo_assets_tests.conftest import REPOSITORY

PAGE = (REPOSITORY / "docs" / "python.md").read_text()
CONVERSATIONS = [f"conv-{number}" for number in range(1, 8)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home whose history has r1 and r2, by two judges; nothing has refreshed it yet."""
    home = tmp_path_factory.mktemp("home")
    (home / "history").mkdir()
    made = HistoryBuilder(home / "history")
    made.dataset(CONVERSATIONS, 10)
    made.measure("r1", dict.fromkeys(CONVERSATIONS, "++++-++++-"), latency_ms=700)
    made.measure("r2", dict.fromkeys(CONVERSATIONS, "+++--+++--"), latency_ms=800)
    made.judge_again("r2", "conv-1", "-----+++++", "strict")
    return home / "history"


@pytest.fixture
def history(folder: Path, monkeypatch: pytest.MonkeyPatch) -> la.History:
    monkeypatch.setenv("LOCOMO_HOME", str(folder.parent))
    return la.open_history()


def test_importing_the_package_is_cheap() -> None:
    script = "import json, sys, locomo_assets; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True)
    heavy = {"pandas", "dagster", "duckdb", "pyarrow", "numpy", "pydantic", "scipy", "httpx"}
    assert heavy.isdisjoint(json.loads(done.stdout))


def test_it_opens_what_the_settings_name_and_brings_it_up_to_date(history: la.History) -> None:
    assert history.releases() == ["r1", "r2"]
    assert history.sql("SELECT count(*) FROM answers WHERE release = $r", {"r": "r1"}).fetchall() \
        == [(70,)]  # fmt: skip


def test_a_folder_a_url_and_a_copied_database_open_too(
    history: la.History, folder: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "copy.duckdb"
    copy.write_bytes(history.database_path.read_bytes())
    for place in (folder, str(folder), folder.as_uri(), copy):
        assert la.open_history(place).releases() == ["r1", "r2"]
    assert la.open_history(folder, refresh=False) == history


def test_what_is_not_there_is_refused_and_not_made(tmp_path: Path) -> None:
    missing = tmp_path / "mistyped"
    with pytest.raises(HistoryUnreachableError, match="there is none; measure a release first"):
        la.open_history(missing)
    with pytest.raises(HistoryUnreachableError, match="history refresh"):
        la.open_history(tmp_path / "none.duckdb")
    assert list(tmp_path.iterdir()) == []


def test_values_are_those_of_the_report_and_the_comparison(history: la.History) -> None:
    report = history.report()
    assert (report.whole.release, report.previous) == ("r2", "r1")
    found = history.compare("r1", "r2")
    assert found.overall.verdict.word is Conclusion.WORSE
    assert report.comparison == found


def test_questions_and_diagnosis_are_frames_of_one_series(history: la.History) -> None:
    questions = history.questions("r2", judge="lexical")
    assert questions.groupby("verdict").size().to_dict() == {"correct": 42, "wrong": 28}
    assert set(questions.latency_ms) == {800}
    wrong = history.diagnosis("r2", judge="lexical")
    assert len(wrong) == 28
    assert set(wrong.judge) == {"lexical"}
    reasons = questions[questions.verdict == "wrong"].reason
    assert list(reasons) == list(wrong.reason)
    assert len(history.questions("r2", judge="strict")) == 10


def test_errors_name_what_there_is(history: la.History) -> None:
    with pytest.raises(UnknownReleaseError, match="choose one of: r2, r1"):
        history.questions("r9")
    with pytest.raises(UnknownReleaseError, match=r"by judge gpt .*there are: .*lexical, isolated"):
        history.diagnosis("r2", judge="gpt")
    for query in ("DELETE FROM answers", "SELECT nope", "COPY answers TO 'answers.csv'"):
        with pytest.raises(HistoryQueryError, match="SQL: "):
            history.sql(query)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        la.nothing  # noqa: B018  # the attribute itself is the test


def test_the_docs_run(history: la.History, capsys: pytest.CaptureFixture[str]) -> None:
    blocks = re.findall(r"^```python\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
    assert len(blocks) >= 9
    names: dict[str, object] = {}
    for block in blocks:
        if "check_gate(" in block:
            continue
        exec(compile(block, "docs/python.md", "exec"), names)
    assert "release r9: no verdicts in the history" in capsys.readouterr().out
    gate = next(block for block in blocks if "check_gate(" in block)
    with pytest.raises(WorseError):
        exec(compile(gate, "docs/python.md", "exec"), names)
