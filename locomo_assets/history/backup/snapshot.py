"""A backup's manifest, the consistent snapshot of a history it holds, and the errors. ::

BackupError
├── BackupRefusedError    a place that must not be written: not empty, or of another history
├── BackupDamagedError    a manifest or an object is missing, torn or changed
└── BackupVersionError    made by a newer version of this program
"""

import gzip
import hashlib
import json
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from locomo_assets.bounded import HISTORY_FILE_BYTES, UnusableBodyError, gunzip
from locomo_assets.errors import LocomoError
from locomo_assets.history.database import DATABASE_NAME, REPORTS
from locomo_assets.history.errors import HistoryDamagedError, HistoryUnreachableError
from locomo_assets.history.provenance import (
    DataFile,
    Manifest,
    ManifestName,
    attempt_id_of,
    committed_ids,
)
from locomo_assets.history.schema import SCHEMA_VERSION
from locomo_assets.history.storage import Storage, open_storage
from locomo_assets.history.store import HistoryStore


class BackupError(LocomoError):
    """The base of the backups' errors."""


class BackupRefusedError(BackupError):
    """The place is not empty or holds something else, and is left as it is."""

    exit_code = 2


class BackupDamagedError(BackupError):
    """A manifest or an object is missing, torn or changed."""


class BackupVersionError(BackupError):
    """The backup was made by a newer version."""


FORMAT_VERSION = 1

_FOLDER = "manifests"
_SUFFIX = ".json.gz"
_TIME = "%Y%m%dT%H%M%S%fZ"
_LISTINGS = 5
_NOT_KEPT = ("attempts/", "tables/", "commits/", "leases/", "doctor/", f"{REPORTS}/", ".",
             DATABASE_NAME)  # fmt: skip


@dataclass(frozen=True, slots=True)
class File:
    """One file of the history, by its path there and its content."""

    path: str
    size_bytes: int
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BackupManifest:
    """One backup. `attempts` counts the committed attempts, `rows` their rows by table.

    `unfinished` names the attempts without a manifest; their data files are kept, because they
    were paid for.
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
        """The size of all its files."""
        return sum(file.size_bytes for file in self.files)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The files of a history at one moment. `others` are paths; `unfinished` are saved already."""

    manifests: Sequence[Manifest]
    unfinished: Sequence[File]
    others: Sequence[str]

    @property
    def data_files(self) -> list[DataFile]:
        """The data files that the manifests name, each once."""
        files = {file.path: file for manifest in self.manifests for file in manifest.data_files}
        return list(files.values())


def open_backup_storage(url: str | None) -> Storage:
    """The storage of the backups; `BackupRefusedError` if none is set."""
    if url is None:
        raise BackupRefusedError(
            "no place for backups is set; set LOCOMO_BACKUP to a URL, like file:///folder or "
            "s3://bucket/folder"
        )
    with storage_errors("backup", "LOCOMO_BACKUP"):
        return open_storage(url)


@contextmanager
def storage_errors(what: str, setting: str) -> Iterator[None]:
    """Reword the storage's errors, which name the history, for another place and setting."""
    try:
        yield
    except HistoryUnreachableError as exc:
        text = str(exc).replace("history ", f"{what} ", 1).replace("LOCOMO_HISTORY", setting)
        raise HistoryUnreachableError(text) from exc


def object_path(sha256: str) -> str:
    """The path of a file with this content."""
    return f"objects/{sha256[:2]}/{sha256}"


def backup_names(storage: Storage) -> list[str]:
    """All backups in a storage, oldest first. `HistoryUnreachableError`."""
    with storage_errors("backup", "LOCOMO_BACKUP"):
        paths = storage.list(_FOLDER)
    return [
        path.removeprefix(f"{_FOLDER}/").removesuffix(_SUFFIX)
        for path in paths
        if path.endswith(_SUFFIX)
    ]


def backup_manifest_path(name: str) -> str:
    """The path of a backup's manifest."""
    return f"{_FOLDER}/{name}{_SUFFIX}"


def backup_time(name: str) -> datetime:
    """When a backup was made, by its name; `BackupDamagedError` if it is not a backup's name."""
    try:
        return datetime.strptime(name.partition("-")[0], _TIME).replace(tzinfo=UTC)
    except ValueError:
        raise BackupDamagedError(
            f"backup {name}: not a backup's name; remove that file from {_FOLDER}/"
        ) from None


def write_backup_manifest(storage: Storage, backup_manifest: BackupManifest) -> str:
    """Publish a backup's manifest, durably, and return the backup's name."""
    value = {"format_version": FORMAT_VERSION, **asdict(backup_manifest)}
    value["made_at"] = backup_manifest.made_at.isoformat()
    data = gzip.compress(json.dumps(value, ensure_ascii=False).encode(), mtime=0)
    name = f"{backup_manifest.made_at.strftime(_TIME)}-{hashlib.sha256(data).hexdigest()[:16]}"
    storage.put(backup_manifest_path(name), data)
    return name


