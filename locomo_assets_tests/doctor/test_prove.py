"""`doctor --prove`: a saved turn and a verdict prove the keys, and nothing else is paid or left."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

import pytest

from locomo_assets.backboard.models import Assistant
from locomo_assets.backboard.remote import own_assistant
from locomo_assets.doctor import Diagnosis, Level, checked, examine
from locomo_assets.doctor.services import check_services, proof_cost
from locomo_assets.settings import read_settings
from locomo_assets.standin.server import running_standin
from locomo_assets.standin.settings import StandinSettings
from locomo_assets_tests.doctor.serving import served as at_work
from locomo_assets_tests.doctor.test_doctor import KEY, by_subject, run, served
from locomo_assets_tests.judging.scripted import Answer, completion, failing, scripted_server

PAGE = b"<!doctype html><title>Welcome</title>"


@pytest.fixture(autouse=True)
def _instance(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DAGSTER_HOME", "")
    monkeypatch.delenv("DAGSTER_HOME")


def proved(*, prove: bool = True) -> dict[str, Diagnosis]:
    settings = read_settings()
    return by_subject(checked("it", lambda: check_services(settings, prove=prove)))


def left_at(path: Path) -> list[str]:
    with closing(sqlite3.connect(path)) as db:
        return [name for (name,) in db.execute("SELECT name FROM assistants")]


def test_both_are_proven_by_one_turn_and_one_verdict(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = home / "server.sqlite"
    with (
        running_standin(StandinSettings(keys=(KEY,)), path) as urls,
        scripted_server() as judge,
    ):
        served(monkeypatch, urls.backboard, judge.base_url)
        done = run("--format", "json", "--prove")
    lines = {line["subject"]: line for line in json.loads(done.stdout)}
    assert done.exit_code == 0
    assert lines["memory service"]["found"].endswith(
        "key proven: a turn was saved and read back, and its memory begun"
    )
    assert "key proven: it called a right answer correct for 0.0004 USD" in lines["judge"]["found"]
    asked = [body for body in judge.bodies if "Question:" in str(body)]
    assert len(asked) == 1
    assert left_at(path) == []
    (cost,) = done.stderr.splitlines()
    assert cost.startswith(f"--prove asks for one saved message at {urls.backboard} (")
    assert "one verdict by gpt-4.1 (about 0.00" in cost


def test_without_keys_nothing_is_asked_for(home: Path) -> None:
    told: list[str] = []
    found = by_subject(examine(prove=True, tell=told.append))
    assert found["judge"].level is Level.OK
    assert told == ["nothing: the packaged stand-in and the lexical judge take no key"]


def test_what_has_no_price_is_said(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("LOCOMO_JUDGE_MODEL", "somebody-elses")
    assert proof_cost(read_settings()) == ("one verdict by somebody-elses (its price is not known)")


@pytest.mark.parametrize(
    ("status", "answer"), [(200, PAGE), (200, b"{}"), (200, b"[]"), (404, PAGE)]
)
def test_what_is_no_judge_is_not_proven(
    home: Path, monkeypatch: pytest.MonkeyPatch, status: int, answer: bytes
) -> None:
    kind = "text/html" if answer is PAGE else "application/json"
    with fixed(status, answer, kind) as url:
        monkeypatch.setenv("OPENAI_BASE_URL", url)
        monkeypatch.setenv("OPENAI_API_KEY", KEY)
        reached, found = proved(prove=False)["judge"], proved()["judge"]
    assert "key not proven" in reached.found
    assert (reached.level is Level.WARN) == (answer is PAGE and status == 200)
    assert found.level is Level.FAIL
    assert "127.0.0.1" in found.found


@pytest.mark.parametrize("verdict", [failing(401), failing(400, "no such thing"), completion("hm")])
def test_a_judge_that_gives_no_verdict(
    home: Path, monkeypatch: pytest.MonkeyPatch, verdict: Answer
) -> None:
    """Its models can be read without a key, as at many servers."""
    with scripted_server() as judge:
        judge.verdicts = [verdict]
        monkeypatch.setenv("OPENAI_BASE_URL", judge.base_url)
        monkeypatch.setenv("OPENAI_API_KEY", KEY)
        assert proved(prove=False)["judge"].level is Level.OK
        assert proved()["judge"].level is Level.FAIL


class _Service(BaseHTTPRequestHandler):
    """A memory service that lists and deletes, makes what is asked for, and keeps no message."""

    names: ClassVar[list[str]] = []
    deleted: ClassVar[list[str]] = []
    status = 200

    def do_GET(self) -> None:
        if self.path.startswith("/threads"):
            self._give({"thread_id": "t1", "messages": []})
        else:
            self._give([{"assistant_id": "a1", "name": name} for name in self.names])

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        if self.path == "/assistants":
            self.names.append(json.loads(body)["name"])
            self._give({"assistant_id": "a1", "name": self.names[-1]})
        elif self.path.endswith("/messages"):
            self._give({"message_id": "m1", "memory_operation_id": "o1"}, self.status)
        else:
            self._give({"thread_id": "t1"})

    def do_DELETE(self) -> None:
        self.deleted.append(self.path)
        self._give({})

    def _give(self, content: object, status: int = 200) -> None:
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Quiet."""


@pytest.mark.parametrize(
    ("status", "why"), [(200, "its thread holds 0 messages"), (402, "402"), (403, "403")]
)
def test_a_service_that_keeps_no_turn_is_left_clean(
    home: Path, monkeypatch: pytest.MonkeyPatch, status: int, why: str
) -> None:
    names: list[str] = []
    deleted: list[str] = []
    handler = type("Handler", (_Service,), {"names": names, "deleted": deleted, "status": status})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server, at_work(server):
        served(monkeypatch, f"http://127.0.0.1:{server.server_port}")
        found = proved()["memory service"]
    assert found.level is Level.FAIL
    assert why in found.found
    assert deleted == ["/assistants/a1"]
    # If it could not be deleted, `remote list` would show it.
    (name,) = names
    assert own_assistant(Assistant("a1", name, None)) is not None


@contextmanager
def fixed(status: int, answer: bytes, kind: str) -> Iterator[str]:
    """The URL of a server that answers everything alike."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            self.do_GET()

        def log_message(self, format: str, *args: object) -> None:
            """Quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server, at_work(server):
        yield f"http://127.0.0.1:{server.server_port}"
