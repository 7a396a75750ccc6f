"""`make dev` before it starts anything: port, folder, workspace, and the warning that is none."""

import http.server
import logging
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml
from dagster._core.workspace.load_target import WorkspaceFileTarget

from locomo_assets.pipeline import dev

ROOT = Path(__file__).resolve().parent.parent.parent


@contextmanager
def served(body: bytes) -> Iterator[int]:
    """A server on loopback that answers everything with `body`; its port."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize(
    ("body", "who"),
    [
        (b'{"dagster_webserver_version": "1.13.27"}', "another Dagster UI"),
        (b"<html>", "another program"),
        (b"1", "another program"),
    ],
)
def test_a_taken_port_is_said_with_who_has_it(
    body: bytes, who: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MAKELEVEL", "1")
    with served(body) as port, pytest.raises(dev.PortError) as raised:
        dev.check_port(["--port", str(port)])
    text = str(raised.value)
    assert text.startswith(f"port {port} on 127.0.0.1 is taken by {who}; ")
    other = int(text.rpartition("make dev PORT=")[2])
    assert other != port
    dev.check_port(["--port", str(other)])


@pytest.mark.parametrize("spelled", ["--port={}", "-p {}", "-p{}", "--live-data-poll-rate 9 -p {}"])
def test_every_way_to_name_a_port_is_understood(
    spelled: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[object] = []

    def create_server(where: object, **_: object) -> socket.socket:
        asked.append(where)
        return socket.socket()

    monkeypatch.setattr(socket, "create_server", create_server)
    dev.check_port(spelled.format(3456).split())
    assert asked == [("127.0.0.1", 3456)]


def test_without_make_the_way_out_needs_no_make(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MAKELEVEL", raising=False)
    with served(b"") as port, pytest.raises(dev.PortError, match=r"pipeline\.dev --port \d+$"):
        dev.check_port(["--port", str(port)])


@pytest.mark.parametrize("port", ["0", "65536", "-1", "x", "", "3000 ", "²"])
def test_what_is_no_port(port: str) -> None:
    with pytest.raises(dev.PortError, match="from 1 to 65535"):
        dev.check_port([f"--port={port}"])


def test_a_host_that_is_not_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(99, "another wording (of this system)")

    monkeypatch.setattr(socket, "create_server", refuse)
    with pytest.raises(dev.PortError, match=r"can't be used \([^()]+\); use another: "):
        dev.check_port(["--host", "192.0.2.1"])


def test_where_the_port_is_taken_nothing_is_started_or_written(tmp_path: Path) -> None:
    with served(b"") as port:
        done = subprocess.run(
            [sys.executable, "-m", "locomo_assets.pipeline.dev", "--port", str(port)],
            env={**os.environ, "LOCOMO_HOME": str(tmp_path / "home")},
            capture_output=True, text=True, check=False, timeout=60,
        )  # fmt: skip
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"error: port {port} ")
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "home").exists()


@pytest.fixture
def becomes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The commands that the process becomes, in place of becoming them."""
    found: list[list[str]] = []
    monkeypatch.setattr(os, "execv", lambda _, command: found.append(command))
    monkeypatch.setattr(sys, "argv", ["dev", "--port", "0"])
    monkeypatch.setattr(dev, "check_port", lambda _: None)
    monkeypatch.setenv("LOCOMO_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("DAGSTER_HOME", "")  # what it sets is taken back
    return found


def test_a_bad_setting_is_one_line(
    becomes: list[list[str]], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LOCOMO_LOG_FORMAT", "xml")
    with pytest.raises(SystemExit) as ended:
        dev.main()
    assert ended.value.code == 2
    told = capsys.readouterr().err
    assert told.startswith("error: ")
    assert told.count("\n") == 1
    assert becomes == []


def test_a_home_that_can_not_be_made_is_one_line(
    becomes: list[list[str]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "home").write_text("a file")
    with pytest.raises(SystemExit) as ended:
        dev.main()
    assert ended.value.code == 1
    told = capsys.readouterr().err
    assert told.startswith("error: ")
    assert told.count("\n") == 1
    assert becomes == []


def test_before_the_first_run_it_says_that_nothing_is_measured(
    becomes: list[list[str]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    dev.main()
    assert capsys.readouterr().err.startswith(f"Nothing is measured in {tmp_path / 'home'} yet")
    (tmp_path / "home" / "history").mkdir()
    dev.main()
    assert capsys.readouterr().err == ""
    assert Path(os.environ["DAGSTER_HOME"]) == tmp_path / "home" / "dagster"
    assert [command[-5:] for command in becomes] == [
        ["dev", "--workspace", str(dev.WORKSPACE), "--port", "0"]
    ] * 2


def test_the_workspace_is_found_from_any_folder_and_names_what_a_deployment_has(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (origin,) = WorkspaceFileTarget([str(dev.WORKSPACE)]).create_origins()
    assert origin.location_name == "locomo_assets"
    deployed = yaml.safe_load((ROOT / "workspace.yaml").read_text())
    assert yaml.safe_load(dev.WORKSPACE.read_text()) == deployed


def test_only_the_warning_of_the_clones_dagster_yaml_is_left_out(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    logger = logging.getLogger("dagster")
    monkeypatch.setattr(logger, "filters", [])
    monkeypatch.setattr(logger, "propagate", True)

    def warn(**_: object) -> None:
        logger.warning("Found a dagster instance configuration value (dagster.yaml) in …")
        logger.warning("something else")

    monkeypatch.setattr("dagster_dg_cli.cli.cli", warn)
    dev.serve()
    assert caplog.messages == ["something else"]
