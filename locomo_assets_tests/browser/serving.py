"""The Dagster UI of `make dev` as a process, and a headless Chromium on it: for tests, and for the
README's picture.
"""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
from playwright.sync_api import Page, sync_playwright

from locomo_assets_tests.daemon import hurried

REPOSITORY = Path(__file__).resolve().parent.parent.parent
CHROMIUM = shutil.which("chromium")
GRAPH = "/asset-groups?expanded=" + ",".join(
    f"global@global:{group}" for group in ("dataset", "measurement", "results")
)
_QUIET = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
          "--disable-background-networking", "--disable-component-update",
          "--disable-sync"]  # fmt: skip


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@contextmanager
def dagster_ui(
    home: Path, log_path: Path | None = None, folder: Path = REPOSITORY
) -> Iterator[str]:
    """`make dev` over a home, on a free port; its URL. Ended, with its children, at the end.

    It is called in `folder`, and has to start without a warning. What it and its children log goes
    into a file, if one is named.
    """
    port = _free_port()
    with log_path.open("w+b") if log_path else tempfile.TemporaryFile() as log:
        # Started without a shell's job control, a child would ignore SIGINT: `env` restores it.
        process = subprocess.Popen(
            ["env", "--default-signal=INT,TERM", sys.executable, "-m", "locomo_assets.pipeline.dev",
             "--port", str(port)],
            cwd=folder,
            env={**os.environ, **hurried(), "LOCOMO_HOME": str(home)},
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )  # fmt: skip
        url = f"http://127.0.0.1:{port}"
        try:
            _wait_until_up(url, process)
            told = os.pread(log.fileno(), 2**20, 0).decode()
            if "WARNING" in told:
                raise RuntimeError(f"it started with a warning: {told}")
            yield url
        finally:
            process.send_signal(signal.SIGINT)
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def _wait_until_up(url: str, process: subprocess.Popen[bytes]) -> None:
    query = {"query": "{ repositoriesOrError { ... on RepositoryConnection { nodes { name } } } }"}
    until = time.monotonic() + 300
    while time.monotonic() < until and process.poll() is None:
        try:
            answer = httpx.post(f"{url}/graphql", json=query, timeout=5).json()
            if answer["data"]["repositoriesOrError"].get("nodes"):
                return
        except (httpx.HTTPError, ValueError):
            pass
        time.sleep(0.1)
    raise RuntimeError(f"the Dagster UI did not come up at {url} (exit {process.poll()})")


@contextmanager
def chromium_page(width: int = 1440, height: int = 900, *, script: bool = True) -> Iterator[Page]:
    """A page of a headless Chromium; it has its own empty profile."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=_QUIET)
        try:
            yield browser.new_page(
                viewport={"width": width, "height": height}, java_script_enabled=script
            )
        finally:
            browser.close()
