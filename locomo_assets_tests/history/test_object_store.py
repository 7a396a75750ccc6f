"""The same history in a bucket, over real sockets: S3 (moto's server), Google Cloud Storage (an
emulator, see `stores`) and Azure Blob Storage (Azurite, where it is installed).
"""

import http.server
import os
import socket
import subprocess
import sys
import threading
import time
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from locomo_assets.history import storage as storage_module
from locomo_assets.history.database import query, refresh
from locomo_assets.history.errors import (
    HistoryDamagedError,
    HistoryUnreachableError,
    LeaseTakenError,
)
from locomo_assets.history.lease import Lease, acquire, release, renew
from locomo_assets.history.storage import open_storage
from locomo_assets.history.store import HistoryStore
from locomo_assets_tests.history.factories import answer, commit_answers, lineage
from locomo_assets_tests.history.test_processes import ten_writers_three_readers

COUNT = "SELECT count(*) FROM answers"


@pytest.fixture(params=["s3_url", "gs_url", "abfs_url"])
def url(request: pytest.FixtureRequest) -> str:
    """A history's URL in each store."""
    return str(request.getfixturevalue(request.param))


def test_puts_gets_lists_and_deletes(url: str, tmp_path: Path) -> None:
    storage = open_storage(url)
    data = os.urandom(400_000)
    storage.put("a/b/1", b"before")
    storage.put("a/b/1", data)
    storage.put("a/2", b"two")
    assert storage.list("a") == ["a/2", "a/b/1"]
    assert storage.list("") == ["a/2", "a/b/1"]
    assert storage.list("absent") == []
    assert storage.get("a/b/1") == data
    assert storage.get_many(["a/2", "a/b/1"]) == {"a/2": b"two", "a/b/1": data}
    for missing in (partial(storage.get, "a/never"), partial(storage.get_many, ["a/never"])):
        with pytest.raises(HistoryDamagedError, match="a/never is missing"):
            missing()
    storage.delete(["a/2", "a/never"])
    assert storage.list("") == ["a/b/1"]
    file = tmp_path / "file"
    file.write_bytes(data + data)
    storage.put_file("a/b/1", file)
    assert storage.get("a/b/1") == data + data


def test_put_new_keeps_an_existing_object(url: str) -> None:
    storage = open_storage(url)
    storage.put_new("x", b"first")
    storage.put_new("x", b"second")
    assert storage.get("x") == b"first"


