"""Real runs, killed and stopped in the middle, against a faulty stand-in in another process."""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from locomo_assets.history import lens
from locomo_assets.standin.settings import DEFAULT_KEY
from locomo_assets_tests.measurement.world import DATASET, Record, assert_told_once

TURNS = sum(len(one.turns) for one in DATASET.conversations)
QUESTIONS = sum(q.category != 5 for one in DATASET.conversations for q in one.questions)
REPOSITORY = Path(__file__).parents[2]
RUN = [
    *(sys.executable, "-c", "from locomo_assets.cli import main; main()"),
    *("run", "--release", "r1"),
]


class Place:
    """A home, and the environment of runs in it."""

    def __init__(self, home: Path, port: int) -> None:
        root = f"http://127.0.0.1:{port}"
        self.record = Record(home / "served.sqlite")
        self.lens_path = home / "history" / "history.duckdb"
        self._environment = {
            **os.environ,
            "PYTHONPATH": str(REPOSITORY),
            "LOCOMO_HOME": str(home),
            "LOCOMO_MEMORY_WAIT": "conversation",
            "BACKBOARD_BASE_URL": f"{root}/api",
            "BACKBOARD_API_KEY": DEFAULT_KEY,
            "OPENAI_BASE_URL": f"{root}/v1",
            "OPENAI_API_KEY": DEFAULT_KEY,
        }

    @contextmanager
    def running(self) -> Iterator["subprocess.Popen[str]"]:
        with subprocess.Popen(
            RUN,
            env=self._environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            try:
                yield process
            finally:
                process.kill()

    def until_told(self, messages: int, process: "subprocess.Popen[str]") -> None:
        _until(lambda: self.record.count() >= messages, process)

    def finish(self) -> None:
        with self.running() as process:
            _, errors = process.communicate(timeout=60)
        assert process.returncode == 0, errors

    def count(self, sql: str) -> int:
        [(number,)] = lens.query(self.lens_path, sql)[1]
        return int(str(number))

    def assert_whole(self) -> None:
        """Each turn once and in order, each question once, with a verdict."""
        for conversation in DATASET.conversations:
            assert_told_once(self.record, conversation)
        assert self.count("SELECT count(*) FROM ingested_turns") == TURNS
        assert self.count("SELECT count(DISTINCT dia_id || conversation) FROM ingested_turns") == (
            TURNS
        )
        assert self.count("SELECT count(*) FROM current_judgements") == QUESTIONS
        assert (
            self.count(
                "SELECT count(DISTINCT (conversation, question_index)) FROM current_judgements "
                "WHERE verdict IN ('correct', 'wrong')"
            )
            == QUESTIONS
        )


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    port_file = tmp_path / "port"
    with subprocess.Popen(
        [
            *(sys.executable, "-m", "locomo_assets_tests.measurement.serving"),
            *(str(tmp_path / "served.sqlite"), str(port_file)),
        ],
        cwd=REPOSITORY,
    ) as server:
        try:
            _until(port_file.exists, server)
            yield Place(tmp_path, int(port_file.read_text()))
        finally:
            server.kill()


def _until(
    true: Callable[[], bool], process: "subprocess.Popen[str] | subprocess.Popen[bytes]"
) -> None:
    deadline = time.monotonic() + 40
    while not true():
        assert process.poll() is None, "the process ended before it came so far"
        assert time.monotonic() < deadline, "the process did not come so far in time"
        time.sleep(0.01)


def test_killed_runs_are_gone_on_with(place: Place) -> None:
    dice = random.Random()
    in_turns = sorted(dice.sample(range(1, TURNS), 2))
    in_questions = TURNS + dice.randrange(1, QUESTIONS)
    for point in (*in_turns, in_questions):
        with place.running() as process:
            place.until_told(point, process)
            process.kill()
    place.finish()
    place.assert_whole()


def test_interrupt_stops_soon_and_is_gone_on_with(place: Place) -> None:
    with place.running() as process:
        place.until_told(TURNS // 2, process)
        told = place.record.count()
        process.send_signal(signal.SIGINT)
        begun = time.monotonic()
        _, errors = process.communicate(timeout=30)
        assert time.monotonic() - begun < 5
    assert process.returncode == 130
    assert errors.splitlines()[-1].endswith("the same command with the same --release goes on")
    assert "Traceback" not in errors
    assert place.record.count() < told + 10
    place.finish()
    place.assert_whole()
