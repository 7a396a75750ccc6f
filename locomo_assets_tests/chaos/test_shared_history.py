"""Runs of two homes over one history on S3: they keep out of each other's way, and one goes on
where the other was killed.
"""

import signal
import time
from pathlib import Path

import pytest

from locomo_assets_tests.chaos.place import Kill, error_line, served, until
from locomo_assets_tests.runs.fixtures import DATASET

pytestmark = pytest.mark.waits


def test_second_run_stops_and_goes_on_once_the_first_is_dead(s3_url: str, tmp_path: Path) -> None:
    with served(tmp_path, DATASET, s3_url) as place:
        # Else the second would not come so far as to want the first one's partition.
        place.settings["LOCOMO_RUNS_AT_ONCE"] = "2"
        with place.running(home=tmp_path / "first") as first:
            until(lambda: place.done().turns >= 3, first)
            # Asleep, so that it is still at work when the second has started.
            first.send_signal(signal.SIGSTOP)
            with place.running() as second:
                _, errors = second.communicate(timeout=60)
            assert second.returncode == 1
            assert "is at work on it (its lease lasts until" in error_line(errors)
            assert "wait for that run or stop it" in error_line(errors)
            assert first.poll() is None
            first.kill()
            killed = Kill("turns", time.time(), place.done())
        place.finish()
        place.assert_whole()
        place.assert_little_was_paid_twice([killed])
