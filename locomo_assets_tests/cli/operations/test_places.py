"""The commands in homes and places with spaces, percent signs and letters of all kinds."""

import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from locomo_assets.cli import application
from locomo_assets.history.database import DATABASE_NAME, query
from locomo_assets.history.store import HistoryStore
from locomo_assets.settings import SettingsError, read_settings
from locomo_assets_tests.history.factories import commit_answers, lineage

HOMES = ["sp ace", "ünï çødé 記憶", "100%", "%20", "a#b", 'it\'s "q" & $HOME;']


def locomo(*words: str) -> str:
    done = CliRunner().invoke(application(), words)
    assert done.exit_code == 0, done.output
    return done.output


def test_from_a_run_to_a_restored_history(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home, backup, restored = (tmp_path / f"{name} {' '.join(HOMES)}" for name in "hbr")
    monkeypatch.setenv("LOCOMO_HOME", str(home))
    monkeypatch.setenv("LOCOMO_BACKUP", f"{backup.as_uri()}\n")
    words = ["run", "--release", "r1", "--questions", "2"]
    subprocess.run([sys.executable, "-m", "locomo_assets.cli", *words], check=True)
    assert (home / "history" / DATABASE_NAME).exists()
    assert "release r1" in locomo("report", "--release", "r1")
    count = query(home / "history" / DATABASE_NAME, "SELECT count(*) FROM answers")[1]
    assert str(count[0][0]) in locomo("sql", "SELECT count(*) FROM answers")
    locomo("backup")
    assert backup.as_uri() in locomo("verify")
    locomo("restore", "--to", restored.as_uri().replace("file:", "FILE:"))
    url = restored.as_uri().replace("//", "//localhost", 1)
    monkeypatch.setenv("LOCOMO_HISTORY", url)
    assert str(restored / DATABASE_NAME) in locomo("history", "rebuild")
    assert query(restored / DATABASE_NAME, "SELECT count(*) FROM answers")[1] == count
    # Nothing was made in a folder of a name that was not decoded.
    assert {one.name for one in tmp_path.iterdir()} == {home.name, backup.name, restored.name}


@pytest.mark.parametrize("name", HOMES)
def test_the_database_lies_in_its_home(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOCOMO_HOME", str(tmp_path / name))
    monkeypatch.setenv("LOCOMO_BACKUP", (tmp_path / f"{name} backup").as_uri())
    store = HistoryStore.open(read_settings().history_url)
    commit_answers(store, lineage("answers", "r1"))
    for words in (["history", "refresh"], ["backup"], ["verify"], ["sql", "SELECT 1"]):
        locomo(*words)
    assert (tmp_path / name / "history" / DATABASE_NAME).exists()
    assert {one.name for one in tmp_path.iterdir()} == {name, f"{name} backup"}


def test_a_home_that_dagster_can_t_keep_is_refused_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCOMO_HOME", "/tmp/a?b")  # nothing is made there
    with pytest.raises(SettingsError, match=r"LOCOMO_HOME: Dagster can't keep .* `\?`"):
        read_settings()
