"""The chart's values say what dagster.yaml and deploy/kubernetes say."""

import copy
import re
from typing import Any

import pytest
import yaml
from dagster._config import process_config
from dagster_k8s import K8sRunLauncher
from packaging.version import Version

from locomo_assets_tests.deploy.manifests import REPOSITORY, pod_specs, written
from locomo_assets_tests.deploy.test_kubernetes import INSTANCE, LAUNCHER

TEXT = (REPOSITORY / "deploy" / "helm" / "values.yaml").read_text()
VALUES: dict[str, Any] = yaml.safe_load(TEXT)
CODE = VALUES["dagster-user-deployments"]["deployments"][0]
SERVERS = {
    "locomo-code": CODE,
    "locomo-webserver": VALUES["dagsterWebserver"],
    "locomo-daemon": VALUES["dagsterDaemon"],
}
RUNS = VALUES["runLauncher"]["config"]["customRunLauncher"]


def snake(value: Any) -> Any:
    """A mapping with its own keys in snake case."""
    return {re.sub(r"[A-Z]", lambda found: "_" + found[0].lower(), k): v for k, v in value.items()}


def test_run_pods_are_the_same() -> None:
    assert VALUES["runLauncher"]["type"] == "CustomRunLauncher"
    for one in ("module", "class"):
        assert RUNS[one] == INSTANCE["run_launcher"][one]
    theirs, mine = copy.deepcopy(RUNS["config"]), copy.deepcopy(LAUNCHER)
    # What the chart calls otherwise than deploy/kubernetes.
    name = VALUES["fullnameOverride"]
    assert theirs.pop("service_account_name") == name
    assert theirs.pop("instance_config_map") == f"{name}-instance"
    assert theirs.pop("postgres_password_secret") == VALUES["global"]["postgresqlSecretName"]
    assert theirs.pop("job_namespace")
    for one in ("service_account_name", "instance_config_map", "job_namespace"):
        del mine[one]
    container = mine["run_k8s_config"]["container_config"]
    container["env"] = [one for one in container["env"] if one["name"].endswith("_API_KEY")]
    assert theirs == mine
    assert VALUES["global"]["dagsterHome"] == mine["dagster_home"]


def test_run_launcher_is_one_that_dagster_takes() -> None:
    launcher: Any = K8sRunLauncher  # its own types are not written
    taken = process_config(launcher.config_type(), RUNS["config"])
    assert taken.success, taken.errors


@pytest.mark.parametrize("name", SERVERS)
def test_servers_are_the_same(name: str) -> None:
    theirs = SERVERS[name]
    pods = pod_specs([one for path, one in written() if path.parent.name == "base"])
    mine = dict(pods)[name]
    container = mine["containers"][0]
    assert theirs["image"] == VALUES["dagsterWebserver"]["image"]
    assert theirs["podSecurityContext"] == mine["securityContext"]
    assert theirs["securityContext"] == container["securityContext"]
    assert theirs["resources"] == container["resources"]
    assert [{"configMapRef": one} for one in theirs["envConfigMaps"]] == container["envFrom"]
    # The chart itself gives what Dagster needs.
    ours = [one for one in container["env"] if not one["name"].startswith("DAGSTER_")]
    assert theirs.get("env", []) == ours


def test_image_is_the_overlays() -> None:
    overlay = yaml.safe_load(
        (REPOSITORY / "deploy/kubernetes/overlays/production/kustomization.yaml").read_text()
    )
    (image,) = overlay["images"]
    assert VALUES["dagsterWebserver"]["image"]["repository"] == image["newName"]
    assert str(VALUES["dagsterWebserver"]["image"]["tag"]) == str(image["newTag"])


def test_instance_is_the_same() -> None:
    daemon = VALUES["dagsterDaemon"]
    assert snake(daemon["runMonitoring"]) == INSTANCE["run_monitoring"]
    assert snake(daemon["runRetries"]) == INSTANCE["run_retries"]
    assert daemon["runCoordinator"] == {"enabled": False}
    assert VALUES["additionalInstanceConfig"] == {
        "concurrency": INSTANCE["concurrency"],
        "nux": INSTANCE["nux"],
    }
    assert VALUES["telemetry"] == INSTANCE["telemetry"]
    assert snake(VALUES["pythonLogs"]) == INSTANCE["python_logs"]
    retention = {name: snake(value) for name, value in VALUES["retention"].items() if value != True}  # noqa: E712
    assert retention == INSTANCE["retention"]
    logs = snake(VALUES["computeLogManager"]["config"]["s3ComputeLogManager"])
    assert VALUES["computeLogManager"]["type"] == INSTANCE["compute_logs"]["class"]
    mine = dict(INSTANCE["compute_logs"]["config"])
    assert mine.pop("bucket") == {"env": "LOCOMO_COMPUTE_LOGS_BUCKET"}
    assert {name: value for name, value in logs.items() if name != "bucket"} == mine


def test_chart_is_of_the_pinned_dagster() -> None:
    import dagster

    found = re.search(r"version (\d+\.\d+\.\d+)", TEXT.replace("\n# ", " "))
    assert found
    assert Version(found[1]) == Version(dagster.__version__)
