"""Compose: against the specification's schema; with an engine where the images are named."""

import os
import shutil
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

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


@pytest.fixture
def compose(tmp_path: Path) -> Iterator[list[str]]:
    """docker-compose over a project of this test's own."""
    if not os.environ.get("COMPOSE_TEST_IMAGES"):
        pytest.skip("COMPOSE_TEST_IMAGES=ours,postgres names no images to test with")
    if shutil.which("docker-compose") is None:
        pytest.skip("docker-compose is not installed")
    ours, _, postgres = os.environ["COMPOSE_TEST_IMAGES"].partition(",")
    settings = tmp_path / ".env"
    settings.write_text(
        f"LOCOMO_IMAGE={ours}\nPOSTGRES_IMAGE={postgres}\nPOSTGRES_PASSWORD={uuid.uuid4().hex}\n"
    )
    command = ["docker-compose", "-f", str(COMPOSE), "--env-file", str(settings)]
    command += ["-p", f"locomo-test-{uuid.uuid4().hex[:8]}"]
    yield command
    subprocess.run([*command, "down", "--volumes", "--timeout", "5"], check=False)


def test_a_release_is_measured_in_a_container(compose: list[str]) -> None:
    measured = subprocess.run(
        [*compose, "run", "--rm", "run", "--release", "r1", "--questions", "1"],
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert measured.returncode == 0, measured.stdout + measured.stderr
    assert "r1" in measured.stdout
