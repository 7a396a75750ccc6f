"""What a person does in the Dagster UI, by its own GraphQL."""

import time
from collections.abc import Mapping, Sequence
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


def range_tags(release: str, conversations: Sequence[str]) -> dict[str, str]:
    """Of a run over a release's conversations, the first to the last."""
    return {
        "dagster/asset_partition_range_start": f"{conversations[0]}|{release}",
        "dagster/asset_partition_range_end": f"{conversations[-1]}|{release}",
    }


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

    def backfill(
        self, assets: Sequence[str], partitions: Sequence[str], config: Mapping[str, Any]
    ) -> str:
        """Launches a backfill, as the dialog *Materialize* does; its id."""
        launched = self.ask(
            "mutation ($params: LaunchBackfillParams!) { launchPartitionBackfill(backfillParams:"
            " $params) { __typename ... on LaunchBackfillSuccess { backfillId }"
            " ... on PythonError { message } } }",
            params={
                "assetSelection": [{"path": [name]} for name in assets],
                "partitionNames": list(partitions),
                "runConfigData": config,
            },
        )["launchPartitionBackfill"]
        assert launched["__typename"] == "LaunchBackfillSuccess", launched
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

    def measure(self, release: str, conversations: Sequence[str], **tags: str) -> str:
        """Starts a run of a release's conversations, the first to the last."""
        return self.launch(*MEASURED, **range_tags(release, conversations), **tags)

    def backfill_state(self, backfill_id: str) -> tuple[str, list[tuple[str, str]]]:
        """A backfill's status, and each of its runs' id and status."""
        found = self.ask(
            "query ($id: String!) { partitionBackfillOrError(backfillId: $id) { ... on"
            " PartitionBackfill { status runs(limit: 100) { runId status } } } }",
            id=backfill_id,
        )["partitionBackfillOrError"]
        return found["status"], [(run["runId"], run["status"]) for run in found["runs"]]

    def partitions(self, asset: str) -> dict[str, list[str]]:
        """Partition keys of a conversation's asset by what the UI shows of them."""
        statuses = self.ask(
            "query ($asset: AssetKeyInput!) { assetNodeOrError(assetKey: $asset) { ... on"
            " AssetNode { assetPartitionStatuses { ... on MultiPartitionStatuses { ranges {"
            " primaryDimStartKey primaryDimEndKey secondaryDim { ... on DefaultPartitionStatuses {"
            " materializedPartitions failedPartitions unmaterializedPartitions } } } } } } } }",
            asset={"path": [asset]},
        )["assetNodeOrError"]["assetPartitionStatuses"]
        found: dict[str, list[str]] = {"materialized": [], "failed": [], "unmaterialized": []}
        for span in statuses["ranges"]:
            for conversation in sorted({span["primaryDimStartKey"], span["primaryDimEndKey"]}):
                for state, keys in found.items():
                    releases = span["secondaryDim"][f"{state}Partitions"]
                    keys += [f"{conversation}|{release}" for release in releases]
        return found

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
