"""Runs that the Dagster UI stops: cancelled by a person, or for their length by the daemon."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from locomo_assets_tests.browser.graphql import Ui
from locomo_assets_tests.browser.serving import dagster_ui
from locomo_assets_tests.chaos.place import RELEASE, Place, served
from locomo_assets_tests.runs.fixtures import DATASET

pytestmark = pytest.mark.waits

CONVERSATIONS = [one.conversation for one in DATASET.conversations]


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    with served(tmp_path, DATASET) as made:
        for name, value in made.settings.items():
            monkeypatch.setenv(name, value)
        yield made


def test_cancelled_in_the_ui_and_too_long_are_gone_on_with(place: Place) -> None:
    """One test, because a UI takes long to start."""
    ended = ("SUCCESS", "FAILURE", "CANCELED")
    with dagster_ui(place.home, folder=place.home) as url:
        ui = Ui(url)
        dataset = ui.launch("locomo_dataset")
        assert ui.until(dataset, *ended) == "SUCCESS"
        ui.add_release(RELEASE)
        cancelled = ui.measure(RELEASE, CONVERSATIONS)
        _until_told(place, 3)
        ui.ask("mutation ($id: String!) { terminateRun(runId: $id) { __typename } }", id=cancelled)
        told, begun = place.done().turns, time.monotonic()
        assert ui.until(cancelled, *ended) == "CANCELED"
        assert time.monotonic() - begun < 15
        # One turn of each conversation may have been under way.
        assert place.done().turns <= told + 2 * len(DATASET.conversations)

        too_long = ui.measure(RELEASE, CONVERSATIONS, **{"dagster/max_runtime": "1"})
        assert ui.until(too_long, *ended) in ("FAILURE", "CANCELED")
        at_its_end = place.done()
    assert place.done() == at_its_end
    assert at_its_end.verdicts < place.questions
    place.finish()
    place.assert_whole()


def _until_told(place: Place, turns: int) -> None:
    deadline = time.monotonic() + 60
    while place.done().turns < turns:
        assert time.monotonic() < deadline
        time.sleep(0.02)
