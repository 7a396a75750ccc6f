"""A damaged backup is refused, with the fault named, before anything is written."""

import gzip
import hashlib
import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from locomo_assets.history.backup.create import create_backup
from locomo_assets.history.backup.restore import restore, verify
from locomo_assets.history.backup.snapshot import (
    FORMAT_VERSION,
    BackupDamagedError,
    BackupError,
    BackupRefusedError,
    BackupVersionError,
    backup_names,
    open_backup_storage,
)
from locomo_assets.history.schema import SCHEMA_VERSION
from locomo_assets.history.storage import open_storage
from locomo_assets.history.store import HistoryStore
from locomo_assets_tests.history.factories import commit_answers, lineage


@pytest.fixture
def store(tmp_path: Path) -> HistoryStore:
    made = HistoryStore.open((tmp_path / "history").as_uri())
    commit_answers(made, lineage("answers"))
    return made


@pytest.fixture
def backups(store: HistoryStore, tmp_path: Path) -> Path:
    folder = tmp_path / "backups"
    back_up(store, folder)
    return folder


def back_up(store: HistoryStore, folder: Path) -> str:
    storage = open_backup_storage(folder.as_uri())
    return create_backup(store, storage, keep_days=60, run_id="b", now=datetime.now(UTC)).name


def data_file(store: HistoryStore, backups: Path) -> Path:
    sha256 = str(store.manifests()[0].data_files[0].sha256)
    return backups / "objects" / sha256[:2] / sha256


def refused(backups: Path, kind: type[BackupError], message: str) -> None:
    storage = open_backup_storage(backups.as_uri())
    target = backups.parent / "new"
    with pytest.raises(kind, match=message) as caught:
        verify(storage)
    assert "\n" not in str(caught.value)
    with pytest.raises(kind, match=message):
        restore(storage, open_storage(target.as_uri()))
    assert not target.exists()


def test_a_flipped_byte(store: HistoryStore, backups: Path) -> None:
    victim = data_file(store, backups)
    data = victim.read_bytes()
    victim.write_bytes(data[:50] + bytes([data[50] ^ 4]) + data[51:])
    refused(backups, BackupDamagedError, f"{victim.name} .* was changed")
    # What the error suggests.
    victim.unlink()
    back_up(store, backups)
    verify(open_backup_storage(backups.as_uri()))


def test_a_missing_data_file(store: HistoryStore, backups: Path) -> None:
    data_file(store, backups).unlink()
    refused(backups, BackupDamagedError, "is missing")


@pytest.mark.parametrize("cut", [0, 1, -1])
def test_a_manifest_that_was_cut_off(backups: Path, cut: int) -> None:
    (backup_manifest,) = (backups / "manifests").iterdir()
    backup_manifest.write_bytes(backup_manifest.read_bytes()[:cut])
    refused(backups, BackupDamagedError, "its manifest was changed or cut off")


def changed(backups: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Change the manifest, and rename it to match."""
    (path,) = (backups / "manifests").iterdir()
    value = json.loads(gzip.decompress(path.read_bytes()))
    change(value)
    data = gzip.compress(json.dumps(value).encode())
    path.unlink()
    head = path.name.partition("-")[0]
    path.with_name(f"{head}-{hashlib.sha256(data).hexdigest()[:16]}.json.gz").write_bytes(data)


@pytest.mark.parametrize(
    "newer", [{"format_version": FORMAT_VERSION + 1}, {"schema_version": SCHEMA_VERSION + 1}]
)
def test_a_newer_version(backups: Path, newer: dict[str, int]) -> None:
    changed(backups, lambda value: value.update(newer))
    refused(backups, BackupVersionError, "upgrade locomo-assets")


def test_an_incomplete_manifest(backups: Path) -> None:
    changed(backups, lambda value: value.pop("files"))
    refused(backups, BackupDamagedError, "can't be read")


def test_a_manifest_without_a_data_file(backups: Path) -> None:
    changed(
        backups,
        lambda value: value.update(
            files=[f for f in value["files"] if not f["path"].startswith("tables/calls")]
        ),
    )
    refused(backups, BackupDamagedError, r"tables/calls.* is not the data file")


def test_a_manifest_without_an_attempt(backups: Path) -> None:
    changed(
        backups,
        lambda value: value.update(
            files=[f for f in value["files"] if not f["path"].startswith("attempts")]
        ),
    )
    refused(backups, BackupDamagedError, "not as many")


@pytest.mark.parametrize("path", ["../../outside", "/outside"])
def test_a_path_that_leads_outside(backups: Path, path: str) -> None:
    changed(backups, lambda value: value["files"][0].update(path=path))
    refused(backups, BackupDamagedError, "can't be read")


def test_the_good_one_before_can_be_chosen(
    store: HistoryStore, backups: Path, tmp_path: Path
) -> None:
    storage = open_backup_storage(backups.as_uri())
    (good,) = backup_names(storage)
    bad = back_up(store, backups)
    (backups / "manifests" / f"{bad}.json.gz").write_bytes(b"")
    target = open_storage((tmp_path / "new").as_uri())
    assert restore(storage, target, good[:20]).name == good
    with pytest.raises(BackupError, match=f"0 backups are called 1999.*{good}"):
        verify(storage, "1999")


def test_restore_needs_an_empty_place(backups: Path, tmp_path: Path) -> None:
    full = tmp_path / "full"
    full.mkdir()
    (full / "mine.txt").write_text("mine")
    with pytest.raises(BackupRefusedError, match=r"not empty \(1 files, the first mine.txt\)"):
        restore(open_backup_storage(backups.as_uri()), open_storage(full.as_uri()))
    assert [path.name for path in full.rglob("*")] == ["mine.txt"]


def test_no_backup_there(tmp_path: Path) -> None:
    refused(tmp_path / "none", BackupError, "holds no backup")
