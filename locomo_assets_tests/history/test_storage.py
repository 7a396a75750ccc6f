"""Storage: atomic objects, and the system's errors in one line."""

import errno
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from locomo_assets.history.errors import HistoryDamagedError, HistoryUnreachableError
from locomo_assets.history.storage import LocalStorage, open_storage


def test_puts_gets_lists_and_deletes(tmp_path: Path) -> None:
    storage = open_storage(tmp_path.as_uri())
    storage.put("a/b/1", b"one")
    storage.put("a/2", b"two")
    storage.put("c", b"three")
    assert storage.list("a") == ["a/2", "a/b/1"]
    assert storage.list("") == ["a/2", "a/b/1", "c"]
    assert storage.list("absent") == []
    assert storage.get("a/b/1") == b"one"
    assert storage.get_many(["c", "a/2"]) == {"c": b"three", "a/2": b"two"}
    storage.delete(["a/2", "a/never"])
    assert storage.list("a") == ["a/b/1"]


def test_put_new_keeps_an_existing_object(tmp_path: Path) -> None:
    storage = LocalStorage(tmp_path)
    storage.put_new("x", b"first")
    storage.put_new("x", b"second")
    assert storage.get("x") == b"first"
    assert os.listdir(tmp_path) == ["x"]


def test_a_url_with_blanks_and_signs_is_unquoted(tmp_path: Path) -> None:
    folder = tmp_path / "my history ä%20"
    open_storage(folder.as_uri()).put("x", b"1")
    assert (folder / "x").read_bytes() == b"1"


@pytest.mark.parametrize("url", ["history", "/history", "file://host/history", "file:history"])
def test_a_history_that_is_not_a_url_is_refused(url: str) -> None:
    with pytest.raises(HistoryUnreachableError, match="file:///folder"):
        open_storage(url)


def test_a_missing_object_is_damage(tmp_path: Path) -> None:
    with pytest.raises(HistoryDamagedError, match=r"x/y\.parquet is missing"):
        LocalStorage(tmp_path).get("x/y.parquet")


def test_a_failed_write_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(HistoryUnreachableError, match="disk is full") as caught:
        LocalStorage(tmp_path).put("x", b"1")
    assert "\n" not in str(caught.value)
    assert os.listdir(tmp_path) == []


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 256 kB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(disk)],
        check=False,
        capture_output=True,
    )
    if mounted.returncode:
        pytest.skip("may not mount a small file system here")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


def test_a_full_disk_is_named_and_nothing_half_written_stays(tiny_disk: Path) -> None:
    storage = LocalStorage(tiny_disk)
    storage.put("small", b"1")
    with pytest.raises(HistoryUnreachableError, match="disk is full"):
        storage.put("big", os.urandom(400_000))
    assert storage.list("") == ["small"]
    assert os.listdir(tiny_disk) == ["small"]
    storage.put("another", b"2")


def test_a_folder_that_cant_be_created_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    storage = open_storage((tmp_path / "file").as_uri())
    with pytest.raises(HistoryUnreachableError, match="can't be written"):
        storage.put("x", b"1")
    with pytest.raises(HistoryUnreachableError, match="can't be read"):
        storage.list("")


def test_a_read_only_folder_is_named(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    try:
        if os.access(tmp_path, os.W_OK):
            pytest.skip("this user writes anywhere; a read-only mount is tested below")
        with pytest.raises(HistoryUnreachableError, match="permission denied"):
            open_storage(tmp_path.as_uri()).put("x", b"1")
    finally:
        tmp_path.chmod(0o700)


def test_a_read_only_file_system_is_named(tiny_disk: Path) -> None:
    subprocess.run(["mount", "-o", "remount,ro", str(tiny_disk)], check=True)
    with pytest.raises(HistoryUnreachableError, match=r"permission denied.*LOCOMO_HISTORY"):
        LocalStorage(tiny_disk).put("x", b"1")


@pytest.mark.parametrize(
    "url", ["s3://user:planted@bucket/h", "s3://planted@bucket/h", "abfs://c:planted@account/h"]
)
def test_a_url_with_a_password_is_refused_without_it(url: str) -> None:
    with pytest.raises(HistoryUnreachableError, match="no user or password") as caught:
        open_storage(url)
    assert "planted" not in str(caught.value)
