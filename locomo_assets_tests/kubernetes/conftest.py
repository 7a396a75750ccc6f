"""The cluster of KUBECONFIG, with everything deployed once."""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from locomo_assets_tests.browser.graphql import Ui
from locomo_assets_tests.kubernetes.cluster import Cluster
from locomo_assets_tests.kubernetes.deploying import NAMESPACE, deploy
from locomo_assets_tests.runs.fixtures import Record

_COPY = (
    "import sqlite3, sys; sqlite3.connect('/tmp/standin.sqlite').execute("
    "\"VACUUM INTO '/tmp/copy.sqlite'\"); "
    "sys.stdout.buffer.write(open('/tmp/copy.sqlite', 'rb').read()); "
    "import os; os.unlink('/tmp/copy.sqlite')"
)


@dataclass(frozen=True)
class Deployment:
    """The cluster, the UI in it, and where its S3 can be reached from here."""

    cluster: Cluster
    ui: Ui
    s3_endpoint: str
    folder: Path

    def record(self) -> Record:
        """The stand-in's own record of what it was asked, as of now."""
        copy = self.folder / "standin.sqlite"
        copy.write_bytes(self.cluster.inside(self.cluster.pod("standin"), "python", "-c", _COPY))
        return Record(copy)


@pytest.fixture(scope="session")
def deployment(
    tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config
) -> Iterator[Deployment]:
    if not pytestconfig.getoption("--cluster"):
        pytest.skip("no cluster: `make test-kubernetes` runs these, see docs/kubernetes.md")
    cluster = Cluster(NAMESPACE)
    try:
        deploy(cluster)
        with ExitStack() as stack:
            ui = Ui(stack.enter_context(cluster.tunnel("locomo-webserver", 3000)))
            s3 = stack.enter_context(cluster.tunnel("object-store", 5000))
            _make_bucket(s3)
            ui.stop_automation()  # its runs would be counted among those of the tests
            yield Deployment(cluster, ui, s3, tmp_path_factory.mktemp("cluster"))
    except BaseException:
        print(cluster.kubectl("get", "pods,jobs,events"))
        raise
    finally:
        cluster.kubectl("delete", "namespace", NAMESPACE, "--ignore-not-found", "--wait=false")


def _make_bucket(endpoint: str) -> None:
    import s3fs

    s3fs.S3FileSystem(
        key="nobody", secret="nothing", endpoint_url=endpoint, skip_instance_cache=True
    ).mkdir("locomo")
