"""Creating a backup, and deleting those that are too old.

A lease lets only one backup at a time run in a storage: pruning deletes objects that no manifest
names, and a backup in progress has no manifest yet.
"""

import hashlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from locomo_assets import __version__
from locomo_assets.history import lease
from locomo_assets.history.backup.snapshot import (
    BackupDamagedError,
    BackupManifest,
    BackupRefusedError,
    BackupVersionError,
    File,
    Snapshot,
    backup_manifest_path,
    backup_names,
    backup_time,
    object_path,
    read_backup_manifest,
    storage_errors,
    take_snapshot,
    write_backup_manifest,
)
from locomo_assets.history.errors import (
    HistoryDamagedError,
    HistoryUnreachableError,
    LeaseTakenError,
)
from locomo_assets.history.provenance import Lineage, attempt_id_of
from locomo_assets.history.schema import SCHEMA_VERSION
from locomo_assets.history.storage import Storage, get_present
from locomo_assets.history.store import HistoryStore

T = TypeVar("T")

ALWAYS_KEPT = 2
"""The newest backups are kept, whatever their age."""

FILES_PER_BATCH = 100
"""Files read together. Data files of real runs are below 1 MB each."""

_THREADS = 16
_SNAPSHOT_TRIES = 3
_LEASE_TTL_S = 600.0


@dataclass(frozen=True, slots=True)
class BackupReport:
    """What was created and what was deleted. `notes` say in a line each what was not done."""

    name: str
    backup_manifest: BackupManifest
    new_files: int
    new_bytes: int
    kept: int
    removed: tuple[str, ...]
    notes: tuple[str, ...]
    duration_s: float


def create_backup(
    store: HistoryStore,
    storage: Storage,
    *,
    keep_days: int,
    run_id: str,
    now: datetime | None = None,
) -> BackupReport:
    """Back up the history, then delete the backups older than `keep_days`.

    Safe beside writers, and safe to kill and run again: a backup exists only once it is complete.
    `HistoryDamagedError` if a new file of the history is damaged; `BackupRefusedError` if the
    storage holds backups of another history or overlaps this one; `LeaseTakenError` if another
    backup is running there; `HistoryUnreachableError`.
    """
    started = time.monotonic()
    now = now or datetime.now(UTC)
    _refuse_overlap(store.storage.url, storage.url)
    with _exclusive(storage, run_id) as renew_lease:
        _refuse_another_history(store, storage)
        copier = _Copier(store.storage, storage, renew_lease)
        backup_manifest = _copy_snapshot(store, copier, now)
        renew_lease()
        with storage_errors("backup", "LOCOMO_BACKUP"):
            name = write_backup_manifest(storage, backup_manifest)
            removed, notes = _prune(storage, now - timedelta(days=keep_days))
    return BackupReport(
        name=name,
        backup_manifest=backup_manifest,
        new_files=copier.new_files,
        new_bytes=copier.new_bytes,
        kept=len(backup_names(storage)),
        removed=removed,
        notes=notes,
        duration_s=time.monotonic() - started,
    )


def _copy_snapshot(store: HistoryStore, copier: "_Copier", now: datetime) -> BackupManifest:
    """Copy a snapshot; take another if files of it vanish, because they were pruned."""
    for left in reversed(range(_SNAPSHOT_TRIES)):
        try:
            snapshot = take_snapshot(store, copier.save)
            files = copier.copy(snapshot)
            break
        except HistoryDamagedError:
            if not left:
                raise
    rows: dict[str, int] = {}
    for manifest in snapshot.manifests:
        for table, count in manifest.rows.items():
            rows[table] = rows.get(table, 0) + count
    return BackupManifest(
        made_at=now,
        program=__version__,
        schema_version=SCHEMA_VERSION,
        history_id=store.history_id,
        attempts=len(snapshot.manifests),
        unfinished=tuple(sorted({attempt_id_of(file.path) for file in snapshot.unfinished})),
        rows=dict(sorted(rows.items())),
        files=tuple(sorted(files, key=lambda file: file.path)),
    )


