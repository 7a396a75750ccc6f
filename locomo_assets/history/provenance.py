"""Attempts, manifests and data files as values, with their JSON and the names of their files.

File names sort by time. Labels in paths are percent-encoded (`r/1` → `r%2F1`); long ones are cut
and get a hash; a missing one is `@none`, which no label encodes to. Code reads the exact labels
from the data and the manifest, never from paths.
"""

import hashlib
import json
import re
import secrets
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any
from urllib.parse import quote

from locomo_assets.history.errors import HistoryDamagedError
from locomo_assets.history.schema import TABLES

_LONGEST_LABEL = 120
TIME_IN_NAMES = "%Y%m%dT%H%M%S%fZ"
_COMPACTED = ".compacted"


@dataclass(frozen=True, slots=True, kw_only=True)
class Lineage:
    """What an attempt worked on. `extra` is free-form JSON (a fingerprint, an assistant's id).

    `release` and `conversation` are None for `locomo_dataset`, `gold_audit`, `judge_labels` and
    `releases`, and `conversation` also for `imported_results`; their rows then name their own.
    `system` is what was measured, None for the first four.
    """

    asset: str
    run_id: str
    release: str | None
    conversation: str | None
    code_version: str
    dataset_sha256: str | None
    system: str | None
    extra: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class DataFile:
    """One immutable Parquet file.

    `sha256` and `size_bytes` are None in an unfinished attempt, which has no manifest yet.
    """

    path: str
    table: str
    rows: int
    size_bytes: int | None
    sha256: str | None


@dataclass(frozen=True, slots=True)
class Manifest:
    """A committed attempt. `continued` names the unfinished attempts whose rows it adopted.

    `compacted_at` is set in a manifest that superseded the first one, when an earlier version of
    this program compacted the attempt.
    """

    attempt_id: str
    lineage: Lineage
    begun_at: datetime
    committed_at: datetime
    data_files: tuple[DataFile, ...]
    continued: tuple[str, ...]
    path: str
    compacted_at: datetime | None = None

    @property
    def extra(self) -> Mapping[str, Any]:
        """The lineage's `extra`."""
        return self.lineage.extra

    @property
    def rows(self) -> dict[str, int]:
        """Rows per table."""
        rows: dict[str, int] = {}
        for data_file in self.data_files:
            rows[data_file.table] = rows.get(data_file.table, 0) + data_file.rows
        return rows


@dataclass(frozen=True, slots=True)
class UnfinishedAttempt:
    """Data files without a manifest: work in progress, or left behind by a killed run."""

    attempt_id: str
    lineage: Lineage
    data_files: tuple[DataFile, ...]


@dataclass(frozen=True, slots=True, order=True)
class ManifestName:
    """A manifest's file name, parsed, so that a listing is enough to know what is new."""

    committed_at: str
    attempt_id: str
    compacted: bool
    path: str


def committed_ids(manifests: Iterable[Manifest]) -> set[str]:
    """The attempts that are committed, or adopted by a committed one."""
    return {attempt for m in manifests for attempt in (m.attempt_id, *m.continued)}


_last_begun = datetime.min.replace(tzinfo=UTC)
_last_begun_lock = threading.Lock()


def new_attempt_id(now: datetime) -> str:
    """Unique everywhere, and later than every earlier one of this process."""
    global _last_begun  # noqa: PLW0603  # ids must increase within the whole process
    with _last_begun_lock:
        _last_begun = max(now, _last_begun + timedelta(microseconds=1))
        return f"{_last_begun.strftime(TIME_IN_NAMES)}-{secrets.token_hex(5)}"


def attempt_id_of(data_file_path: str) -> str:
    """The attempt that a data file belongs to, by its name."""
    return data_file_path.rpartition("/")[2].rpartition("-")[0]


def path_label(label: str | None) -> str:
    """A label as one component of a path."""
    if label is None:
        return "@none"
    safe = quote(label, safe="")
    if len(safe) <= _LONGEST_LABEL:
        return safe
    return f"{safe[:_LONGEST_LABEL]}~{hashlib.sha256(label.encode()).hexdigest()[:16]}"


def data_file_folder(table: str, lineage: Lineage) -> str:
    """`tables/<table>/release=…/conversation=…/run_id=…`"""
    return f"{partition_folder(table, lineage)}/run_id={path_label(lineage.run_id)}"


def partition_folder(table: str, lineage: Lineage) -> str:
    """`tables/<table>/release=…/conversation=…`"""
    release, conversation = path_label(lineage.release), path_label(lineage.conversation)
    return f"tables/{table}/release={release}/conversation={conversation}"


def manifest_folder(lineage: Lineage) -> str:
    """`attempts/asset=…/release=…/conversation=…`"""
    release, conversation = path_label(lineage.release), path_label(lineage.conversation)
    return (
        f"attempts/asset={path_label(lineage.asset)}/release={release}/conversation={conversation}"
    )


def manifest_path(lineage: Lineage, committed_at: datetime, attempt_id: str) -> str:
    """The path of an attempt's manifest."""
    time = committed_at.strftime(TIME_IN_NAMES)
    return f"{manifest_folder(lineage)}/{time}-{attempt_id}.json"


def commit_note_folder(day: date) -> str:
    """`commits/<day>`: a note of each commit of that day, by UTC."""
    return f"commits/{day:%Y%m%d}"