def find_backup(storage: Storage, wanted: str | None) -> str:
    """The newest backup, or the only one whose name begins with `wanted`; else `BackupError`."""
    names = backup_names(storage)
    if not names:
        raise BackupError(
            f"backup {storage.url}: holds no backup; create one with `locomo-assets backup`, or "
            "set LOCOMO_BACKUP to where they are"
        )
    found = names if wanted is None else [name for name in names if name.startswith(wanted)]
    if not found or (wanted is not None and len(found) > 1):
        raise BackupError(
            f"backup {storage.url}: {len(found)} backups are called {wanted}…; choose one of "
            + ", ".join(names)
        )
    return found[-1]


def read_backup_manifest(storage: Storage, name: str) -> BackupManifest:
    """A backup's manifest.

    `BackupDamagedError` if it is torn or changed, `BackupVersionError` if it is too new.
    """
    where = f"backup {name} at {storage.url}"
    try:
        with storage_errors("backup", "LOCOMO_BACKUP"):
            data = storage.get(backup_manifest_path(name))
        if hashlib.sha256(data).hexdigest()[:16] != name.rpartition("-")[2]:
            raise BackupDamagedError(
                f"{where}: its manifest was changed or cut off ({len(data)} bytes); take another "
                "backup (--backup)"
            )
        value = json.loads(gunzip(data, HISTORY_FILE_BYTES))
        version, schema = int(value["format_version"]), int(value["schema_version"])
        if version > FORMAT_VERSION or schema > SCHEMA_VERSION:
            raise BackupVersionError(
                f"{where}: has format {version} with schema version {schema}, this program knows "
                f"{FORMAT_VERSION} and {SCHEMA_VERSION}; upgrade locomo-assets"
            )
        return _backup_manifest(value)
    except HistoryDamagedError:
        raise BackupDamagedError(
            f"{where}: its manifest is missing; take another backup (--backup)"
        ) from None
    except (
        ValueError,
        KeyError,
        TypeError,
        OSError,
        EOFError,
        RecursionError,
        UnusableBodyError,
    ) as exc:
        raise BackupDamagedError(
            f"{where}: its manifest can't be read ({type(exc).__name__}); take another backup "
            "(--backup)"
        ) from exc


def _backup_manifest(value: Mapping[str, Any]) -> BackupManifest:
    files = tuple(File(f["path"], f["size_bytes"], f["sha256"]) for f in value["files"])
    if any(f.path.startswith("/") or ".." in f.path.split("/") for f in files):
        raise ValueError("a path leads out of the history")
    return BackupManifest(
        made_at=datetime.fromisoformat(value["made_at"]),
        program=value["program"],
        schema_version=value["schema_version"],
        history_id=value["history_id"],
        attempts=value["attempts"],
        unfinished=tuple(value["unfinished"]),
        rows=dict(value["rows"]),
        files=files,
    )


def take_snapshot(store: HistoryStore, save: Callable[[Sequence[str]], Sequence[File]]) -> Snapshot:
    """List a consistent state of the history, while others may write.

    `save` gets the paths of unfinished data files, copies those that still exist, and returns
    them. `HistoryDamagedError` for a manifest that is torn or has vanished; then try again.
    """
    seen = {manifest.path: manifest for manifest in store.manifests()}
    unfinished = _save_unfinished(_unfinished(store, committed_ids(seen.values())), save)
    names = _manifest_names(store)
    new = store.read_manifests([name for name in names if name.path not in seen])
    seen |= {manifest.path: manifest for manifest in new}
    manifests = [seen[name.path] for name in names]
    committed = committed_ids(manifests)
    return Snapshot(
        manifests=manifests,
        unfinished=[file for file in unfinished if attempt_id_of(file.path) not in committed],
        others=[path for path in store.storage.list("") if not path.startswith(_NOT_KEPT)],
    )


def _save_unfinished(
    paths: Sequence[str], save: Callable[[Sequence[str]], Sequence[File]]
) -> list[File]:
    """Save data files; leave out attempts that lost one meanwhile, by a commit or by pruning."""
    files = save(paths)
    gone = {attempt_id_of(path) for path in {*paths} - {file.path for file in files}}
    return [file for file in files if attempt_id_of(file.path) not in gone]


def _manifest_names(store: HistoryStore) -> list[ManifestName]:
    """A listing that misses no attempt older than its newest one.

    A listing may show a late commit and miss an earlier one, so list until nothing newer appears.
    """
    first = store.manifest_names()
    for _ in range(_LISTINGS):
        second = store.manifest_names()
        newest = max((name.committed_at for name in first), default="")
        if not any(name.committed_at > newest for name in second):
            break
        first = second
    return [name for name in second if name.committed_at <= newest]


def _unfinished(store: HistoryStore, committed: Collection[str]) -> list[str]:
    """Data files of unfinished attempts, up to the last one in a first listing.

    A listing may miss an earlier file of the same attempt; the second one shows it.
    """
    last: dict[str, int] = {}
    for path in _data_files(store):
        if (attempt := attempt_id_of(path)) not in committed:
            last[attempt] = max(_number(path), last.get(attempt, 0))
    if not last:
        return []
    return [
        path for path in _data_files(store) if _number(path) <= last.get(attempt_id_of(path), -1)
    ]


def _data_files(store: HistoryStore) -> list[str]:
    return [path for path in store.storage.list("tables") if path.endswith(".parquet")]


def _number(path: str) -> int:
    digits = path.rpartition("-")[2].removesuffix(".parquet")
    return int(digits) if digits.isdigit() else 0