class _Copier:
    """Copies files into objects; a file whose hash is known and already stored is not read."""

    def __init__(self, source: Storage, target: Storage, renew_lease: Callable[[], None]) -> None:
        self._source = source
        self._target = target
        self._still_alone = renew_lease
        with storage_errors("backup", "LOCOMO_BACKUP"):
            self._held = {path.rpartition("/")[2] for path in target.list("objects")}
        self.new_files = self.new_bytes = 0

    def save(self, paths: Sequence[str]) -> list[File]:
        """Store the files that still exist, and return them."""
        files = []
        for batch in in_batches(paths, FILES_PER_BATCH):
            self._still_alone()
            files += self._put(get_present(self._source, batch), {})
        return files

    def copy(self, snapshot: Snapshot) -> list[File]:
        """Store all files of a snapshot, and return them."""
        expected = {data_file.path: data_file.sha256 for data_file in snapshot.data_files}
        files = [
            File(data_file.path, data_file.size_bytes, data_file.sha256)
            for data_file in snapshot.data_files
            if data_file.sha256 in self._held and data_file.size_bytes is not None
        ]
        known = {file.path for file in files}
        to_read = [path for path in expected if path not in known]
        to_read += [*(manifest.path for manifest in snapshot.manifests), *snapshot.others]
        for paths in in_batches(to_read, FILES_PER_BATCH):
            self._still_alone()
            files += self._put(self._source.get_many(paths), expected)
        return [*files, *snapshot.unfinished]

    def _put(self, data: Mapping[str, bytes], expected: Mapping[str, str | None]) -> list[File]:
        files = [File(p, len(d), hashlib.sha256(d).hexdigest()) for p, d in data.items()]
        for file in files:
            if expected.get(file.path, file.sha256) != file.sha256:
                raise HistoryDamagedError(
                    f"{file.path} was changed after it was committed, so no backup was made; see "
                    "`locomo-assets history check`, and restore it from the last backup"
                )
        new = {file.sha256: file for file in files if file.sha256 not in self._held}

        def put(file: File) -> None:
            self._target.put(object_path(file.sha256), data[file.path])

        with storage_errors("backup", "LOCOMO_BACKUP"):
            in_threads(put, list(new.values()))
        self._held |= new.keys()
        self.new_files += len(new)
        self.new_bytes += sum(file.size_bytes for file in new.values())
        return files


def in_batches(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    """The items in order, `size` at a time."""
    return (items[start : start + size] for start in range(0, len(items), size))


def in_threads(work: Callable[[T], None], items: Sequence[T]) -> None:
    """Call `work` with each item, concurrently; raise the first failure."""
    with ThreadPoolExecutor(_THREADS) as pool:
        for _ in pool.map(work, items):
            pass


def _prune(storage: Storage, limit: datetime) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Delete backups made before `limit`, then objects that no other backup names."""
    names = backup_names(storage)
    try:
        old = [name for name in names[:-ALWAYS_KEPT] if backup_time(name) < limit]
        needed = {
            object_path(file.sha256)
            for name in names
            if name not in old
            for file in read_backup_manifest(storage, name).files
        }
    except (BackupDamagedError, BackupVersionError) as exc:
        # The objects this backup needs are unknown, so nothing may be deleted.
        return (), (f"nothing was removed: {exc}",)
    storage.delete([backup_manifest_path(name) for name in old])
    storage.delete([path for path in storage.list("objects") if path not in needed])
    return tuple(old), ()


def _refuse_overlap(history: str, backups: str) -> None:
    one, other = f"{history.rstrip('/')}/", f"{backups.rstrip('/')}/"
    if one.startswith(other) or other.startswith(one):
        raise BackupRefusedError(
            f"backup {backups}: overlaps the history's own folder ({history}); set LOCOMO_BACKUP "
            "elsewhere, best to another disk or account"
        )


def _refuse_another_history(store: HistoryStore, storage: Storage) -> None:
    """An emptied or wrong history must not replace the good backups."""
    for name in reversed(backup_names(storage)):
        with suppress(BackupDamagedError, BackupVersionError):
            found = read_backup_manifest(storage, name).history_id
            if found != store.history_id:
                raise BackupRefusedError(
                    f"backup {storage.url}: holds backups of another history ({found}, not "
                    f"{store.history_id}); restore that one if this one was lost, or set "
                    "LOCOMO_BACKUP elsewhere"
                )
            return


@contextmanager
def _exclusive(storage: Storage, run_id: str) -> Iterator[Callable[[], None]]:
    """Hold the storage's backup lease; call the yielded function at least every ten minutes."""
    lineage = Lineage(
        asset="history_backup",
        run_id=run_id,
        release=None,
        conversation=None,
        code_version=__version__,
        dataset_sha256=None,
        system=None,
    )
    with storage_errors("backup", "LOCOMO_BACKUP"):
        try:
            held = lease.acquire(storage, lineage, ttl_s=_LEASE_TTL_S)
        except LeaseTakenError as exc:
            who = str(exc).partition(": ")[2]
            raise LeaseTakenError(f"backup {storage.url}: {who}") from None

    def renew_lease() -> None:
        with storage_errors("backup", "LOCOMO_BACKUP"):
            lease.renew(storage, held)

    try:
        yield renew_lease
    finally:
        # If the release can't be written, the lease expires by itself.
        with suppress(HistoryUnreachableError):
            lease.release(storage, held)