def commit_note_path(committed_at: datetime, attempt_id: str) -> str:
    """The path of the note that says where an attempt's manifest will be."""
    time = committed_at.strftime(TIME_IN_NAMES)
    return f"{commit_note_folder(committed_at.date())}/{time}-{attempt_id}"


def first_path(path: str) -> str:
    """The path of the manifest that a compacted one supersedes; a first manifest's path stays."""
    return path.removesuffix(".json").removesuffix(_COMPACTED) + ".json"


def parse_manifest_name(path: str) -> ManifestName | None:
    """The inverse of `manifest_path`, superseding manifests included; None for any other file."""
    stem, dot, suffix = path.rpartition("/")[2].rpartition(".")
    compacted = stem.endswith(_COMPACTED)
    time, dash, attempt_id = stem.removesuffix(_COMPACTED).partition("-")
    if not (dot and dash and suffix == "json"):
        return None
    return ManifestName(time, attempt_id, compacted, path)


def name_time(text: str) -> datetime:
    """The time at the start of a file name."""
    return datetime.strptime(text, TIME_IN_NAMES).replace(tzinfo=UTC)


def lineage_to_json(lineage: Lineage) -> dict[str, Any]:
    """A lineage as JSON's values."""
    return {
        "asset": lineage.asset,
        "run_id": lineage.run_id,
        "release": lineage.release,
        "conversation": lineage.conversation,
        "code_version": lineage.code_version,
        "dataset_sha256": lineage.dataset_sha256,
        "system": lineage.system,
        "extra": dict(lineage.extra),
    }


def manifest_to_json(manifest: Manifest) -> bytes:
    """A manifest as a file's bytes."""
    value = {
        "attempt_id": manifest.attempt_id,
        **lineage_to_json(manifest.lineage),
        "begun_at": manifest.begun_at.isoformat(),
        "committed_at": manifest.committed_at.isoformat(),
        "continued": list(manifest.continued),
        "compacted_at": manifest.compacted_at and manifest.compacted_at.isoformat(),
        "parts": [
            {
                "path": data_file.path,
                "table": data_file.table,
                "rows": data_file.rows,
                "size_bytes": data_file.size_bytes,
                "sha256": data_file.sha256,
            }
            for data_file in manifest.data_files
        ],
    }
    return json.dumps(value, ensure_ascii=False, indent=1).encode()


def manifest_from_json(path: str, data: bytes) -> Manifest:
    """The inverse of `manifest_to_json`; `HistoryDamagedError` if it is torn or incomplete."""
    try:
        value = json.loads(data)
        compacted_at = value.get("compacted_at")
        return Manifest(
            attempt_id=_text(value, "attempt_id"),
            lineage=lineage_from_json(value),
            begun_at=_time(value["begun_at"]),
            committed_at=_time(value["committed_at"]),
            data_files=tuple(map(_data_file_from_json, value["parts"])),
            continued=tuple(map(_as_text, value["continued"])),
            path=path,
            compacted_at=_time(compacted_at) if compacted_at else None,
        )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as exc:
        raise HistoryDamagedError(
            f"manifest {path} can't be read ({type(exc).__name__}: {exc}); restore it, or delete "
            "it to give up its attempt"
        ) from exc


def _data_file_from_json(value: Mapping[str, Any]) -> DataFile:
    """Accepts only what a commit writes: a path that leads elsewhere is never read or deleted."""
    found = DataFile(
        value["path"], value["table"], value["rows"], value["size_bytes"], value["sha256"]
    )
    pieces = found.path.split("/")
    if found.table not in TABLES:
        raise ValueError(f"there is no table {found.table!r:.80}")
    if pieces[:2] != ["tables", found.table] or {"", ".", ".."} & set(pieces):
        raise ValueError(f"{found.path!r:.200} is no path of a data file of {found.table}")
    if not re.fullmatch("[0-9a-f]{64}", found.sha256 or ""):
        raise ValueError(f"{found.path} has no SHA-256")
    counts = (found.rows, found.size_bytes)
    if any(type(count) is not int or count < 0 for count in counts):
        raise ValueError(f"{found.path} has no number of rows or bytes")
    return found


def lineage_from_json(value: Mapping[str, Any]) -> Lineage:
    """The inverse of `lineage_to_json`. Raises ValueError, KeyError or TypeError."""
    if not isinstance(value["extra"], dict):
        raise ValueError("extra is no object")
    return Lineage(
        asset=_text(value, "asset"),
        run_id=_text(value, "run_id"),
        release=_text_or_none(value, "release"),
        conversation=_text_or_none(value, "conversation"),
        code_version=_text(value, "code_version"),
        dataset_sha256=_text_or_none(value, "dataset_sha256"),
        system=_text_or_none(value, "system"),
        extra=value["extra"],
    )


def _text(value: Mapping[str, Any], name: str) -> str:
    return _as_text(value[name], name)


def _text_or_none(value: Mapping[str, Any], name: str) -> str | None:
    return None if value[name] is None else _text(value, name)


def _as_text(value: object, name: str = "continued") -> str:
    if not isinstance(value, str):
        raise ValueError(f"{name} is no text")
    return value


def _time(text: str) -> datetime:
    time = datetime.fromisoformat(text)
    if time.tzinfo is None:
        raise ValueError(f"{text} has no time zone")
    return time
