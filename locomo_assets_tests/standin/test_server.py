"""The server as a process of its own: ready, shared, stopped, killed."""

import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from locomo_assets.standin.server import (
    BaseUrls,
    StandinServerError,
    running_standin,
    serve,
)
from locomo_assets.standin.settings import StandinSettings
from locomo_assets_tests.standin.requests import Talk, talking_to, turn_form

PROGRAM = """
import sys
from pathlib import Path
from locomo_assets.standin.server import serve
from locomo_assets.standin.settings import StandinSettings

settings = StandinSettings(message_latency_ms=float(sys.argv[2]))
serve("127.0.0.1", 0, settings, Path(sys.argv[1]), on_ready=lambda port: print(port, flush=True))
print("stopped", flush=True)
"""


@contextmanager
def process(state_path: Path, latency_ms: float = 0.0) -> Iterator[subprocess.Popen[str]]:
    server = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(state_path), str(latency_ms)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with server:
        try:
            yield server
        finally:
            server.kill()


def urls_of(server: subprocess.Popen[str]) -> BaseUrls:
    assert server.stdout is not None
    root = f"http://127.0.0.1:{int(server.stdout.readline())}"
    return BaseUrls(backboard=f"{root}/api", openai=f"{root}/v1")


def test_two_processes_share_one_state(tmp_path: Path) -> None:
    path = tmp_path / "state.sqlite"
    with (
        process(path) as first,
        process(path) as second,
        talking_to(urls_of(first)) as one,
        talking_to(urls_of(second)) as other,
    ):
        assistant_id = one.assistant()
        thread_id = other.thread(assistant_id)

        def tell(talk: Talk, name: str) -> None:
            for number in range(60):
                talk.turn(thread_id, f"{name}: fact {number}")

        tellers = [
            threading.Thread(target=tell, args=(talk, name))
            for talk, name in ((one, "Ada"), (other, "Bob"))
        ]
        for teller in tellers:
            teller.start()
        for teller in tellers:
            teller.join()

        said = one.contents(thread_id)
        assert said == other.contents(thread_id)
        for name in ("Ada", "Bob"):
            mine = [content for content in said if content.startswith(name)]
            assert mine == [f"{name}: fact {number}" for number in range(60)]
        assert len(said) == 120
        found = one.post(f"/assistants/{assistant_id}/memories/search", query="Bob", limit=50)
        assert found["total_count"] == 50
        saved = other.turn(thread_id, "Bob: I like opera")
        operation = one.get(f"/assistants/memories/operations/{saved['memory_operation_id']}")
        assert operation["status"] == "COMPLETED"
        assert one.post(f"/assistants/{assistant_id}/memories/search", query="opera")["memories"]


def test_a_killed_server_loses_nothing_it_has_acknowledged(tmp_path: Path) -> None:
    path = tmp_path / "state.sqlite"
    with process(path) as server, talking_to(urls_of(server)) as talk:
        thread_id = talk.thread(talk.assistant())
        for number in range(20):
            talk.turn(thread_id, f"Ada: {number}")
        server.send_signal(signal.SIGKILL)
        server.wait()
    with running_standin(StandinSettings(), path) as urls, talking_to(urls) as talk:
        assert talk.contents(thread_id) == [f"Ada: {number}" for number in range(20)]


@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_it_cleanly_once_requests_have_ended(
    tmp_path: Path, sign: signal.Signals
) -> None:
    with process(tmp_path / "state.sqlite", 500.0) as server, talking_to(urls_of(server)) as talk:
        thread_id = talk.thread(talk.assistant())
        answers: list[httpx.Response] = []
        sent = threading.Event()

        def post() -> None:
            talk.http.event_hooks = {"request": [lambda _: sent.set()]}
            path = f"/threads/{thread_id}/messages"
            answers.append(talk.http.post(path, data=turn_form("Ada: x")))

        poster = threading.Thread(target=post)
        poster.start()
        sent.wait()
        while not talk_sees(tmp_path, thread_id):
            pass
        server.send_signal(sign)
        out, err = server.communicate(timeout=10)
        poster.join()
        assert (server.returncode, out, err) == (0, "stopped\n", "")
        assert [answer.status_code for answer in answers] == [200]


def talk_sees(folder: Path, thread_id: str) -> bool:
    """Whether the message under way has been saved, read beside the server."""
    from locomo_assets.standin.state import StandinState

    with StandinState(folder / "state.sqlite") as state:
        return bool(state.messages(thread_id))


def test_a_port_in_use_is_said_in_one_line(tmp_path: Path, urls: BaseUrls) -> None:
    port = int(urls.backboard.rpartition(":")[2].partition("/")[0])
    with pytest.raises(StandinServerError) as raised:
        serve("127.0.0.1", port, StandinSettings(), tmp_path / "state.sqlite")
    assert f"127.0.0.1:{port}" in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(("host", "port"), [("127.0.0.1", 99_999), ("nowhere.invalid", 0)])
def test_an_address_that_is_none_is_refused(tmp_path: Path, host: str, port: int) -> None:
    with pytest.raises(StandinServerError, match=host):
        serve(host, port, StandinSettings(), tmp_path / "state.sqlite")


def test_it_is_gone_after_the_block(tmp_path: Path) -> None:
    with running_standin(StandinSettings(), tmp_path / "state.sqlite") as urls:
        assert httpx.get(f"{urls.backboard}/assistants").status_code == 401
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{urls.backboard}/assistants")
