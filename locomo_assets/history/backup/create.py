"""Making a backup, and removing those that are too old.

Here: copying what a place does not hold yet, the manifest, retention. Which files is `cut`.

One backup at a time is made in a place, under a lease: pruning removes objects that no manifest
names, and those of a backup under way have no manifest yet.
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
    Cut,
    File,
    backup_manifest_path,
    backup_names,
    made_at,
    object_path,
    read_backup_manifest,
    storage_errors,
    take_cut,
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
"""The one just made and the one before it, whatever their age."""

AT_ONCE = 100
"""Files read together. Parts of real runs are below 1 MB each."""

_WRITERS = 16
_CUTS = 3
_LEASE_TTL_S = 600.0


@dataclass(frozen=True, slots=True)
class BackupReport:
    """What was made, and what was removed. `notes` are lines on what was left undone."""

    name: str
    backup_manifest: BackupManifest
    new_files: int
    new_bytes: int
    kept: int
    removed: tuple[str, ...]
    notes: tuple[str, ...]
    duration_s: float


def make_backup(
    store: HistoryStore,
    storage: Storage,
    *,
    keep_days: int,
    run_id: str,
    now: datetime | None = None,
) -> BackupReport:
    """Back the history up, then remove the backups older than `keep_days`.

    Safe beside writers, and it may be killed and run again; until it is done there is no new
    backup and all older ones stay. `HistoryDamagedError` if something new in the history is
    damaged; `BackupRefusedError` for a place with backups of another history or within it;
    `LeaseTakenError` if another backup is being made there; `HistoryUnreachableError`.
    """
    started = time.monotonic()
    now = now or datetime.now(UTC)
    _refuse_within(store.storage.url, storage.url)
    with _alone(storage, run_id) as still_alone:
        _refuse_another_history(store, storage)
        copier = _Copier(store.storage, storage, still_alone)
        backup_manifest = _copied(store, copier, now)
        still_alone()
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


def _copied(store: HistoryStore, copier: "_Copier", now: datetime) -> BackupManifest:
    """Copy a cut; take another one if files of it vanish (pruned, or compacted a day ago)."""
    for left in reversed(range(_CUTS)):
        try:
            cut = take_cut(store, copier.save)
            files = copier.copy(cut)
            break
        except HistoryDamagedError:
            if not left:
                raise
    rows: dict[str, int] = {}
    for manifest in cut.manifests:
        for table, count in manifest.rows.items():
            rows[table] = rows.get(table, 0) + count
    return BackupManifest(
        made_at=now,
        program=__version__,
        schema_version=SCHEMA_VERSION,
        history_id=store.history_id,
        attempts=len(cut.manifests),
        unfinished=tuple(sorted({attempt_id_of(file.path) for file in cut.unfinished})),
        rows=dict(sorted(rows.items())),
        files=tuple(sorted(files, key=lambda file: file.path)),
    )


class _Copier:
    """Files into objects; those the place holds already are not read where a hash is known."""

    def __init__(self, source: Storage, target: Storage, still_alone: Callable[[], None]) -> None:
        self._source = source
        self._target = target
        self._still_alone = still_alone
        with storage_errors("backup", "LOCOMO_BACKUP"):
            self._held = {path.rpartition("/")[2] for path in target.list("objects")}
        self.new_files = self.new_bytes = 0

    def save(self, paths: Sequence[str]) -> list[File]:
        """Those files that are still there; each of them is in the place when this returns."""
        files = []
        for batch in in_batches(paths, AT_ONCE):
            self._still_alone()
            files += self._put(get_present(self._source, batch), {})
        return files

    def copy(self, cut: Cut) -> list[File]:
        """All files of a cut; each is in the place when this returns."""
        vouched = {data_file.path: data_file.sha256 for data_file in cut.data_files}
        files = [
            File(data_file.path, data_file.size_bytes, data_file.sha256)
            for data_file in cut.data_files
            if data_file.sha256 in self._held and data_file.size_bytes is not None
        ]
        known = {file.path for file in files}
        to_read = [path for path in vouched if path not in known]
        to_read += [*(manifest.path for manifest in cut.manifests), *cut.others]
        for paths in in_batches(to_read, AT_ONCE):
            self._still_alone()
            files += self._put(self._source.get_many(paths), vouched)
        return [*files, *cut.unfinished]

    def _put(self, data: Mapping[str, bytes], vouched: Mapping[str, str | None]) -> list[File]:
        files = [File(p, len(d), hashlib.sha256(d).hexdigest()) for p, d in data.items()]
        for file in files:
            if vouched.get(file.path, file.sha256) != file.sha256:
                raise HistoryDamagedError(
                    f"{file.path} was changed after it was committed, so no backup is made; see "
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
    """The items in their order, `size` at a time."""
    return (items[start : start + size] for start in range(0, len(items), size))


def in_threads(work: Callable[[T], None], items: Sequence[T]) -> None:
    """`work` for each, several at once; the first failure is raised."""
    with ThreadPoolExecutor(_WRITERS) as pool:
        for _ in pool.map(work, items):
            pass


def _prune(storage: Storage, limit: datetime) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Remove backups made before `limit`, then objects that none of the others names."""
    names = backup_names(storage)
    try:
        old = [name for name in names[:-ALWAYS_KEPT] if made_at(name) < limit]
        needed = {
            object_path(file.sha256)
            for name in names
            if name not in old
            for file in read_backup_manifest(storage, name).files
        }
    except (BackupDamagedError, BackupVersionError) as exc:
        # what it needs is not known, so nothing may go
        return (), (f"nothing was removed: {exc}",)
    storage.delete([backup_manifest_path(name) for name in old])
    storage.delete([path for path in storage.list("objects") if path not in needed])
    return tuple(old), ()


def _refuse_within(history: str, backups: str) -> None:
    one, other = f"{history.rstrip('/')}/", f"{backups.rstrip('/')}/"
    if one.startswith(other) or other.startswith(one):
        raise BackupRefusedError(
            f"backup {backups}: lies in the history's own place ({history}), or that in it; set "
            "LOCOMO_BACKUP elsewhere, best to another disk or account"
        )


def _refuse_another_history(store: HistoryStore, storage: Storage) -> None:
    """An emptied or wrong history must not push the good backups out."""
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
def _alone(storage: Storage, run_id: str) -> Iterator[Callable[[], None]]:
    """The only backup being made in a place; call what is given at least every ten minutes."""
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

    def still_alone() -> None:
        with storage_errors("backup", "LOCOMO_BACKUP"):
            lease.renew(storage, held, ttl_s=_LEASE_TTL_S)

    try:
        yield still_alone
    finally:
        # who can't be told waits until it is over
        with suppress(HistoryUnreachableError):
            lease.release(storage, held)
