"""The manifests: valid, confined, and of one mind with dagster.yaml. Real runs: `kubernetes`."""

import json
from functools import cache
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml
from dagster._core.instance.config import dagster_instance_config_schema
from dagster._core.instance.ref import InstanceRef

from locomo_assets.settings import Settings
from locomo_assets_tests.deploy.manifests import (
    KUBERNETES,
    KUSTOMIZATIONS,
    OTHERS,
    REPOSITORY,
    needs_kubectl,
    pod_specs,
    rendered,
    written,
)
from locomo_assets_tests.kubernetes.cluster import Object

OLDEST = "1.27"  # that has all that is used here: gRPC probes
NEWEST = kubernetes_validate.latest_version()
INSTANCE: dict[str, Any] = yaml.safe_load((REPOSITORY / "dagster.yaml").read_text())
LAUNCHER = INSTANCE["run_launcher"]["config"]


def validate(one: Object, version: str) -> None:
    if one["kind"] not in OTHERS:
        _validate(json.dumps(one), version)


@cache  # many objects are in several overlays, and each validation takes long
def _validate(one: str, version: str) -> None:
    kubernetes_validate.validate(json.loads(one), version, strict=True)


def test_written_manifests_are_valid() -> None:
    kinds = set()
    for path, one in written():
        try:
            validate(one, OLDEST)
        except kubernetes_validate.ValidationError as error:
            raise AssertionError(f"{path}: {error}") from error
        kinds.add(one["kind"])
    assert set(OTHERS) < kinds


@needs_kubectl
@pytest.mark.parametrize("folder", KUSTOMIZATIONS, ids=lambda path: path.name)
def test_rendered_manifests_are_valid(folder: Path) -> None:
    objects = rendered(folder)
    for one in objects:
        validate(one, NEWEST)
    names = [(one["kind"], one["metadata"]["name"]) for one in objects]
    assert len(set(names)) == len(names)
    (namespace,) = {one["metadata"].get("namespace") for one in objects} - {None}
    assert ("Namespace", namespace) in names


@needs_kubectl
@pytest.mark.parametrize(
    "component", sorted(path.name for path in (KUBERNETES / "components").iterdir())
)
def test_each_component_can_be_put_in(component: str, tmp_path: Path) -> None:
    here = Path(*[".."] * (len(tmp_path.resolve().parts) - 1), *KUBERNETES.parts[1:])
    (tmp_path / "kustomization.yaml").write_text(
        yaml.safe_dump(
            {
                "namespace": "locomo",
                "resources": [str(here / "base")],
                "components": [str(here / "components" / component)],
            }
        )
    )
    objects = rendered(tmp_path)
    for one in objects:
        validate(one, NEWEST)
    https = [one["kind"] for one in objects if one["metadata"]["name"] == "https"]
    assert https == (["CiliumNetworkPolicy"] if component == "cilium" else ["NetworkPolicy"])
    assert all(one["metadata"]["namespace"] == "locomo" for one in objects if one["kind"] in OTHERS)


@needs_kubectl
@pytest.mark.parametrize("folder", KUSTOMIZATIONS, ids=lambda path: path.name)
def test_every_pod_is_confined(folder: Path) -> None:
    """As the namespace's `restricted` asks, and with a read-only root beyond that."""
    for name, pod in pod_specs(rendered(folder)):
        assert pod["securityContext"]["runAsNonRoot"] is True, name
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}, name
        for container in pod["containers"]:
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }, name
            assert container["image"].rpartition(":")[2] != "latest", name


def test_run_pods_are_confined_alike() -> None:
    pod = LAUNCHER["run_k8s_config"]["pod_spec_config"]
    (code, *_) = [spec for name, spec in _base_pods() if name == "locomo-code"]
    assert pod["securityContext"] == code["securityContext"]
    assert LAUNCHER["security_context"] == code["containers"][0]["securityContext"]
    assert pod["automountServiceAccountToken"] is False
    assert LAUNCHER["resources"] == {
        "requests": {"cpu": "2", "memory": "4Gi"},
        "limits": {"cpu": "4", "memory": "8Gi"},
    }


def _base_pods() -> list[tuple[str, dict[str, Any]]]:
    return list(pod_specs([one for path, one in written() if path.parent.name == "base"]))


@needs_kubectl
@pytest.mark.parametrize("name", ["production", "self-contained"])
def test_one_image_is_named_once(name: str, tmp_path: Path) -> None:
    """An overlay's one tag reaches the servers, and the run pods by the code server."""
    overlay = yaml.safe_load((KUBERNETES / "overlays" / name / "kustomization.yaml").read_text())
    here = Path(*[".."] * (len(tmp_path.resolve().parts) - 1), *KUBERNETES.parts[1:])
    overlay["resources"] = [str(here / "base")]
    overlay["components"] = [str(here / one[6:]) for one in overlay["components"]]
    overlay["images"][0] |= {"newName": "registry.test/mine", "newTag": "7"}
    (tmp_path / "kustomization.yaml").write_text(yaml.safe_dump(overlay))
    pods = dict(pod_specs(rendered(tmp_path)))
    servers = ("locomo-code", "locomo-daemon", "locomo-webserver")
    assert {pods[one]["containers"][0]["image"] for one in servers} == {"registry.test/mine:7"}
    env = {one["name"]: one.get("value") for one in pods["locomo-code"]["containers"][0]["env"]}
    assert env["DAGSTER_CURRENT_IMAGE"] == "registry.test/mine:7"


