"""What all tests share: an environment without keys and a home of their own."""

import logging
import os
import shutil
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from locomo_assets_tests.object_store import object_store

REPOSITORY = Path(__file__).resolve().parent.parent
SHARED_DATA = REPOSITORY.parent / "shared" / "data"


MEMORY_DISK = Path("/dev/shm")
MEMORY_DISK_NEEDS_BYTES = 8 * 2**30


def pytest_configure() -> None:
    """Homes lie in memory where there is room: a run syncs to the disk hundreds of times.

    TMPDIR chooses another place.
    """
    if (
        "TMPDIR" not in os.environ
        and os.access(MEMORY_DISK, os.W_OK | os.X_OK)
        and shutil.disk_usage(MEMORY_DISK).free > MEMORY_DISK_NEEDS_BYTES
    ):
        os.environ["TMPDIR"] = tempfile.tempdir = str(MEMORY_DISK)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What mostly waits goes first: one worker waits while the others use the processor."""
    items.sort(key=lambda item: item.get_closest_marker("waits") is None)


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--kills N`: how many processes the kill tests kill. `--cluster`: deploy to KUBECONFIG's."""
    parser.addoption("--kills", type=int, default=4)
    parser.addoption("--cluster", action="store_true")


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test sees the settings or keys of whoever runs it."""
    for name in list(os.environ):
        if name.startswith(("LOCOMO_", "BACKBOARD_", "OPENAI_", "DAGSTER_")):
            monkeypatch.delenv(name)


@pytest.fixture(autouse=True)
def _logs_as_they_were() -> Iterator[None]:
    """What a command or the definitions set up in a test's process stays in that test."""
    loggers = [logging.getLogger(), *map(logging.getLogger, logging.root.manager.loggerDict)]
    before = [(one, one.level, one.disabled, one.propagate, one.handlers[:]) for one in loggers]
    made_by = logging.getLoggerClass()
    yield
    logging.setLoggerClass(made_by)
    logging.captureWarnings(False)
    logging.disable(logging.NOTSET)
    for one, level, disabled, propagate, handlers in before:
        if one.level != level:  # setting one looks through all of them
            one.setLevel(level)
        one.disabled, one.propagate, one.handlers = disabled, propagate, handlers


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A LOCOMO_HOME of this test alone."""
    monkeypatch.setenv("LOCOMO_HOME", str(tmp_path))
    return tmp_path


@pytest.fixture(scope="session")
def s3_endpoint() -> Iterator[str]:
    """A served S3 (moto), on a real socket."""
    server = object_store("127.0.0.1", 0)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    host, port = server.server_address[:2]
    yield f"http://{host!s}:{port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def s3_url(s3_endpoint: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    """A history's URL in a bucket of the test's own, with credentials of nobody."""
    import s3fs

    for name, value in {
        "AWS_ACCESS_KEY_ID": "nobody",
        "AWS_SECRET_ACCESS_KEY": "planted-secret",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_MAX_ATTEMPTS": "1",
        "AWS_CONFIG_FILE": str(tmp_path / "none"),
        "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "none"),
        "AWS_ENDPOINT_URL": s3_endpoint,
    }.items():
        monkeypatch.setenv(name, value)
    bucket = tmp_path.name.replace("_", "-").lower()
    s3fs.S3FileSystem(endpoint_url=s3_endpoint, skip_instance_cache=True).mkdir(bucket)
    return f"s3://{bucket}/some/history"


@pytest.fixture(scope="session")
def gs_endpoint() -> Iterator[str]:
    """A served Google Cloud Storage (an emulator; see `stores`)."""
    from locomo_assets_tests.stores import google

    with google() as endpoint:
        yield endpoint


@pytest.fixture
def gs_url(gs_endpoint: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    """A history's URL in a bucket of the test's own; the emulator asks for no credentials."""
    import httpx

    monkeypatch.setenv("STORAGE_EMULATOR_HOST", gs_endpoint)
    bucket = tmp_path.name.replace("_", "-").lower()
    httpx.post(f"{gs_endpoint}/storage/v1/b", json={"name": bucket}).raise_for_status()
    return f"gs://{bucket}/some/history"


@pytest.fixture(scope="session")
def azure_connection() -> Iterator[str]:
    """A served Azure Blob Storage (Azurite), where it is installed."""
    from locomo_assets_tests.stores import azure, azurite_command

    command = azurite_command()
    if command is None:
        pytest.skip("Azurite is not installed; `make azurite` does (needs npm)")
    with azure(command) as connection:
        yield connection


@pytest.fixture
def abfs_url(azure_connection: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    """A history's URL in a container of the test's own."""
    from azure.storage.blob import BlobServiceClient

    monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", azure_connection)
    container = tmp_path.name.replace("_", "-").lower()
    with BlobServiceClient.from_connection_string(azure_connection) as client:
        client.create_container(container)
    return f"abfs://{container}/some/history"


@pytest.fixture
def real_dataset() -> Path:
    """The real data set, where it is there to read."""
    path = SHARED_DATA / "locomo10.json"
    if not path.exists():
        pytest.skip("the real data set is not beside the project")
    return path
