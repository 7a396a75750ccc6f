"""Who reaches whom, by the network policies as Kubernetes reads them: both ends must allow it."""

from typing import Any

import pytest
import yaml

from locomo_assets_tests.deploy.manifests import KUBERNETES, needs_kubectl, rendered, written
from locomo_assets_tests.kubernetes.cluster import Object

OURS = {"app.kubernetes.io/part-of": "locomo-assets"}
RUN_POD = {**OURS, "app.kubernetes.io/name": "dagster", "app.kubernetes.io/component": "run_worker"}
LOGIN = {**OURS, "app.kubernetes.io/name": "locomo-login"}
POSTGRESQL = {"app.kubernetes.io/name": "postgresql"}
CLIENTS = [
    RUN_POD,
    *[
        {**OURS, "app.kubernetes.io/name": f"locomo-{name}"}
        for name in ("code", "daemon", "webserver")
    ],
]
Labels = dict[str, str]


def policies() -> list[Object]:
    """All of base and components."""
    return [one for _, one in written() if one["kind"] == "NetworkPolicy"]


def selects(selector: dict[str, Any], labels: Labels) -> bool:
    assert set(selector) <= {"matchLabels", "matchExpressions"}
    for key, value in selector.get("matchLabels", {}).items():
        if labels.get(key) != value:
            return False
    for one in selector.get("matchExpressions", []):
        assert one["operator"] in ("In", "NotIn")
        if (labels.get(one["key"]) in one["values"]) != (one["operator"] == "In"):
            return False
    return True


def allows(direction: str, pod: Labels, peer: Labels | None, port: int) -> bool:
    """Whether a pod may send to a peer or receive from it; None is an address elsewhere."""
    which, end = {"egress": ("Egress", "to"), "ingress": ("Ingress", "from")}[direction]
    for policy in policies():
        spec = policy["spec"]
        if which not in spec["policyTypes"] or not selects(spec["podSelector"], pod):
            continue
        for rule in spec.get(direction, []):
            ports = [one["port"] for one in rule.get("ports", [])]
            peers = rule.get(end)
            reached = peers is None or any(
                ("ipBlock" in one and peer is None)
                or ("podSelector" in one and peer is not None and selects(one["podSelector"], peer))
                for one in peers
            )
            if reached and (not ports or port in ports):
                return True
    return False


def reaches(pod: Labels, peer: Labels, port: int) -> bool:
    return allows("egress", pod, peer, port) and allows("ingress", peer, pod, port)


@pytest.mark.parametrize("client", CLIENTS, ids=lambda labels: labels["app.kubernetes.io/name"])
def test_what_runs_dagster_reaches_its_database_and_no_other(client: Labels) -> None:
    assert reaches(client, POSTGRESQL, 5432)
    assert not allows("egress", client, None, 5432)
    assert not allows("egress", client, {"app.kubernetes.io/name": "of-others"}, 5432)


def test_the_login_proxy_reaches_the_webserver_and_not_the_database() -> None:
    assert reaches(LOGIN, {**OURS, "app.kubernetes.io/name": "locomo-webserver"}, 3000)
    assert allows("egress", LOGIN, None, 443)  # who logs in is asked there
    # Each end refuses by itself, where a cluster enforces one of them alone.
    assert not allows("egress", LOGIN, POSTGRESQL, 5432)
    assert not allows("ingress", POSTGRESQL, LOGIN, 5432)


def test_the_database_connects_to_nothing() -> None:
    for port in (443, 3000, 4000, 5432, 6443):
        for peer in (None, *CLIENTS, LOGIN):
            assert not allows("egress", POSTGRESQL, peer, port)


def test_labels_are_those_of_the_manifests() -> None:
    pods = {
        one["metadata"]["name"]: one["spec"]["template"]["metadata"]["labels"]
        for path, one in written()
        if one["kind"] in ("Deployment", "StatefulSet") and KUBERNETES in path.parents
    }
    assert pods.pop("postgresql") == POSTGRESQL
    assert pods.pop("locomo-login") == LOGIN
    # Base's get their part-of from its kustomization.
    assert [{**OURS, **labels} for labels in pods.values()] == CLIENTS[1:]
    base = yaml.safe_load((KUBERNETES / "base" / "kustomization.yaml").read_text())
    assert base["labels"] == [{"pairs": OURS, "includeTemplates": True}]


@needs_kubectl
def test_the_production_overlay_names_the_addresses_of_its_database() -> None:
    objects = rendered(KUBERNETES / "overlays" / "production")
    (policy,) = [
        one
        for one in objects
        if (one["kind"], one["metadata"]["name"]) == ("NetworkPolicy", "postgresql")
    ]
    (rule,) = policy["spec"]["egress"]
    assert [list(one) for one in rule["to"]] == [["ipBlock"]]
    assert rule["to"][0]["ipBlock"]["cidr"] != "0.0.0.0/0"
