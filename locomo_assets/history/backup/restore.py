"""Verifying a backup, and restoring it into an empty place.

Both read every byte. A damaged backup is refused before anything is written.
"""

import hashlib
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.parquet as pq

from locomo_assets.history.backup.create import FILES_PER_BATCH, in_batches, in_threads
from locomo_assets.history.backup.snapshot import (
    BackupDamagedError,
    BackupManifest,
    BackupRefusedError,
    File,
    find_backup,
    object_path,
    read_backup_manifest,
    storage_errors,
)
from locomo_assets.history.errors import HistoryDamagedError
from locomo_assets.history.provenance import Manifest, manifest_from_json
from locomo_assets.history.storage import Storage

_FAULTS_SHOWN = 3


@dataclass(frozen=True, slots=True)
class VerifyReport:
    """An intact backup: every file was read, hashed and counted."""

    name: str
    backup_manifest: BackupManifest
    duration_s: float


def verify(storage: Storage, name: str | None = None) -> VerifyReport:
    """Read and check the newest backup, or the one whose name begins with `name`.

    Compares each object's size and hash with the backup's manifest, the files that each attempt's
    manifest names with those in the backup, and the counted rows with both.
    `BackupDamagedError` names the first faults; `BackupVersionError`; `HistoryUnreachableError`.
    """
    started = time.monotonic()
    chosen = find_backup(storage, name)
    backup_manifest = read_backup_manifest(storage, chosen)
    faults: list[str] = []
    rows: dict[str, int] = {}
    manifests: list[Manifest] = []
    for files in in_batches(backup_manifest.files, FILES_PER_BATCH):
        for file, data in _contents(storage, files):
            try:
                _check_file(file, data, rows, manifests)
            except HistoryDamagedError as exc:
                faults.append(str(exc))
    if not faults:
        faults += _find_mismatches(backup_manifest, rows, manifests)
    if faults:
        more = f" and {len(faults) - _FAULTS_SHOWN} more" if len(faults) > _FAULTS_SHOWN else ""
        raise BackupDamagedError(
            f"backup {chosen} at {storage.url} is damaged: "
            f"{'; '.join(faults[:_FAULTS_SHOWN])}{more}; use another one (--backup), or, while the "
            "history itself is intact, delete those objects and create a new backup"
        )
    return VerifyReport(chosen, backup_manifest, time.monotonic() - started)


def restore(storage: Storage, target: Storage, name: str | None = None) -> VerifyReport:
    """Write a backup's files into an empty place, after `verify`.

    Writes data files first, then manifests, and last the files that make it a history.
    `BackupRefusedError` if the target is not empty; otherwise errors as in `verify`.
    """
    started = time.monotonic()
    if there := target.list(""):
        raise BackupRefusedError(
            f"{target.url} is not empty ({len(there)} files, the first {there[0]}); restore into "
            "an empty place (--to), then set LOCOMO_HISTORY to it"
        )
    report = verify(storage, name)
    for files in _in_order(report.backup_manifest):
        for batch in in_batches(files, FILES_PER_BATCH):
            _put(target, dict(_contents(storage, batch)))
    return VerifyReport(report.name, report.backup_manifest, time.monotonic() - started)


def _in_order(backup_manifest: BackupManifest) -> tuple[list[File], ...]:
    data_files: list[File] = []
    manifests: list[File] = []
    others: list[File] = []
    for file in backup_manifest.files:
        kind = file.path.partition("/")[0]
        {"tables": data_files, "attempts": manifests}.get(kind, others).append(file)
    return data_files, manifests, others


def _put(target: Storage, contents: Mapping[File, bytes | None]) -> None:
    def put(file: File) -> None:
        data = contents[file]
        if data is None or hashlib.sha256(data).hexdigest() != file.sha256:
            raise BackupDamagedError(
                f"{file.path} changed in the backup while it was restored; empty {target.url} and "
                "try again"
            )
        target.put(file.path, data)

    in_threads(put, list(contents))


def _contents(storage: Storage, files: Sequence[File]) -> Iterator[tuple[File, bytes | None]]:
    """Each file with its object's bytes, None if the object is missing."""
    paths = list(dict.fromkeys(object_path(file.sha256) for file in files))
    with storage_errors("backup", "LOCOMO_BACKUP"):
        try:
            found: Mapping[str, bytes | None] = storage.get_many(paths)
        except HistoryDamagedError:
            found = {path: _get_or_none(storage, path) for path in paths}
    return ((file, found[object_path(file.sha256)]) for file in files)


def _get_or_none(storage: Storage, path: str) -> bytes | None:
    try:
        return storage.get(path)
    except HistoryDamagedError:
        return None


def _check_file(
    file: File, data: bytes | None, rows: dict[str, int], manifests: list[Manifest]
) -> None:
    """Count a data file's rows, or read a manifest; `HistoryDamagedError` names the fault."""
    what = f"{object_path(file.sha256)} ({file.path})"
    if data is None:
        raise HistoryDamagedError(f"{what} is missing")
    if len(data) != file.size_bytes or hashlib.sha256(data).hexdigest() != file.sha256:
        raise HistoryDamagedError(f"{what} was changed ({len(data)} of {file.size_bytes} bytes)")
    if file.path.startswith("attempts/"):
        manifests.append(manifest_from_json(file.path, data))
    elif file.path.startswith("tables/"):
        try:
            rows[file.path] = pq.ParquetFile(pa.BufferReader(data)).metadata.num_rows
        except (pa.ArrowException, OSError) as exc:
            raise HistoryDamagedError(f"{what} is not a Parquet file") from exc


def _find_mismatches(
    backup_manifest: BackupManifest, rows: Mapping[str, int], manifests: Sequence[Manifest]
) -> list[str]:
    """Where the backup's manifest, the attempts' manifests and the data files disagree."""
    hashes = {file.path: file.sha256 for file in backup_manifest.files}
    faults = [
        f"{data_file.path} is not the data file that {manifest.path} names"
        for manifest in manifests
        for data_file in manifest.data_files
        if (hashes.get(data_file.path), rows.get(data_file.path))
        != (data_file.sha256, data_file.rows)
    ]
    by_table: dict[str, int] = {}
    for manifest in manifests:
        for table, count in manifest.rows.items():
            by_table[table] = by_table.get(table, 0) + count
    if (len(manifests), by_table) != (backup_manifest.attempts, backup_manifest.rows):
        faults.append("its attempts or rows are not as many as its manifest says")
    if "format.json" not in hashes:
        faults.append("it lacks format.json")
    return faults
