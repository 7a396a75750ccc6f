"""The deployment on a real cluster: what a user's release goes through, and what may go wrong.

The tests are in order: the data set is the first's, and the last one takes a secret away.
"""

import json
from pathlib import Path

import pytest

from locomo_assets.history import database
from locomo_assets.history.store import HistoryStore
from locomo_assets_tests.browser.graphql import MEASURED, Run
from locomo_assets_tests.kubernetes.cluster import wait_until
from locomo_assets_tests.kubernetes.conftest import Deployment
from locomo_assets_tests.runs.fixtures import DATASET, assert_told_once

pytestmark = pytest.mark.kubernetes

NAMES = [one.conversation for one in DATASET.conversations]
TURNS = {one.conversation: len(one.turns) for one in DATASET.conversations}
QUESTIONS = {
    one.conversation: sum(q.category != 5 for q in one.questions) for one in DATASET.conversations
}
ENDED = ("SUCCESS", "FAILURE", "CANCELED")
_CONFINED = """
import importlib.util, os, shutil
assert importlib.util.find_spec("pip") is None and shutil.which("gcc") is None
assert os.getuid() == 10001 and os.getgid() == 10001, (os.getuid(), os.getgid())
assert not os.path.exists("/var/run/secrets/kubernetes.io"), "a token of the cluster"
for place in ("/", "/opt/dagster/home", "/opt/venv"):
    try:
        open(os.path.join(place, "x"), "w")
    except OSError as error:
        assert error.errno in (13, 30), error
    else:
        raise AssertionError(place + " can be written")
status = dict(line.split(":\\t") for line in open("/proc/self/status") if ":\\t" in line)
assert int(status["CapEff"], 16) == 0 and int(status["CapBnd"], 16) == 0, status["CapBnd"]
assert status["NoNewPrivs"].strip() == "1"
open("/tmp/x", "w")
"""


def partitions(release: str) -> list[str]:
    return [f"{name}|{release}" for name in NAMES]


def jobs_of(deployment: Deployment, run: Run) -> list[str]:
    selector = f"dagster/run-id={run.run_id}"
    return [
        str(one["metadata"]["name"])
        for one in deployment.cluster.get("jobs", "--selector", selector)
    ]


def running_pod(deployment: Deployment, run: Run) -> str | None:
    for pod in deployment.cluster.get("pods", "--selector", f"dagster/run-id={run.run_id}"):
        if pod["status"]["phase"] == "Running":
            return str(pod["metadata"]["name"])
    return None


def until_completed(deployment: Deployment, backfill: str) -> None:
    wait_until(
        lambda: deployment.ui.backfill_status(backfill).startswith(("COMPLETED", "FAILED")),
        f"backfill {backfill} ends",
        seconds=300,
    )
    assert deployment.ui.backfill_status(backfill) == "COMPLETED_SUCCESS"


def assert_measured(deployment: Deployment, release: str, path: Path) -> None:
    """Every conversation of a release, exactly, in the history as at the stand-in."""
    where = f"WHERE release = '{release}' GROUP BY ALL ORDER BY ALL"
    _, turns = database.query(path, f"SELECT conversation, count(*) FROM ingested_turns {where}")
    assert dict(turns) == TURNS
    judged = f"SELECT conversation, verdict <> 'unscored', count(*) FROM current_judgements {where}"
    assert database.query(path, judged)[1] == [(name, True, QUESTIONS[name]) for name in NAMES]
    _, [(answers, runs)] = database.query(
        path, f"SELECT count(*), count(DISTINCT run_id) FROM answers WHERE release = '{release}'"
    )
    assert (answers, runs) == (sum(QUESTIONS.values()), len(NAMES))
    record = deployment.record()
    for conversation in DATASET.conversations:
        assert_told_once(record, conversation, release)
    assert record.answered(release) == sum(QUESTIONS.values())


def published_database(deployment: Deployment, path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The history's `history.duckdb`, made anew in the cluster and fetched from its S3."""
    run = deployment.ui.launch("results_history")
    status = deployment.ui.until(run, *ENDED, seconds=240)
    assert status == "SUCCESS", deployment.ui.failure(run)
    for name, value in {
        "AWS_ACCESS_KEY_ID": "nobody",
        "AWS_SECRET_ACCESS_KEY": "nothing",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": deployment.s3_endpoint,
    }.items():
        monkeypatch.setenv(name, value)
    path.write_bytes(HistoryStore.open("s3://locomo/history").storage.get(database.DATABASE_NAME))
    return path


def test_servers_are_confined(deployment: Deployment) -> None:
    cluster = deployment.cluster
    cluster.inside(cluster.pod("locomo-code"), "python", "-c", _CONFINED)
    with_token = _CONFINED.replace("assert not os.path", "assert os.path")
    for app in ("locomo-daemon", "locomo-webserver"):
        cluster.inside(cluster.pod(app), "python", "-c", with_token)

    def may(account: str, verb: str, what: str) -> bool:
        identity = f"system:serviceaccount:{cluster.namespace}:{account}"
        review = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SubjectAccessReview",
            "spec": {
                "user": identity,
                "resourceAttributes": {
                    "namespace": cluster.namespace,
                    "verb": verb,
                    "group": "batch" if what == "jobs" else "",
                    "resource": what,
                },
            },
        }
        answer = cluster.kubectl(
            "create", "--validate=false", "-f", "-", "-o", "json", stdin=json.dumps(review)
        )
        return bool(json.loads(answer)["status"]["allowed"])

    assert may("locomo-daemon", "create", "jobs")
    assert not may("locomo-daemon", "get", "secrets")
    assert may("locomo-webserver", "delete", "jobs")
    assert not may("locomo-webserver", "create", "jobs")
    assert not may("locomo-runs", "get", "pods")


