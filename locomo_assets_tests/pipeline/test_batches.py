"""Verdicts by batches in whole runs over a socket: killed, pending, collected; judged once."""

import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import dagster as dg
import pytest

from locomo_assets.history import database
from locomo_assets.judging.canaries import packaged_canaries
from locomo_assets.pipeline.launch import Launch, PendingError, launch, prepare_home
from locomo_assets.services import Services
from locomo_assets.settings import read_settings
from locomo_assets.standin.server import running_standin
from locomo_assets.standin.settings import DEFAULT_KEY, StandinSettings
from locomo_assets_tests.runs.fixtures import DATASET

REPOSITORY = Path(__file__).parents[2]
CONVERSATIONS = [one.conversation for one in DATASET.conversations]
QUESTIONS = 6
WANTED = Launch(release="r1", questions=QUESTIONS)


@pytest.fixture
def served(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The state of a stand-in whose batches take an hour, unless time is made to pass."""
    state = home / "served.sqlite"
    with running_standin(StandinSettings(batch_delay_ms=3_600_000.0), state) as urls:
        for name, value in {
            "DAGSTER_HOME": str(prepare_home(home)),
            "BACKBOARD_BASE_URL": urls.backboard,
            "OPENAI_BASE_URL": urls.openai,
            "BACKBOARD_API_KEY": DEFAULT_KEY,
            "OPENAI_API_KEY": DEFAULT_KEY,
            "LOCOMO_JUDGE_MODE": "batch",
        }.items():
            monkeypatch.setenv(name, value)
        yield state


def _sql(state: Path, sql: str) -> list[tuple[int | None, ...]]:
    with closing(sqlite3.connect(state, timeout=30)) as db, db:
        return db.execute(sql).fetchall()


def _killed_while_pending(state: Path) -> None:
    """A run in a process of its own, killed (SIGKILL) as soon as all its batches are there."""
    command = ("-c", "from locomo_assets.cli import main; main()")
    wanted = ("run", "--release", "r1", "--questions", str(QUESTIONS))
    with subprocess.Popen(
        [sys.executable, *command, *wanted],
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        deadline = time.monotonic() + 120
        while len(_sql(state, "SELECT 1 FROM batches")) < len(CONVERSATIONS):
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.02)
        process.kill()


def test_killed_and_pending_batches_are_collected_and_judged_once(
    served: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _killed_while_pending(served)
    monkeypatch.setenv("LOCOMO_JUDGE_BATCH_WAIT_MINUTES", "0")
    place = Services(read_settings())
    with pytest.raises(PendingError, match=r"batches are pending since .*run it again") as caught:
        launch(WANTED, place)
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith(f"{len(CONVERSATIONS)} of {len(CONVERSATIONS)} conv")
    assert (caught.value.exit_code, caught.value.prefix) == (75, "pending")
    with dg.DagsterInstance.get() as instance:
        done = instance.get_materialized_partitions(dg.AssetKey("answers"))
        assert len(done) == len(CONVERSATIONS)
        assert not instance.get_materialized_partitions(dg.AssetKey("judgements"))

    _sql(served, "UPDATE batches SET ends_at = created_at")
    launch(WANTED, place)
    made = _sql(served, "SELECT requests, judged, failed FROM batches")
    _, [(rows, scored, asked, ways, batches)] = database.query(
        place.settings.database_path,
        "SELECT count(*), count(*) FILTER (verdict IN ('correct', 'wrong')), "
        "count(*) FILTER (asked_by IS NOT NULL), "
        "string_agg(DISTINCT asked_by), count(DISTINCT batch_id) FROM judgements",
    )
    whole = QUESTIONS * len(CONVERSATIONS)
    assert (rows, scored, ways, batches) == (whole, whole, "batch", len(CONVERSATIONS))
    # At the server: a batch a conversation, and each question judged in it once.
    assert len(made) == len(CONVERSATIONS)
    assert sum(requests or 0 for requests, _, _ in made) == asked
    assert [judged for _, judged, _ in made] == [requests for requests, _, _ in made]
    _, [(by_batch, direct)] = database.query(
        place.settings.database_path,
        "SELECT count(*) FILTER (endpoint = 'BATCH /chat/completions'), "
        "count(*) FILTER (endpoint = 'POST /chat/completions') FROM calls",
    )
    assert (by_batch, direct) == (asked, len(packaged_canaries().canaries))
