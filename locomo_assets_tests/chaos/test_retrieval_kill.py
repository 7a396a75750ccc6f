"""A run with an answering model of one's own, killed: what was saved is not paid for again."""

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from locomo_assets.history.database import query
from locomo_assets.standin.server import running_standin
from locomo_assets.standin.settings import DEFAULT_KEY, StandinSettings
from locomo_assets_tests.conftest import REPOSITORY
from locomo_assets_tests.judging.scripted import KEY, ScriptedServer, completion, scripted_server
from locomo_assets_tests.runs.fixtures import DATASET

pytestmark = pytest.mark.waits

ASKED = sum(q.category != 5 for one in DATASET.conversations for q in one.questions)
UNDER_WAY = 16
"""As many requests as may be under way at once, and as many that are not yet saved."""


def started(home: Path, settings: dict[str, str]) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [
            *(sys.executable, "-c", "from locomo_assets.cli import main; main()"),
            *("run", "--release", "r1"),
        ],
        env={**os.environ, "PYTHONPATH": str(REPOSITORY), "LOCOMO_HOME": str(home), **settings},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


def answers_given(server: ScriptedServer) -> Counter[str]:
    """How often each question was asked."""
    asked = (body["messages"][0]["content"] for body in list(server.bodies))
    return Counter(text.rsplit("Question: ", 1)[1].strip() for text in asked)


def test_a_killed_run_is_gone_on_with(tmp_path: Path) -> None:
    slow = completion("In Lisbon.")
    slow.delay_s = 0.2
    with (
        running_standin(StandinSettings(), tmp_path / "served.sqlite") as urls,
        scripted_server() as server,
    ):
        server.verdicts = [slow]
        settings = {
            "LOCOMO_QUESTION_PROTOCOL": "retrieval",
            "LOCOMO_MEMORY_WAIT": "conversation",
            "LOCOMO_MAX_REQUESTS_IN_FLIGHT": "8",
            "BACKBOARD_BASE_URL": urls.backboard,
            "BACKBOARD_API_KEY": DEFAULT_KEY,
            "LOCOMO_ANSWER_BASE_URL": server.base_url,
            "LOCOMO_ANSWER_API_KEY": KEY,
        }
        process = started(tmp_path, settings)
        try:
            until = time.monotonic() + 120
            while len(server.bodies) < 20:
                assert process.poll() is None, process.communicate()[1]
                assert time.monotonic() < until
                time.sleep(0.02)
            process.send_signal(signal.SIGKILL)
            process.communicate(timeout=30)
            killed_at = len(server.bodies)
            assert killed_at < ASKED
            process = started(tmp_path, settings)
            _, errors = process.communicate(timeout=240)
            assert process.returncode == 0, errors
        finally:
            process.kill()
        given = answers_given(server)
    assert len(server.bodies) <= ASKED + UNDER_WAY
    # More than half of what was asked before the kill was not asked again.
    assert sum(number > 1 for number in given.values()) < killed_at - 4
    database = tmp_path / "history" / "history.duckdb"
    counted = "SELECT count(*), count(DISTINCT retrieval_id) FROM current_answers"
    _, rows = query(database, f"{counted} WHERE outcome = 'answered'")
    assert rows == [(ASKED, ASKED)]
    _, [(kept,)] = query(database, "SELECT count(DISTINCT fingerprint) FROM retrievals")
    assert kept == ASKED
