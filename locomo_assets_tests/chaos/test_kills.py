"""Real runs, killed and stopped in the middle: the small form of `make chaos`."""

import random
import signal
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from locomo_assets_tests.chaos.killing import STAGES, kill_runs
from locomo_assets_tests.chaos.place import RELEASE, Place, Process, served, until
from locomo_assets_tests.runs.fixtures import DATASET


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    with served(tmp_path, DATASET) as made:
        yield made


def test_killed_and_stopped_runs_are_gone_on_with(place: Place) -> None:
    """One test, because each run starts a Dagster of its own for some seconds."""
    # Each time other points, so that in the long run all are tried; the seed stands in a failure.
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    dice = random.Random(seed)

    kills = kill_runs(place, STAGES[:1], dice)
    for number in (signal.SIGINT, signal.SIGTERM):
        with place.running() as process:
            until(partial(_tells_more, place, place.done().turns), process)
            told = place.done().turns
            _stop(process, number)
            # One turn of each conversation may have been under way.
            assert place.done().turns <= told + 2 * len(DATASET.conversations)
    kills += kill_runs(place, STAGES[1:], dice)
    place.finish()
    place.assert_whole()
    place.assert_little_was_paid_twice(kills)


def _tells_more(place: Place, turns: int) -> bool:
    return place.done().turns > turns


def _stop(process: Process, number: signal.Signals) -> None:
    process.send_signal(number)
    begun = time.monotonic()
    _, errors = process.communicate(timeout=30)
    assert time.monotonic() - begun < 5
    assert process.returncode == 130
    (line,) = [one for one in errors.splitlines() if one.startswith("stopped: ")]
    assert "the same command goes on: " in line
    assert f"--release {RELEASE}" in line
    assert "Traceback" not in errors