def test_release_is_a_job_per_conversation(
    deployment: Deployment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ui = deployment.ui
    run = ui.launch("locomo_dataset")
    status = ui.until(run, *ENDED, seconds=240)
    assert status == "SUCCESS", ui.failure(run)
    ui.add_release("r1")
    backfill = ui.backfill(MEASURED, partitions("r1"), {})
    pods: dict[str, str] = {}

    def all_seen() -> bool:
        for one in ui.runs(backfill):
            if one.run_id not in pods and (pod := running_pod(deployment, one)):
                pods[one.run_id] = pod
        return len(pods) == len(NAMES)

    wait_until(all_seen, "a pod for each conversation", seconds=240)
    for pod in pods.values():
        deployment.cluster.inside(pod, "python", "-c", _CONFINED)
    until_completed(deployment, backfill)
    runs = ui.runs(backfill)
    assert sorted(one.partition for one in runs) == partitions("r1")
    assert [jobs_of(deployment, one) for one in runs] == [[f"dagster-run-{o.run_id}"] for o in runs]
    path = published_database(deployment, tmp_path / "database.duckdb", monkeypatch)
    assert_measured(deployment, "r1", path)
    logs = HistoryStore.open("s3://locomo/compute-logs").storage.list("")
    assert any(runs[0].run_id in one for one in logs), logs


def test_deleted_pod_and_restarted_daemon_repeat_nothing(
    deployment: Deployment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two releases, of which one fills the queue: the other is waiting when the daemon goes."""
    ui, cluster = deployment.ui, deployment.cluster
    ui.add_release("r2")
    ui.add_release("r3")
    backfills = [
        ui.backfill(MEASURED, partitions("r2"), {}),
        ui.backfill(MEASURED, partitions("r3"), {}),
    ]
    killed = f"{NAMES[0]}|r2"

    def half_told() -> bool:
        told = deployment.record().told(NAMES[0], "r2")
        return bool(told) and len(told[0]) >= 5

    wait_until(half_told, f"some turns of {killed} are told", seconds=240)
    assert len(deployment.record().told(NAMES[0], "r2")[0]) < TURNS[NAMES[0]]
    [run] = [one for one in ui.runs(backfills[0]) if one.partition == killed]
    pod = running_pod(deployment, run)
    assert pod is not None
    cluster.kubectl("delete", "pod", pod, "--grace-period=0", "--force")
    daemon = cluster.pod("locomo-daemon")
    cluster.kubectl("delete", "pod", daemon, "--wait=false")
    for backfill in backfills:
        until_completed(deployment, backfill)
    assert cluster.pod("locomo-daemon") != daemon
    retried = ui.runs(backfills[0])
    assert [o.status for o in retried if o.run_id == run.run_id] == ["FAILURE"]
    again = [one for one in retried if one.tags.get("dagster/parent_run_id") == run.run_id]
    assert [(one.status, one.tags["dagster/retry_number"]) for one in again] == [("SUCCESS", "1")]
    assert len(ui.runs(backfills[1])) == len(NAMES)
    path = published_database(deployment, tmp_path / "database.duckdb", monkeypatch)
    for release in ("r2", "r3"):
        assert_measured(deployment, release, path)


def test_bad_image_and_missing_secret_fail_with_the_reason(deployment: Deployment) -> None:
    ui, cluster = deployment.ui, deployment.cluster
    once = {"dagster/max_retries": "0"}
    image = json.dumps({"container_config": {"image": "locomo-assets:no-such-tag"}})
    no_image = ui.launch("locomo_dataset", **once, **{"dagster-k8s/config": image})
    secret = json.dumps({"container_config": {"env": []}, "pod_spec_config": {"volumes": []}})
    refused = ui.launch("locomo_dataset", **once, **{"dagster-k8s/config": secret})
    assert ui.until(refused, *ENDED, seconds=60) == "FAILURE"
    assert "violated the allowed list: container_config.env" in ui.failure(refused)
    cluster.kubectl("delete", "secret", "api-keys")
    no_secret = ui.launch("locomo_dataset", **once)
    assert ui.until(no_image, *ENDED, seconds=180) == "FAILURE"
    assert "locomo-assets:no-such-tag" in ui.failure(no_image)
    assert ui.until(no_secret, *ENDED, seconds=180) == "FAILURE"
    assert 'secret "api-keys" not found' in ui.failure(no_secret)
