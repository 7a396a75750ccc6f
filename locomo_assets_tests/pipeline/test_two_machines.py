"""Two copies of the whole pipeline with one history on S3: each publishes the database, and both
results stand in it.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from locomo_assets.history import database
from locomo_assets.history.store import HistoryStore

REPOSITORY = Path(__file__).resolve().parents[2]


def _machine() -> list[str]:
    """A process with its own view of processes, mounts and host name, where that is allowed."""
    unshare = ["unshare", "--fork", "--pid", "--mount", "--mount-proc", "--uts", "--ipc"]
    allowed = shutil.which("unshare") and subprocess.run(
        [*unshare, "true"], capture_output=True, check=False
    )
    return unshare if allowed and allowed.returncode == 0 else []


def test_two_machines_publish_one_database(
    s3_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = [*_machine(), sys.executable, "-m", "locomo_assets.cli", "run", "--questions", "3"]
    monkeypatch.setenv("LOCOMO_HISTORY", s3_url)
    monkeypatch.delenv("AWS_MAX_ATTEMPTS")
    machines = [
        subprocess.Popen(
            [*command, "--release", release],
            env={**os.environ, "LOCOMO_HOME": str(tmp_path / release)},
            cwd=REPOSITORY,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for release in ("r1", "r2")
    ]
    for machine in machines:
        output, _ = machine.communicate(timeout=200)
        assert machine.returncode == 0, output
    store = HistoryStore.open(s3_url)
    published = tmp_path / "published.duckdb"
    published.write_bytes(store.storage.get(database.DATABASE_NAME))
    # Whoever published last may have begun before the other's last commit.
    database.publish(store, tmp_path / "r1" / "history.duckdb")
    count = "SELECT release, count(*) FROM current_judgements GROUP BY ALL ORDER BY ALL"
    assert {row[0] for row in database.query(published, count)[1]} <= {"r1", "r2"}
    published.unlink()
    published.write_bytes(store.storage.get(database.DATABASE_NAME))
    assert database.query(published, count)[1] == [("r1", 6), ("r2", 6)]
    database.refresh(store, tmp_path / "r2" / "history.duckdb")
    assert database.query(tmp_path / "r2" / "history.duckdb", count)[1] == [("r1", 6), ("r2", 6)]