def test_one_of_many_gets_the_lease(url: str) -> None:
    mine = lineage("answers", run_id="mine")
    release(open_storage(url), acquire(open_storage(url), mine))
    got: list[Lease] = []
    barrier = threading.Barrier(4)

    def run(number: int) -> None:
        storage = open_storage(url)
        barrier.wait()
        with suppress(LeaseTakenError):
            got.append(acquire(storage, replace(mine, run_id=f"run-{number}")))

    threads = [threading.Thread(target=run, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(got) == 1
    assert renew(open_storage(url), got[0]).holder == got[0].holder


def test_attempts_and_database_as_on_a_disk(url: str, tmp_path: Path) -> None:
    store = HistoryStore.open(url)
    assert HistoryStore.open(url).history_id == store.history_id
    odd = lineage("answers", "r/1 ä|x", "c/../d")
    killed = store.begin(odd)
    killed.append("answers", [answer(0)])
    (unfinished,) = store.unfinished("answers", "r/1 ä|x", "c/../d")
    attempt = store.begin(odd)
    attempt.adopt(store, unfinished)
    manifest = attempt.commit()
    assert HistoryStore.open(url).manifests() == [manifest]
    assert store.read("answers", [manifest]).num_rows == 1
    assert store.unfinished("answers", "r/1 ä|x", "c/../d") == []
    path = tmp_path / "history.duckdb"
    assert refresh(store, path).attempts == 1
    commit_answers(store, lineage("answers", "r2"))
    assert refresh(HistoryStore.open(url), path).attempts_added == 1
    assert query(path, COUNT)[1] == [(11,)]


def test_damage_in_the_bucket_leaves_the_database(s3_url: str, tmp_path: Path) -> None:
    store = HistoryStore.open(s3_url)
    path = tmp_path / "history.duckdb"
    commit_answers(store, lineage("answers", "r1"))
    refresh(store, path)
    data_file = commit_answers(store, lineage("answers", "r2")).data_files[0].path
    whole = store.storage.get(data_file)
    store.storage.put(data_file, whole[:100] + b"x" + whole[101:])
    with pytest.raises(HistoryDamagedError, match="was changed"):
        refresh(store, path)
    store.storage.delete([data_file])
    with pytest.raises(HistoryDamagedError, match="is missing"):
        refresh(store, path)
    assert query(path, COUNT)[1] == [(10,)]


def test_two_machines_with_one_url(s3_url: str, tmp_path: Path) -> None:
    store = HistoryStore.open(s3_url)
    command = [sys.executable, "-m", "locomo_assets_tests.history.writer", s3_url]
    writers = [
        subprocess.Popen(
            [*command, name, "5"], stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2]
        )
        for name in ("one", "other")
    ]
    acknowledged = {line.strip() for w in writers for line in w.communicate()[0].splitlines()}
    assert [writer.returncode for writer in writers] == [0, 0]
    assert len(acknowledged) == 10
    for machine in ("one", "other"):
        path = tmp_path / machine / "history.duckdb"
        assert refresh(store, path).attempts == 10
        assert query(path, COUNT)[1] == [(100,)]


def test_ten_writers_and_three_readers_on_s3(s3_url: str, tmp_path: Path) -> None:
    ten_writers_three_readers(s3_url, tmp_path / "history.duckdb")


def test_a_missing_bucket_is_named(url: str) -> None:
    absent = f"{url.partition('://')[0]}://no-such-bucket/history"
    with pytest.raises(HistoryUnreachableError, match=absent) as caught:
        HistoryStore.open(absent)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 400


def test_a_truncated_upload_is_detected(gs_url: str) -> None:
    # The client separates sections of its upload by this line, so what follows it is lost.
    with pytest.raises(HistoryUnreachableError, match="checksum"):
        open_storage(gs_url).put("x", b"before\r\n--==0==\r\nafter")


class Refusing(http.server.BaseHTTPRequestHandler):
    """An object store that answers every request with one status."""

    status = 503

    def handle_any(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.send_response(self.status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_GET = do_PUT = do_HEAD = do_POST = handle_any  # noqa: N815  # the base class's names

    def log_message(self, format: str, *args: object) -> None:
        """Quiet."""


@pytest.mark.parametrize(("status", "message"), [(403, "Forbidden"), (503, "503|Unavailable")])
def test_refusals_are_reported_in_one_line_without_the_key(
    status: int, message: str, s3_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    handler = type("Handler", (Refusing,), {"status": status})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{server.server_port}")
        try:
            with pytest.raises(HistoryUnreachableError, match=message) as caught:
                HistoryStore.open("s3://bucket/history")
        finally:
            server.shutdown()
            thread.join()
    assert "\n" not in str(caught.value)
    assert "s3://bucket/history" in str(caught.value)
    assert "planted-secret" not in str(caught.value)


def test_an_endpoint_that_is_down_is_named(s3_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    with pytest.raises(HistoryUnreachableError, match=r"127\.0\.0\.1:1") as caught:
        HistoryStore.open("s3://bucket/history")
    assert "\n" not in str(caught.value)


def test_a_store_that_never_answers_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storage_module, "_TIME_OUT_S", 1.0)
    monkeypatch.setattr(storage_module, "_SLOWEST_BYTES_PER_S", 2**40)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{silent.getsockname()[1]}")
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "a")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "b")
        storage = open_storage("s3://bucket/history")
        began = time.monotonic()
        for call in (
            partial(storage.put, "x", b"1"),
            partial(storage.get, "x"),
            partial(storage.list, "x"),
        ):
            with pytest.raises(HistoryUnreachableError, match="no answer in time"):
                call()
        assert time.monotonic() - began < 12.0
