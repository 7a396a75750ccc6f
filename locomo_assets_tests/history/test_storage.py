"""Storage: atomic objects, and the system's errors in one line."""

import errno
import os
import subprocess
from pathlib import Path

import pytest

from locomo_assets.history.backup.snapshot import storage_errors
from locomo_assets.history.errors import HistoryDamagedError, HistoryUnreachableError
from locomo_assets.history.storage import LocalStorage, open_storage
from locomo_assets.history.store import HistoryStore


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


def test_a_full_disk_is_named_and_nothing_half_written_stays(tiny_disk: Path) -> None:
    storage = LocalStorage(tiny_disk)
    storage.put("small", b"1")
    with pytest.raises(HistoryUnreachableError, match="disk is full"):
        storage.put("big", os.urandom(400_000))
    assert storage.list("") == ["small"]
    assert os.listdir(tiny_disk) == ["small"]
    storage.put("another", b"2")


LINKLESS = ["EPERM", "ENOTSUP", "EOPNOTSUPP", "ENOSYS", "EMLINK", "EXDEV", "EINVAL"]


@pytest.mark.parametrize("name", LINKLESS)
def test_a_file_system_without_hard_links_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    number = getattr(errno, name)

    def refuse(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "link", refuse)
    storage = LocalStorage(tmp_path)
    with pytest.raises(HistoryUnreachableError) as caught:
        storage.put_new("x", b"1")
    text = str(caught.value)
    assert text.startswith(f"history {tmp_path.as_uri()} can't be written: its file system has no")
    assert text.endswith("set LOCOMO_HISTORY to another file system")
    assert "permission" not in text
    assert "\n" not in text
    assert os.listdir(tmp_path) == []
    with pytest.raises(HistoryUnreachableError, match="no hard links"):
        HistoryStore.open(tmp_path.as_uri())
    with (
        pytest.raises(HistoryUnreachableError, match=r"^backup .*no hard.*LOCOMO_BACKUP"),
        storage_errors("backup", "LOCOMO_BACKUP"),
    ):
        storage.put_new("x", b"1")


def test_a_link_that_is_not_permitted_is_no_such_file_system(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(os, "link", refuse)
    with pytest.raises(HistoryUnreachableError, match="permission denied"):
        LocalStorage(tmp_path).put_new("x", b"1")


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