def test_cluster_has_the_top_level_instance() -> None:
    assert (KUBERNETES / "base" / "dagster.yaml").read_bytes() == (
        REPOSITORY / "dagster.yaml"
    ).read_bytes()


def test_instance_is_one_that_dagster_takes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DAGSTER_POSTGRES_URL", "postgresql://somebody:planted@nowhere/dagster")
    monkeypatch.setenv("LOCOMO_COMPUTE_LOGS_BUCKET", "bucket")
    monkeypatch.setenv("DAGSTER_K8S_NAMESPACE", "locomo")
    (tmp_path / "dagster.yaml").write_text((REPOSITORY / "dagster.yaml").read_text())
    ref = InstanceRef.from_dir(str(tmp_path))
    assert set(INSTANCE) <= set(dagster_instance_config_schema())
    # Run pods get the reference in their arguments, where everybody who sees pods can read it.
    assert "planted" not in json.dumps(ref.to_dict())
    assert ref.run_launcher_data is not None
    assert ref.run_launcher_data.class_name == "K8sRunLauncher"


def test_no_secret_is_copied_into_run_pods() -> None:
    """`env_vars` would put the values, in clear, into each Job."""
    assert "env_vars" not in LAUNCHER
    for one in LAUNCHER["run_k8s_config"]["container_config"]["env"]:
        assert set(one) == {"name", "valueFrom"}, one


def test_alert_urls_come_from_their_secret_alone() -> None:
    """They hold tokens; only sensors, which the code server runs, need them."""
    settings = {f"LOCOMO_ALERT_URLS_{level}": level.lower() for level in ("HIGH", "MEDIUM", "LOW")}
    assert {name.removeprefix("LOCOMO_").lower() for name in settings} < set(Settings.model_fields)
    for name, pod in _base_pods():
        found = {
            one["name"]: one["valueFrom"]
            for one in pod["containers"][0]["env"]
            if one["name"] in settings
        }
        reference = {"name": "alert-urls", "optional": True}
        expected = {
            setting: {"secretKeyRef": {**reference, "key": key}}
            for setting, key in settings.items()
        }
        assert found == (expected if name == "locomo-code" else {}), name


def test_disruption_budget_covers_the_most_runs_at_once() -> None:
    (runs,) = [
        one
        for _, one in written()
        if one["kind"] == "PodDisruptionBudget" and one["metadata"]["name"] == "locomo-runs"
    ]
    most = INSTANCE["concurrency"]["runs"]["max_concurrent_runs"]
    assert runs["spec"]["minAvailable"] == most == 5


@pytest.mark.parametrize(
    ("tag", "refused"),
    [
        ({"container_config": {"resources": {"limits": {"cpu": "1"}}}}, None),
        ({"pod_spec_config": {"nodeSelector": {"a": "b"}, "tolerations": []}}, None),
        ({"container_config": {"image": "evil"}}, "container_config.image"),
        ({"container_config": {"command": ["sh"]}}, "container_config.command"),
        ({"container_config": {"args": ["-c"]}}, "container_config.args"),
        ({"container_config": {"env": [{"name": "A", "value": "b"}]}}, "container_config.env"),
        ({"container_config": {"envFrom": []}}, "container_config.env_from"),
        ({"pod_spec_config": {"serviceAccountName": "x"}}, "pod_spec_config.service_account_name"),
        ({"pod_spec_config": {"containers": [{"name": "a"}]}}, "pod_spec_config.containers"),
        ({"pod_spec_config": {"initContainers": []}}, "pod_spec_config.init_containers"),
        ({"pod_spec_config": {"volumes": []}}, "pod_spec_config.volumes"),
        ({"pod_template_spec_metadata": {"labels": {"a": "b"}}}, "pod_template_spec_metadata"),
        ({"job_spec_config": {"backoffLimit": 9}}, "job_spec_config"),
        ({"job_metadata": {"namespace": "x"}}, "job_metadata"),
    ],
)
def test_tags_may_change_size_and_place_only(tag: dict[str, Any], refused: str | None) -> None:
    from dagster_k8s.container_context import K8sContainerContext
    from dagster_k8s.job import USER_DEFINED_K8S_CONFIG_KEY, get_user_defined_k8s_config

    context = K8sContainerContext(
        run_k8s_config=get_user_defined_k8s_config({USER_DEFINED_K8S_CONFIG_KEY: json.dumps(tag)})
    )
    allowed = LAUNCHER["only_allow_user_defined_k8s_config_fields"]
    if refused is None:
        context.validate_user_k8s_config_for_run(allowed, None)
        return
    with pytest.raises(Exception, match=refused):
        context.validate_user_k8s_config_for_run(allowed, None)


def test_policies_deny_all_and_let_nothing_into_run_pods() -> None:
    policies = [
        one
        for path, one in written()
        if one["kind"] == "NetworkPolicy" and path.parent.name == "base"
    ]
    (deny,) = [one for one in policies if one["metadata"]["name"] == "default-deny"]
    assert deny["spec"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    let_in = [one["metadata"]["name"] for one in policies if "ingress" in one["spec"]]
    assert let_in == ["code-server"]
