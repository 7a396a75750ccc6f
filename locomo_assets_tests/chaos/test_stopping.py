"""Runs that the Dagster UI stops: cancelled by a person, or for their length by the daemon."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from locomo_assets_tests.browser.serving import dagster_ui
from locomo_assets_tests.chaos.place import RELEASE, Place, served
from locomo_assets_tests.measurement.world import DATASET

WHERE = {"repositoryName": "__repository__", "repositoryLocationName": "locomo_assets"}
FIRST, LAST = (DATASET.conversations[n].conversation for n in (0, -1))
MEASURED = ("ingested_memories", "answers", "judgements")


class Ui:
    """What a person does in the UI, by its own GraphQL."""

    def __init__(self, url: str) -> None:
        self._url = url

    def ask(self, query: str, **variables: object) -> Any:
        body = {"query": query, "variables": variables}
        answer = httpx.post(f"{self._url}/graphql", json=body, timeout=30).json()
        assert not answer.get("errors"), answer
        return answer["data"]

    def launch(self, *assets: str, **tags: str) -> str:
        """Starts a run of assets; its id."""
        launched = self.ask(
            "mutation ($params: ExecutionParams!) { launchRun(executionParams: $params) {"
            " __typename ... on LaunchRunSuccess { run { runId } }"
            " ... on PythonError { message } } }",
            params={
                "selector": {
                    **WHERE,
                    "jobName": "__ASSET_JOB",
                    "assetSelection": [{"path": [name]} for name in assets],
                },
                "executionMetadata": {"tags": [{"key": k, "value": v} for k, v in tags.items()]},
            },
        )["launchRun"]
        return str(launched["run"]["runId"])

    def measure(self, **tags: str) -> str:
        """Starts a run of all conversations of the release."""
        ranged = {
            "dagster/asset_partition_range_start": f"{FIRST}|{RELEASE}",
            "dagster/asset_partition_range_end": f"{LAST}|{RELEASE}",
        }
        return self.launch(*MEASURED, **ranged, **tags)

    def status(self, run_id: str) -> str:
        """Of a run."""
        query = "query ($id: ID!) { runOrError(runId: $id) { ... on Run { status } } }"
        return str(self.ask(query, id=run_id)["runOrError"]["status"])

    def until(self, run_id: str, *statuses: str, seconds: float = 60.0) -> str:
        """The status, once it is one of these."""
        deadline = time.monotonic() + seconds
        while (status := self.status(run_id)) not in statuses:
            assert time.monotonic() < deadline, f"the run is {status}"
            time.sleep(0.1)
        return status


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    with served(tmp_path, DATASET) as made:
        for name, value in made.settings.items():
            monkeypatch.setenv(name, value)
        yield made


def test_cancelled_in_the_ui_and_too_long_are_gone_on_with(place: Place) -> None:
    """One test, because a UI takes long to start."""
    ended = ("SUCCESS", "FAILURE", "CANCELED")
    with dagster_ui(place.home) as url:
        ui = Ui(url)
        dataset = ui.launch("locomo_dataset")
        assert ui.until(dataset, *ended) == "SUCCESS"
        ui.ask(
            "mutation ($where: RepositorySelector!, $key: String!) { addDynamicPartition("
            'partitionsDefName: "release", partitionKey: $key, repositorySelector: $where)'
            " { __typename } }",
            where=WHERE,
            key=RELEASE,
        )
        cancelled = ui.measure()
        _until_told(place, 3)
        ui.ask("mutation ($id: String!) { terminateRun(runId: $id) { __typename } }", id=cancelled)
        told, begun = place.done().turns, time.monotonic()
        assert ui.until(cancelled, *ended) == "CANCELED"
        assert time.monotonic() - begun < 15
        # One turn of each conversation may have been under way.
        assert place.done().turns <= told + 2 * len(DATASET.conversations)

        too_long = ui.measure(**{"dagster/max_runtime": "1"})
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
