"""Google Cloud Run: the job against the API's own types, and its command run as it says."""

import json
import os
import subprocess
from pathlib import Path
from string import Template
from typing import Any

import pytest

from locomo_assets.history import database
from locomo_assets.history.store import HistoryStore
from locomo_assets_tests.clouds.aws import REPOSITORY

JOB = REPOSITORY / "deploy" / "google" / "job.json"
NAMES = ("PROJECT", "REGION", "TAG", "BUCKET", "DATASET", "DATASET_SHA256", "MAX_COST_USD")


def job(**values: str) -> dict[str, Any]:
    """The job as it is sent, with values in their places."""
    given = {**dict.fromkeys(NAMES, "x"), **values}
    return dict(json.loads(Template(JOB.read_text()).safe_substitute(given)))


def test_the_api_takes_the_job_and_keeps_all_of_it() -> None:
    from google.cloud.run_v2.types import Job
    from google.protobuf.json_format import MessageToDict, ParseDict

    written = job()
    message = ParseDict(written, Job.pb(Job()))
    assert MessageToDict(message) == written
    task = message.template.template
    assert (task.max_retries, task.timeout.seconds) == (3, 3600)
    assert dict(task.containers[0].resources.limits) == {"cpu": "4", "memory": "8Gi"}
    assert all(
        one.value_source.secret_key_ref.version == "latest"
        for one in task.containers[0].env
        if one.name.endswith("_API_KEY")
    )


def test_a_retry_goes_on_with_the_release_of_its_execution(
    gs_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket = gs_url.removeprefix("gs://").partition("/")[0]
    (container,) = job(BUCKET=bucket, DATASET="", DATASET_SHA256="", MAX_COST_USD="")["template"][
        "template"
    ]["containers"]
    told = {one["name"]: one["value"] for one in container["env"] if "value" in one}
    command = [*container["command"], *container["args"]]
    command[-1] += " --questions 1 --conversations sample-1"
    environment = {
        **os.environ,
        **{name: value.replace("/tmp/", f"{tmp_path}/") for name, value in told.items()},
        "PATH": f"{REPOSITORY / '.venv' / 'bin'}:{os.environ['PATH']}",
        "CLOUD_RUN_EXECUTION": "locomo-run-abc12",
        "LOCOMO_RETRY_AFTER_S": "0",
    }
    for attempt in ("0", "1"):
        done = subprocess.run(
            command,
            env={**environment, "CLOUD_RUN_TASK_ATTEMPT": attempt},
            capture_output=True,
            text=True,
            check=False,
            timeout=600,
        )
        assert done.returncode == 0, done.stdout + done.stderr
    store = HistoryStore.open(f"gs://{bucket}/history")
    published = tmp_path / "published.duckdb"
    published.write_bytes(store.storage.get(database.DATABASE_NAME))
    asked = "SELECT release, count(*) FROM answers GROUP BY ALL"
    assert database.query(published, asked)[1] == [("locomo-run-abc12", 1)]
