"""Reading a backup back: is it whole, and putting it where there is nothing.

Here: `verify` and `restore`. Both read every byte; a backup that is not whole is refused before
anything is written.
"""

import hashlib
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.parquet as pq

from locomo_assets.history.backup.create import AT_ONCE, in_batches, in_threads
from locomo_assets.history.backup.snapshot import (
    BackupDamagedError,
    BackupRefusedError,
    File,
    Manifest,
    chosen_name,
    object_path,
    read_manifest,
    told_of,
)
from locomo_assets.history.errors import HistoryDamagedError
from locomo_assets.history.provenance import Marker, marker_from_json
from locomo_assets.history.storage import Storage

_FAULTS_TOLD = 3


@dataclass(frozen=True, slots=True)
class ReadReport:
    """A backup that is whole: every file was read, hashed and counted."""

    name: str
    manifest: Manifest
    duration_s: float


def verify(storage: Storage, name: str | None = None) -> ReadReport:
    """Read a backup, the newest or the one whose name begins so, and compare everything.

    Every object's size and hash with the manifest's; every marker's parts with the manifest's
    files; the rows counted in the parts with the marker's and the manifest's. `BackupDamagedError`
    names the first faults; `BackupVersionError`; `HistoryUnreachableError`.
    """
    started = time.monotonic()
    chosen = chosen_name(storage, name)
    manifest = read_manifest(storage, chosen)
    faults: list[str] = []
    rows: dict[str, int] = {}
    markers: list[Marker] = []
    for files in in_batches(manifest.files, AT_ONCE):
        for file, data in _contents(storage, files):
            try:
                _look(file, data, rows, markers)
            except HistoryDamagedError as exc:
                faults.append(str(exc))
    if not faults:
        faults += _amiss(manifest, rows, markers)
    if faults:
        more = f" and {len(faults) - _FAULTS_TOLD} more" if len(faults) > _FAULTS_TOLD else ""
        raise BackupDamagedError(
            f"backup {chosen} at {storage.url} is damaged: {'; '.join(faults[:_FAULTS_TOLD])}{more}"
            "; take another one (--backup), or, while the history itself is whole, delete those "
            "objects and make a new backup"
        )
    return ReadReport(chosen, manifest, time.monotonic() - started)


def restore(storage: Storage, target: Storage, name: str | None = None) -> ReadReport:
    """Put a backup's files where there is nothing, after `verify`.

    Parts come first, markers then, and last what makes the place a history. `BackupRefusedError`
    where the place holds anything; else as `verify`.
    """
    started = time.monotonic()
    if there := target.list(""):
        raise BackupRefusedError(
            f"{target.url} is not empty ({len(there)} files, the first {there[0]}); restore into "
            "an empty place (--to), then set LOCOMO_HISTORY to it"
        )
    report = verify(storage, name)
    for files in _in_order(report.manifest):
        for batch in in_batches(files, AT_ONCE):
            _put(target, dict(_contents(storage, batch)))
    return ReadReport(report.name, report.manifest, time.monotonic() - started)


def _in_order(manifest: Manifest) -> tuple[list[File], ...]:
    parts: list[File] = []
    markers: list[File] = []
    others: list[File] = []
    for file in manifest.files:
        kind = file.path.partition("/")[0]
        {"tables": parts, "attempts": markers}.get(kind, others).append(file)
    return parts, markers, others


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
    """Each file with its object's bytes, None where there is no object."""
    paths = list(dict.fromkeys(object_path(file.sha256) for file in files))
    with told_of("backup", "LOCOMO_BACKUP"):
        try:
            found: Mapping[str, bytes | None] = storage.get_many(paths)
        except HistoryDamagedError:
            found = {path: _or_none(storage, path) for path in paths}
    return ((file, found[object_path(file.sha256)]) for file in files)


def _or_none(storage: Storage, path: str) -> bytes | None:
    try:
        return storage.get(path)
    except HistoryDamagedError:
        return None


def _look(file: File, data: bytes | None, rows: dict[str, int], markers: list[Marker]) -> None:
    """Count a file's rows, or read its marker; `HistoryDamagedError` says what is amiss."""
    what = f"{object_path(file.sha256)} ({file.path})"
    if data is None:
        raise HistoryDamagedError(f"{what} is missing")
    if len(data) != file.size_bytes or hashlib.sha256(data).hexdigest() != file.sha256:
        raise HistoryDamagedError(f"{what} was changed ({len(data)} of {file.size_bytes} bytes)")
    if file.path.startswith("attempts/"):
        markers.append(marker_from_json(file.path, data))
    elif file.path.startswith("tables/"):
        try:
            rows[file.path] = pq.ParquetFile(pa.BufferReader(data)).metadata.num_rows
        except (pa.ArrowException, OSError) as exc:
            raise HistoryDamagedError(f"{what} is no Parquet file") from exc


def _amiss(manifest: Manifest, rows: Mapping[str, int], markers: Sequence[Marker]) -> list[str]:
    """Where manifest, markers and parts do not say the same."""
    hashes = {file.path: file.sha256 for file in manifest.files}
    faults = [
        f"{part.path} is not the part that {marker.path} names"
        for marker in markers
        for part in marker.parts
        if (hashes.get(part.path), rows.get(part.path)) != (part.sha256, part.rows)
    ]
    by_table: dict[str, int] = {}
    for marker in markers:
        for table, count in marker.rows.items():
            by_table[table] = by_table.get(table, 0) + count
    if (len(markers), by_table) != (manifest.attempts, manifest.rows):
        faults.append("its attempts or rows are not as many as its manifest says")
    if "format.json" not in hashes:
        faults.append("format.json is not in it")
    return faults
