"""What a backup consists of: its manifest, and how places hold several backups.

Here: values, names, bytes. Making one is `making`; reading one back is `reading`.

Layout::

    manifests/<made_at>-<first 16 hex digits of its bytes' SHA-256>.json.gz
    objects/<first 2>/<SHA-256>      a file of the history, as it is

An object is stored once however many backups hold it, so a daily backup writes what is new. A
manifest is written last: without it there is no backup. Its name vouches for its bytes, and it
for every object.
"""

import gzip
import hashlib
import json
import zlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from locomo_assets.backups.errors import (
    BackupDamagedError,
    BackupError,
    BackupVersionError,
    told_of,
)
from locomo_assets.history.errors import HistoryDamagedError
from locomo_assets.history.schema import SCHEMA_VERSION
from locomo_assets.history.storage import Storage

FORMAT_VERSION = 1
_FOLDER = "manifests"
_SUFFIX = ".json.gz"
_TIME = "%Y%m%dT%H%M%S%fZ"


@dataclass(frozen=True, slots=True)
class File:
    """One file of the history, by its path there and its content."""

    path: str
    size_bytes: int
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """One backup. `rows` are those of the committed attempts, by table.

    `attempts` counts these; `unfinished` names the attempts without a marker whose saved parts
    are kept, because they were paid for.
    """

    made_at: datetime
    program: str
    schema_version: int
    history_id: str
    attempts: int
    unfinished: tuple[str, ...]
    rows: Mapping[str, int]
    files: tuple[File, ...]

    @property
    def size_bytes(self) -> int:
        """Of all its files."""
        return sum(file.size_bytes for file in self.files)


def object_path(sha256: str) -> str:
    """Where a file of this content lies."""
    return f"objects/{sha256[:2]}/{sha256}"


def backup_names(storage: Storage) -> list[str]:
    """All backups of a place, oldest first. `HistoryUnreachableError`."""
    with told_of("backup", "LOCOMO_BACKUP"):
        paths = storage.list(_FOLDER)
    return [
        path.removeprefix(f"{_FOLDER}/").removesuffix(_SUFFIX)
        for path in paths
        if path.endswith(_SUFFIX)
    ]


def manifest_path(name: str) -> str:
    """The inverse of what `backup_names` does."""
    return f"{_FOLDER}/{name}{_SUFFIX}"


def made_at(name: str) -> datetime:
    """When a backup was made, by its name; `BackupDamagedError` for a foreign one."""
    try:
        return datetime.strptime(name.partition("-")[0], _TIME).replace(tzinfo=UTC)
    except ValueError:
        raise BackupDamagedError(
            f"backup {name}: not a backup's name; take that file away from {_FOLDER}/"
        ) from None


def write_manifest(storage: Storage, manifest: Manifest) -> str:
    """Publish a backup, durably; its name."""
    value = {"format_version": FORMAT_VERSION, **asdict(manifest)}
    value["made_at"] = manifest.made_at.isoformat()
    data = gzip.compress(json.dumps(value, ensure_ascii=False).encode(), mtime=0)
    name = f"{manifest.made_at.strftime(_TIME)}-{hashlib.sha256(data).hexdigest()[:16]}"
    storage.put(manifest_path(name), data)
    return name


def chosen_name(storage: Storage, wanted: str | None) -> str:
    """The newest backup, or the one whose name begins with `wanted`; `BackupError` if none is."""
    names = backup_names(storage)
    if not names:
        raise BackupError(
            f"backup {storage.url}: holds no backup; make one with `locomo-assets backup`, or set "
            "LOCOMO_BACKUP to where they are"
        )
    found = names if wanted is None else [name for name in names if name.startswith(wanted)]
    if not found or (wanted is not None and len(found) > 1):
        raise BackupError(
            f"backup {storage.url}: {len(found)} backups are called {wanted}…; it has "
            + ", ".join(names)
        )
    return found[-1]


def read_manifest(storage: Storage, name: str) -> Manifest:
    """A backup's manifest.

    `BackupDamagedError` if it is torn or changed, `BackupVersionError` if it is too new.
    """
    where = f"backup {name} at {storage.url}"
    try:
        with told_of("backup", "LOCOMO_BACKUP"):
            data = storage.get(manifest_path(name))
        if hashlib.sha256(data).hexdigest()[:16] != name.rpartition("-")[2]:
            raise BackupDamagedError(
                f"{where}: its manifest was changed or cut off ({len(data)} bytes); take another "
                "backup (--backup)"
            )
        value = json.loads(gzip.decompress(data))
        version, schema = int(value["format_version"]), int(value["schema_version"])
        if version > FORMAT_VERSION or schema > SCHEMA_VERSION:
            raise BackupVersionError(
                f"{where}: has format {version} with schema version {schema}, this program knows "
                f"{FORMAT_VERSION} and {SCHEMA_VERSION}; upgrade locomo-assets"
            )
        return _manifest(value)
    except HistoryDamagedError:
        raise BackupDamagedError(
            f"{where}: its manifest is missing; take another backup (--backup)"
        ) from None
    except (ValueError, KeyError, TypeError, OSError, EOFError, zlib.error) as exc:
        raise BackupDamagedError(
            f"{where}: its manifest can't be read ({type(exc).__name__}); take another backup "
            "(--backup)"
        ) from exc


def _manifest(value: Mapping[str, Any]) -> Manifest:
    files = tuple(File(f["path"], f["size_bytes"], f["sha256"]) for f in value["files"])
    if any(f.path.startswith("/") or ".." in f.path.split("/") for f in files):
        raise ValueError("a path leads out of the history")
    return Manifest(
        made_at=datetime.fromisoformat(value["made_at"]),
        program=value["program"],
        schema_version=value["schema_version"],
        history_id=value["history_id"],
        attempts=value["attempts"],
        unfinished=tuple(value["unfinished"]),
        rows=dict(value["rows"]),
        files=files,
    )
