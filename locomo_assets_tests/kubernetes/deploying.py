"""The manifests on a cluster of tests: smaller, quicker to look and to give up, as old as may be.

Here: what is changed of the objects that `overlay/` renders, and in which order they go in. All
else is as it is shipped.
"""

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from locomo_assets_tests.daemon import HURRY
from locomo_assets_tests.kubernetes.cluster import Cluster, Object, rendered

OVERLAY = Path(__file__).with_name("overlay")
NAMESPACE = "locomo-test"
START_TIMEOUT_S = 60
PATIENCE_S = 120
RUNS_AT_ONCE = 2
INSTANCE = "/opt/dagster/home"
"""Where a pod has the files of the ConfigMap with the instance."""


def deploy(cluster: Cluster) -> None:
    """Applies everything and waits until it is ready."""
    objects = rendered(OVERLAY)
    first = [one for one in objects if one["kind"] in ("Namespace", "Service")]
    cluster.kubectl("delete", "namespace", NAMESPACE, "--ignore-not-found", "--wait")
    cluster.apply(first)
    rest = [one for one in objects if one["kind"] not in ("Namespace", "Service")]
    cluster.apply(adapted(rest, cluster.minor_version(), _aliases(cluster)))
    cluster.kubectl(
        *("wait", "--for=condition=Available", "deployments", "--all", "--timeout=600s")
    )


def _aliases(cluster: Cluster) -> list[Object]:
    """Names for pods' /etc/hosts, where there is no DNS."""
    if cluster.has_dns():
        return []
    return [
        {"ip": one["spec"]["clusterIP"], "hostnames": [one["metadata"]["name"]]}
        for one in cluster.get("services")
    ]


def adapted(objects: list[Object], minor: int, aliases: list[Object]) -> list[Object]:
    """Copies of the objects, as a cluster of version 1.`minor` takes them."""
    result = copy.deepcopy(objects)
    for one in result:
        if one["kind"] == "PodDisruptionBudget" and minor < 21:
            one["apiVersion"] = "policy/v1beta1"
        if one["kind"] in ("Deployment", "StatefulSet"):
            pod = one["spec"]["template"]["spec"]
            pod["hostAliases"] = aliases
            _ask_often(pod)
            for probe in _probes(pod):
                probe["timeoutSeconds"] = PATIENCE_S
                if minor < 24 and (grpc := probe.pop("grpc", None)):
                    probe["tcpSocket"] = {"port": grpc["port"]}
        if one["kind"] == "ConfigMap" and "dagster.yaml" in one["data"]:
            one["data"]["dagster.yaml"] = _instance(one["data"]["dagster.yaml"], aliases)
            one["data"][HURRY.name] = HURRY.read_text()
        if one["kind"] == "Deployment" and one["metadata"]["name"] == "locomo-daemon":
            [daemon] = one["spec"]["template"]["spec"]["containers"]
            daemon["env"].append({"name": "PYTHONPATH", "value": INSTANCE})
    return result


def _probes(pod: Object) -> Iterator[Object]:
    for container in pod["containers"]:
        for name in ("startupProbe", "livenessProbe", "readinessProbe"):
            if name in container:
                yield container[name]


def _ask_often(pod: Object) -> None:
    """Whether it is up: every second, for as long as before. A command would take the processor."""
    for container in pod["containers"]:
        for probe in (container.get("startupProbe"), container.get("readinessProbe")):
            if probe and "exec" not in probe:
                tries = probe.get("failureThreshold", 3) * probe.get("periodSeconds", 10)
                probe |= {"periodSeconds": 1, "failureThreshold": tries}


def _instance(text: str, aliases: list[Object]) -> str:
    instance: dict[str, Any] = yaml.safe_load(text)
    launcher = instance["run_launcher"]["config"]
    launcher["resources"] = {"requests": {"cpu": "10m", "memory": "64Mi"}}
    launcher["run_k8s_config"]["pod_spec_config"]["hostAliases"] = aliases
    # So that a test can name an image that does not exist; as shipped the tag is refused.
    launcher["only_allow_user_defined_k8s_config_fields"]["container_config"]["image"] = True
    instance["concurrency"]["runs"]["max_concurrent_runs"] = RUNS_AT_ONCE
    instance["run_monitoring"] |= {
        "start_timeout_seconds": START_TIMEOUT_S,
        "poll_interval_seconds": 5,
    }
    return yaml.safe_dump(instance)
