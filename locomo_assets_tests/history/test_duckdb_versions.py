"""`history.duckdb` is read by people's own DuckDB: every table and view, by plain SQL.

The wheels are kept in pytest's cache folder. Without a package index these tests are skipped.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from filelock import FileLock

from locomo_assets.history.database import refresh
from locomo_assets.history.store import HistoryStore
from locomo_assets_tests.history.factories import (
    commit_answers,
    commit_dataset,
    commit_verdicts,
    lineage,
)

VERSIONS = ("1.5.0", "2.0.0")
"""The first of each line that docs/sql.md names."""
READ = """
import json, sys, duckdb
connection = duckdb.connect(sys.argv[1], read_only=True)
connection.execute("SET TimeZone = 'UTC'")
names = connection.execute(
    "SELECT table_name FROM information_schema.tables WHERE table_schema = 'main'"
).fetchall()
rows = {name: len(connection.execute(f'FROM "{name}"').fetchall()) for (name,) in names}
begun = connection.execute("SELECT min(begun_at)::VARCHAR FROM attempts").fetchone()[0]
print(json.dumps({"version": duckdb.__version__, "rows": rows, "begun": begun}))
"""


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("read")
    store = HistoryStore.open(folder.as_uri())
    commit_dataset(store)
    for release in ("r1", "r2"):
        commit_answers(store, lineage("answers", release))
        commit_verdicts(store, lineage("judgements", release), ["correct", "wrong"] * 5)
    return refresh(store, folder / "history.duckdb").path


def installed(version: str, config: pytest.Config) -> Path:
    """A folder with that wheel alone; skips where it can't be had."""
    assert config.cache is not None
    folder = config.cache.mkdir("duckdb-wheels") / f"{version}-{sys.implementation.cache_tag}"
    uv = Path(sys.executable).with_name("uv")
    with FileLock(f"{folder}.lock"):
        if not (folder / "whole").exists():
            if not uv.exists():
                pytest.skip("no uv beside this Python")
            words = ["pip", "install", "-q", "--no-deps", "--python", sys.executable, "--target"]
            done = subprocess.run(
                [str(uv), *words, str(folder), f"duckdb=={version}"],
                capture_output=True,
                text=True,
                timeout=60,
                check=False,
            )
            if done.returncode:
                pytest.skip(f"DuckDB {version} can't be installed: {done.stderr.strip()[-200:]}")
            (folder / "whole").touch()
    return folder


@pytest.mark.parametrize("version", VERSIONS)
def test_people_s_own_duckdb_reads_every_table_and_view(
    version: str, path: Path, pytestconfig: pytest.Config
) -> None:
    done = subprocess.run(
        [sys.executable, "-c", READ, str(path)],
        env={**os.environ, "PYTHONPATH": str(installed(version, pytestconfig)), "TZ": "Asia/Tokyo"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["version"] == version
    assert found["begun"].endswith("+00")
    rows = found["rows"]
    assert (rows["answers"], rows["judgements"], rows["current_judgements"]) == (20, 20, 20)
    assert rows["accuracy_by_release"] >= 2
    assert len(rows) > 60


def test_the_docs_name_these_versions() -> None:
    text = (Path(__file__).parents[2] / "docs" / "sql.md").read_text()
    for version in VERSIONS:
        assert version.removesuffix(".0") in text
    assert "SET TimeZone = 'UTC'" in text
