"""Compose: against the specification's schema; with an engine where the images are named."""

import os
import shutil
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from locomo_assets_tests.clouds.aws import REPOSITORY

COMPOSE = REPOSITORY / "deploy" / "compose" / "compose.yaml"
SCHEMA = "vendor.compose-spec"


def _services() -> dict[str, Any]:
    return dict(yaml.safe_load(COMPOSE.read_text())["services"])


def test_the_specification_takes_it() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "check_jsonschema", "--builtin-schema", SCHEMA, str(COMPOSE)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout


def test_only_what_measures_has_a_key() -> None:
    holders = {
        name
        for name, service in _services().items()
        if "OPENAI_API_KEY" in service.get("environment", {})
    }
    assert holders == {"code-server", "run"}


def test_ours_are_unprivileged_and_the_ui_is_this_machines_alone() -> None:
    services = _services()
    for name in ("code-server", "daemon", "webserver", "run", "s3-bucket"):
        assert services[name]["read_only"], name
        assert services[name]["cap_drop"] == ["ALL"], name
        assert services[name]["security_opt"] == ["no-new-privileges:true"], name
    published = {name: service["ports"] for name, service in services.items() if "ports" in service}
    assert published == {"webserver": ["127.0.0.1:${WEBSERVER_PORT:-3000}:3000"]}


@dataclass(frozen=True)
class Project:
    """docker-compose over a project of one test's own; `port` is its webserver's."""

    command: Sequence[str]
    port: int

    def __call__(self, *arguments: str) -> str:
        done = subprocess.run(
            [*self.command, *arguments], capture_output=True, text=True, check=False, timeout=600
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


@pytest.fixture
def compose(tmp_path: Path) -> Iterator[Project]:
    """A project over the images that are named; all of it is removed."""
    ours, _, postgres = os.environ.get("COMPOSE_TEST_IMAGES", "").partition(",")
    if not postgres:
        pytest.skip("COMPOSE_TEST_IMAGES=ours,postgres names no images to test with")
    if shutil.which("docker-compose") is None:
        pytest.skip("docker-compose is not installed")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    settings = {
        "LOCOMO_IMAGE": ours,
        "POSTGRES_IMAGE": postgres,
        "POSTGRES_PASSWORD": uuid.uuid4().hex,
        "WEBSERVER_PORT": port,
    }
    (tmp_path / ".env").write_text("".join(f"{key}={one}\n" for key, one in settings.items()))
    # The tests' PostgreSQL is not root at its start, as the official image is.
    database = {
        "entrypoint": ["sh", "/srv/postgresql.sh"],
        "environment": {"PGDATA": "/tmp/pgdata"},
    }
    (tmp_path / "over.yaml").write_text(yaml.safe_dump({"services": {"postgres": database}}))
    command = ["docker-compose", "--env-file", str(tmp_path / ".env")]
    command += ["-f", str(COMPOSE), "-f", str(tmp_path / "over.yaml")]
    project = Project([*command, "-p", f"locomo-test-{uuid.uuid4().hex[:8]}"], port)
    try:
        yield project
    finally:
        project("down", "--volumes", "--timeout", "5")


LAUNCH = """
mutation($params: ExecutionParams!) { launchRun(executionParams: $params) {
  __typename ... on LaunchRunSuccess { run { runId } } ... on PythonError { message } } }
"""
STATUS = "query($id: ID!) { runOrError(runId: $id) { ... on Run { status } } }"


def _asked(project: Project, query: str, **variables: Any) -> dict[str, Any]:
    url = f"http://127.0.0.1:{project.port}/graphql"
    answer = httpx.post(url, json={"query": query, "variables": variables}, timeout=60)
    return dict(answer.raise_for_status().json()["data"])


def _wait(what: Callable[[], str | None], *until: str) -> str | None:
    found = None
    deadline = time.monotonic() + 300
    while found not in until and time.monotonic() < deadline:
        time.sleep(1)
        with suppress(httpx.TransportError):
            found = what()
    return found


def test_dagster_and_a_single_run_share_the_history(compose: Project) -> None:
    measured = compose("run", "--rm", "run", "--release", "r1", "--questions", "1")
    assert "r1" in measured
    compose("up", "-d")
    ready = _wait(lambda: str(_asked(compose, "{ version }")["version"])[:1], "1")
    assert ready == "1"
    selector = {
        "repositoryLocationName": "locomo_assets",
        "repositoryName": "__repository__",
        "pipelineName": "__ASSET_JOB",
        "assetSelection": [{"path": ["results_history"]}],
    }
    params = {"selector": selector, "runConfigData": "{}", "mode": "default"}
    launched = _asked(compose, LAUNCH, params=params)["launchRun"]
    assert launched["__typename"] == "LaunchRunSuccess", launched
    run = launched["run"]["runId"]
    status = _wait(
        lambda: _asked(compose, STATUS, id=run)["runOrError"]["status"], "SUCCESS", "FAILURE"
    )
    assert status == "SUCCESS", compose("logs", "--tail", "50")
    assert "r1" in compose("exec", "-T", "code-server", "locomo-assets", "releases")
