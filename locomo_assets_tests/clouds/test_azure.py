"""Azure Container Instances: the group against the API's own models, and its command run."""

import json
import os
import re
import subprocess
from pathlib import Path

from locomo_assets.history import database
from locomo_assets.history.store import HistoryStore
from locomo_assets_tests.clouds.aws import REPOSITORY

TEMPLATE = json.loads((REPOSITORY / "deploy" / "azure" / "template.json").read_text())
(GROUP,) = TEMPLATE["resources"]
(CONTAINER,) = (one["properties"] for one in GROUP["properties"]["containers"])


def test_the_api_knows_every_field_of_the_group() -> None:
    from azure.mgmt.containerinstance.models import ContainerGroup

    body = {key: value for key, value in GROUP.items() if key not in ("type", "apiVersion", "name")}
    group = ContainerGroup.deserialize(body)
    # What its models don't know, they drop.
    assert group.serialize() == body
    assert group.os_type == "Linux"
    # A group that starts again would pay again for what can't be answered.
    assert group.restart_policy == "Never"
    requests = group.containers[0].resources.requests
    assert (requests.cpu, requests.memory_in_gb) == (4, 8)


def test_every_parameter_is_declared_and_used_and_keys_are_secure() -> None:
    used = set(re.findall(r"parameters\('(\w+)'\)", json.dumps(TEMPLATE["resources"])))
    assert used == set(TEMPLATE["parameters"])
    for one in CONTAINER["environmentVariables"]:
        assert ("secureValue" in one) == one["name"].endswith("_API_KEY")
    for name in ("backboardKey", "openaiKey"):
        assert TEMPLATE["parameters"][name] == {"type": "secureString"}


def test_the_container_measures_a_release_once(abfs_url: str, tmp_path: Path) -> None:
    values = {"container": abfs_url.removeprefix("abfs://").partition("/")[0], "release": "r1"}
    command = [_evaluated(one, values) for one in CONTAINER["command"]]
    told = {
        one["name"]: _evaluated(one["value"], values).replace("/tmp/", f"{tmp_path}/")
        for one in CONTAINER["environmentVariables"]
        if one["name"] in ("LOCOMO_HOME", "DAGSTER_HOME", "LOCOMO_HISTORY")
    }
    done = subprocess.run(
        [*command, "--questions", "1", "--conversations", "sample-1"],
        env={
            **os.environ,
            **told,
            "PATH": f"{REPOSITORY / '.venv' / 'bin'}:{os.environ['PATH']}",
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    store = HistoryStore.open(told["LOCOMO_HISTORY"])
    published = tmp_path / "published.duckdb"
    published.write_bytes(store.storage.get(database.DATABASE_NAME))
    judged = "SELECT release, count(*) FROM current_judgements GROUP BY ALL"
    assert database.query(published, judged)[1] == [("r1", 1)]


def _evaluated(text: str, values: dict[str, str]) -> str:
    """An expression of the two kinds that the template has: a parameter, and concat."""
    if not text.startswith("["):
        return text
    return "".join(
        values[parameter] if parameter else literal
        for literal, parameter in re.findall(r"'([^']*)'(?=[,)])|parameters\('(\w+)'\)", text)
    )
