"""The same history in an S3 bucket, over a real socket to moto's server."""

import http.server
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from locomo_assets.history.errors import HistoryDamagedError, HistoryUnreachableError
from locomo_assets.history.lens import query, refresh
from locomo_assets.history.store import HistoryStore
from locomo_assets_tests.history.making import answer, commit_answers, lineage
from locomo_assets_tests.history.test_processes import ten_writers_three_readers

COUNT = "SELECT count(*) FROM answers"


def test_attempts_and_lens_as_on_a_disk(s3_url: str, tmp_path: Path) -> None:
    store = HistoryStore.open(s3_url)
    assert HistoryStore.open(s3_url).history_id == store.history_id
    odd = lineage("answers", "r/1 ä|x", "c/../d")
    killed = store.begin(odd)
    killed.append("answers", [answer(0)])
    (unfinished,) = store.unfinished("answers", "r/1 ä|x", "c/../d")
    attempt = store.begin(odd)
    attempt.take_over(store, unfinished)
    marker = attempt.commit()
    assert HistoryStore.open(s3_url).markers() == [marker]
    assert store.read("answers", [marker]).num_rows == 1
    assert store.unfinished("answers", "r/1 ä|x", "c/../d") == []
    path = tmp_path / "history.duckdb"
    assert refresh(store, path).attempts == 1
    commit_answers(store, lineage("answers", "r2"))
    assert refresh(HistoryStore.open(s3_url), path).attempts_added == 1
    assert query(path, COUNT)[1] == [(11,)]


def test_damage_in_the_bucket_leaves_the_lens(s3_url: str, tmp_path: Path) -> None:
    store = HistoryStore.open(s3_url)
    path = tmp_path / "history.duckdb"
    commit_answers(store, lineage("answers", "r1"))
    refresh(store, path)
    part = commit_answers(store, lineage("answers", "r2")).parts[0].path
    whole = store.storage.get(part)
    store.storage.put(part, whole[:100] + b"x" + whole[101:])
    with pytest.raises(HistoryDamagedError, match="was changed"):
        refresh(store, path)
    store.storage.delete([part])
    with pytest.raises(HistoryDamagedError, match="is missing"):
        refresh(store, path)
    assert query(path, COUNT)[1] == [(10,)]


def test_two_machines_with_one_url(s3_url: str, tmp_path: Path) -> None:
    store = HistoryStore.open(s3_url)
    command = [sys.executable, "-m", "locomo_assets_tests.history.writing", s3_url]
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


def test_a_bucket_that_is_not_there_is_named(s3_url: str) -> None:
    with pytest.raises(HistoryUnreachableError, match="s3://no-such-bucket/history") as caught:
        HistoryStore.open("s3://no-such-bucket/history")
    assert "\n" not in str(caught.value)


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


@pytest.mark.parametrize(("status", "told"), [(403, "Forbidden"), (503, "503|Unavailable")])
def test_refusals_are_told_in_one_line_without_the_key(
    status: int, told: str, s3_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    handler = type("Handler", (Refusing,), {"status": status})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{server.server_port}")
        try:
            with pytest.raises(HistoryUnreachableError, match=told) as caught:
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
