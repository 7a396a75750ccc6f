"""The Kubernetes manifests as objects: the files as they are, and kustomizations rendered."""

import shutil
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from locomo_assets_tests.kubernetes.cluster import Object
from locomo_assets_tests.kubernetes.cluster import rendered as render

REPOSITORY = Path(__file__).resolve().parents[2]
KUBERNETES = REPOSITORY / "deploy" / "kubernetes"
TEST_OVERLAY = REPOSITORY / "locomo_assets_tests" / "kubernetes" / "overlay"
KUSTOMIZATIONS = [
    KUBERNETES / "base",
    *sorted(path.parent for path in KUBERNETES.glob("overlays/*/kustomization.yaml")),
    TEST_OVERLAY,
]
OTHERS = ("CiliumNetworkPolicy", "ExternalSecret")
"""Kinds of other projects, for which there are no schemas here."""


rendered = cache(render)
needs_kubectl = pytest.mark.skipif(not shutil.which("kubectl"), reason="kubectl is not installed")


def written() -> Iterator[tuple[Path, Object]]:
    """Every object in a file of its own, before any kustomization."""
    for path in sorted([*KUBERNETES.rglob("*.yaml"), *TEST_OVERLAY.glob("*.yaml")]):
        if path.name in ("kustomization.yaml", "dagster.yaml", "workspace.yaml"):
            continue
        for one in yaml.safe_load_all(path.read_text()):
            yield path, one


def pod_specs(objects: list[Object]) -> Iterator[tuple[str, dict[str, Any]]]:
    for one in objects:
        if one["kind"] in ("Deployment", "StatefulSet"):
            yield one["metadata"]["name"], one["spec"]["template"]["spec"]
