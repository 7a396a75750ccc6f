"""What a person does in the Dagster UI, by its own GraphQL."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import httpx

WHERE = {"repositoryName": "__repository__", "repositoryLocationName": "locomo_assets"}
MEASURED = ("ingested_memories", "answers", "judgements")


@dataclass(frozen=True, slots=True)
class Run:
    """A run of a backfill."""

    run_id: str
    status: str
    tags: dict[str, str]

    @property
    def partition(self) -> str:
        """Its one partition."""
        first, last = (
            self.tags[f"dagster/asset_partition_range_{side}"] for side in ("start", "end")
        )
        assert first == last, (first, last)
        return first


class Ui:
    """The UI at a URL."""

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

    def add_release(self, release: str) -> None:
        """Adds a partition."""
        self.ask(
            "mutation ($where: RepositorySelector!, $key: String!) { addDynamicPartition("
            'partitionsDefName: "release", partitionKey: $key, repositorySelector: $where)'
            " { __typename } }",
            where=WHERE,
            key=release,
        )

    def stop_automation(self) -> None:
        """Switches the sensor off that makes the results by itself."""
        sensor = {**WHERE, "sensorName": "results_automation"}
        query = "query ($which: SensorSelector!) { sensorOrError(sensorSelector: $which) {"
        found = self.ask(query + " ... on Sensor { sensorState { id } } } }", which=sensor)
        self.ask(
            "mutation ($id: String!) { stopSensor(id: $id) { __typename } }",
            id=found["sensorOrError"]["sensorState"]["id"],
        )

    def backfill(self, partitions: Sequence[str]) -> str:
        """Has partitions of the grid measured; the backfill's id."""
        launched = self.ask(
            "mutation ($params: LaunchBackfillParams!) {"
            " launchPartitionBackfill(backfillParams: $params) { __typename"
            " ... on LaunchBackfillSuccess { backfillId } ... on PythonError { message } } }",
            params={
                "assetSelection": [{"path": [name]} for name in MEASURED],
                "partitionNames": list(partitions),
            },
        )["launchPartitionBackfill"]
        return str(launched["backfillId"])

    def backfill_status(self, backfill: str) -> str:
        """Of a backfill."""
        query = "query ($id: String!) { partitionBackfillOrError(backfillId: $id) {"
        answer = self.ask(query + " ... on PartitionBackfill { status } } }", id=backfill)
        return str(answer["partitionBackfillOrError"]["status"])

    def runs(self, backfill: str) -> list[Run]:
        """The runs of a backfill, retries included, newest first."""
        answer = self.ask(
            "query ($where: RunsFilter!) { runsOrError(filter: $where) { ... on Runs { results"
            " { runId status tags { key value } } } } }",
            where={"tags": [{"key": "dagster/backfill", "value": backfill}]},
        )
        return [
            Run(one["runId"], one["status"], {tag["key"]: tag["value"] for tag in one["tags"]})
            for one in answer["runsOrError"]["results"]
        ]

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

    def failure(self, run_id: str) -> str:
        """Why a run failed, as its events tell."""
        answer = self.ask(
            "query ($id: ID!) { logsForRun(runId: $id) { ... on EventConnection { events {"
            " ... on RunFailureEvent { message } ... on ErrorEvent { error { message } } } } } }",
            id=run_id,
        )
        events = answer["logsForRun"]["events"]
        errors = [one["error"]["message"] for one in events if one.get("error")]
        return "\n".join([*errors, *(one["message"] for one in events if one.get("message"))])
