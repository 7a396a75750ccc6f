"""A real cluster, by kubectl: rendering, applying, waiting, looking, tunnels.

Here: commands. What is applied is `deploying`. KUBECONFIG says which cluster.
"""

import json
import re
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

Object = dict[str, Any]


class Cluster:
    """One namespace of it."""

    def __init__(self, namespace: str) -> None:
        self.namespace = namespace

    def kubectl(self, *arguments: str, stdin: str | None = None, timeout_s: float = 660.0) -> str:
        """What a command prints; its error output where it fails."""
        return self._run(*arguments, stdin=stdin, timeout_s=timeout_s).decode()

    def _run(self, *arguments: str, stdin: str | None = None, timeout_s: float = 660.0) -> bytes:
        done = subprocess.run(
            ["kubectl", "--namespace", self.namespace, *arguments],
            input=stdin.encode() if stdin is not None else None,
            capture_output=True,
            timeout=timeout_s,
            check=False,
        )
        assert done.returncode == 0, f"kubectl {' '.join(arguments)}: {done.stderr.decode()}"
        return done.stdout

    def apply(self, objects: list[Object]) -> None:
        """Creates or changes objects."""
        # Client-side validation needs an OpenAPI version that old clusters don't have.
        self.kubectl("apply", "--validate=false", "-f", "-", stdin=yaml.safe_dump_all(objects))

    def get(self, kind: str, *arguments: str) -> list[Object]:
        """The objects of a kind."""
        listed = json.loads(self.kubectl("get", kind, *arguments, "--output", "json"))
        return list(listed["items"])

    def pod(self, app: str) -> str:
        """The name of the one running pod of an app."""
        ready = [
            pod["metadata"]["name"]
            for pod in self.get("pods", "--selector", f"app.kubernetes.io/name={app}")
            if "deletionTimestamp" not in pod["metadata"]
        ]
        (name,) = ready
        return str(name)

    def inside(self, pod: str, *command: str) -> bytes:
        """What a command in a pod prints."""
        return self._run("exec", pod, "--", *command)

    def minor_version(self) -> int:
        """20 of 1.20."""
        minor = json.loads(self.kubectl("version", "--output", "json"))["serverVersion"]["minor"]
        return int(re.sub(r"\D", "", minor))

    def has_dns(self) -> bool:
        """Whether pods can reach Services by name."""
        return "kube-dns" in self.kubectl(
            "get", "services", "--namespace", "kube-system", "--output", "name"
        )

    @contextmanager
    def tunnel(self, service: str, port: int) -> Iterator[str]:
        """A URL on this machine that leads to a Service, as `kubectl port-forward` does it."""
        command = ["kubectl", "--namespace", self.namespace, "port-forward"]
        with subprocess.Popen(
            [*command, f"service/{service}", f":{port}"], stdout=subprocess.PIPE, text=True
        ) as process:
            assert process.stdout is not None
            try:
                line = process.stdout.readline()
                found = re.search(r"127\.0\.0\.1:(\d+)", line)
                assert found, f"no tunnel to {service}: {line}"
                yield f"http://127.0.0.1:{found[1]}"
            finally:
                process.terminate()


def rendered(folder: Path) -> list[Object]:
    """A kustomization's objects."""
    done = subprocess.run(
        ["kubectl", "kustomize", str(folder)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return [one for one in yaml.safe_load_all(done.stdout) if one]


def wait_until(true: Callable[[], bool], what: str, *, seconds: float = 180.0) -> None:
    """Looks twice a second."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, f"in vain: {what}"
        time.sleep(0.5)
