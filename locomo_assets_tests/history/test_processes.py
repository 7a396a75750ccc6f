"""Concurrent and killed processes: no acknowledged commit is lost."""

import random
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from locomo_assets.history.database import query, refresh
from locomo_assets.history.store import HistoryStore
from locomo_assets_tests.history.writer import FILE_ROWS

WRITERS = 10
COMMITS = 3
READERS = 3


@pytest.fixture
def kills(pytestconfig: pytest.Config) -> int:
    """How often a writer is killed: a few times in the suite, 100 with `make test-kills`."""
    return int(pytestconfig.getoption("kills"))


def start_writer(url: str, writer: str, commits: int) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "locomo_assets_tests.history.writer", url, writer, str(commits)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
    )


def torn_attempts(path: Path) -> list[tuple[object, ...]]:
    """Attempts of which the database does not hold exactly the committed rows."""
    return query(
        path,
        "SELECT attempt_id, row_count, count(answers.attempt_id) FROM attempts "
        "LEFT JOIN answers USING (attempt_id) GROUP BY attempt_id, row_count "
        f"HAVING count(answers.attempt_id) <> {2 * FILE_ROWS} OR row_count <> {3 * FILE_ROWS}",
    )[1]


def test_ten_writers_while_readers_query_and_the_database_is_refreshed(tmp_path: Path) -> None:
    ten_writers_three_readers((tmp_path / "history").as_uri(), tmp_path / "history.duckdb")


def ten_writers_three_readers(url: str, path: Path) -> None:
    """Commits from ten processes beside queries and refreshes: all complete, none lost."""
    refresh(HistoryStore.open(url), path)
    done = threading.Event()
    failures: list[Exception] = []
    counts: list[list[int]] = [[] for _ in range(READERS)]

    def read(seen: list[int]) -> None:
        while not done.is_set():
            try:
                assert torn_attempts(path) == []
                seen.append(query(path, "SELECT count(*) FROM attempts")[1][0][0])
            except Exception as exc:
                failures.append(exc)
            time.sleep(0.02)

    readers = [threading.Thread(target=read, args=(seen,)) for seen in counts]
    writers = [start_writer(url, str(number), COMMITS) for number in range(WRITERS)]
    try:
        for reader in readers:
            reader.start()
        while any(writer.poll() is None for writer in writers):
            refresh(HistoryStore.open(url), path)
            time.sleep(0.05)
    finally:
        done.set()
        for reader in readers:
            reader.join()
        acknowledged = {
            line.strip() for writer in writers for line in writer.communicate()[0].splitlines()
        }
    report = refresh(HistoryStore.open(url), path)
    assert failures == []
    assert all(writer.returncode == 0 for writer in writers)
    assert len(acknowledged) == report.attempts == WRITERS * COMMITS
    assert torn_attempts(path) == []
    assert all(seen == sorted(seen) and seen for seen in counts)


def test_killed_at_random_points_nothing_acknowledged_is_lost_and_nothing_else_visible(
    tmp_path: Path, kills: int
) -> None:
    dice = random.Random(7)
    url = (tmp_path / "history").as_uri()
    path = tmp_path / "history.duckdb"
    store = HistoryStore.open(url)
    acknowledged: set[str] = set()
    for number in range(kills):
        writer = start_writer(url, str(number), 10_000)
        assert writer.stdout is not None
        acknowledged.add(writer.stdout.readline().strip())
        time.sleep(dice.uniform(0, 0.05))
        writer.kill()
        lines = writer.communicate()[0].splitlines(keepends=True)
        acknowledged |= {line.strip() for line in lines if line.endswith("\n")}
    committed = {manifest.attempt_id for manifest in store.manifests()}
    assert acknowledged <= committed
    # a kill between a commit and its acknowledgement leaves at most one more per process
    assert len(committed - acknowledged) <= kills
    assert refresh(store, path).attempts == len(committed)
    assert torn_attempts(path) == []
    unfinished = [
        attempt.attempt_id
        for release in ("r0", "r1", "r2")
        for attempt in store.unfinished("answers", release, "conv-1")
    ]
    assert committed.isdisjoint(unfinished)
    assert len(unfinished) <= kills
