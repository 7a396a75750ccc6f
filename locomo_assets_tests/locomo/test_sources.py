"""Reading from paths and loopback URLs, checked against a hash."""

import hashlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from locomo_assets.locomo.model import DatasetError
from locomo_assets.locomo.parsing import read_dataset
from locomo_assets.locomo.sample import packaged_sample
from locomo_assets_tests.locomo.factories import encoded, small_file

DATA = encoded(small_file())
SHA256 = hashlib.sha256(DATA).hexdigest()


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        if self.path.startswith("/moved"):
            self.send_response(302)
            self.send_header("Location", "/data.json")
            self.end_headers()
            return
        if self.path.startswith("/cut"):
            self.send_response(200)
            self.send_header("Content-Length", str(len(DATA)))
            self.end_headers()
            self.wfile.write(DATA[:50])
            return
        self.send_response(200 if self.path.startswith("/data.json") else 404)
        self.send_header("Content-Length", str(len(DATA)))
        self.end_headers()
        self.wfile.write(DATA)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def base_url() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_reads_a_path(tmp_path: Path) -> None:
    path = tmp_path / "small.json"
    path.write_bytes(DATA)
    dataset = read_dataset(str(path), SHA256.upper())
    assert (dataset.sha256, dataset.source) == (SHA256, str(path))
    assert dataset.size_bytes == len(DATA)


def test_reads_the_packaged_sample() -> None:
    assert len(read_dataset(packaged_sample()).conversations) == 2


@pytest.mark.parametrize("path", ["/data.json", "/moved"])
def test_reads_a_url_with_a_pinned_hash(base_url: str, path: str) -> None:
    assert read_dataset(base_url + path, SHA256).sha256 == SHA256


def test_credentials_in_a_url_are_not_stored(base_url: str) -> None:
    url = base_url.replace("http://", "http://me:secret@") + "/data.json?token=secret#part"
    dataset = read_dataset(url, SHA256)
    assert dataset.source == base_url + "/data.json"
    with pytest.raises(DatasetError) as caught:
        read_dataset(url, "0" * 64)
    assert "secret" not in str(caught.value)


def test_a_url_without_a_hash_is_refused(base_url: str) -> None:
    with pytest.raises(DatasetError, match="needs a pinned SHA-256"):
        read_dataset(base_url + "/data.json")


@pytest.mark.parametrize("source", ["http://example.org/x.json", "ftp://127.0.0.1/x"])
def test_only_https_is_read_from_remote_hosts(source: str) -> None:
    with pytest.raises(DatasetError, match="only https URLs and paths"):
        read_dataset(source, SHA256)


@pytest.mark.parametrize(
    ("path", "text"), [("/nothing", "answered 404"), ("/cut", "could not be fetched")]
)
def test_a_failed_download_names_its_cause(base_url: str, path: str, text: str) -> None:
    with pytest.raises(DatasetError, match=text):
        read_dataset(base_url + path, SHA256)


def test_a_server_that_is_down_is_named() -> None:
    with pytest.raises(DatasetError, match="could not be fetched"):
        read_dataset("http://127.0.0.1:9/data.json", SHA256)


def test_a_wrong_hash_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "small.json"
    path.write_bytes(DATA + b" ")
    with pytest.raises(DatasetError, match="not the expected"):
        read_dataset(str(path), SHA256)


def test_a_missing_file_and_a_folder_are_named(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="there is no such file"):
        read_dataset(str(tmp_path / "none.json"))
    with pytest.raises(DatasetError, match=r"cannot be read \(Is a directory\)"):
        read_dataset(str(tmp_path))
    with pytest.raises(DatasetError, match="cannot be read"):
        read_dataset("\0")
