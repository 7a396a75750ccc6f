"""The truth: immutable Parquet attempts under one URL, committed by writing their manifest. ::

    format.json                                           {schema_version, history_id}
    tables/<table>/release=…/conversation=…/run_id=…/<attempt_id>-<nnnnn>.parquet
    attempts/asset=…/release=…/conversation=…/<committed_at>-<attempt_id>.json
    commits/<day>/<committed_at>-<attempt_id>             the manifest's path, noted before it
    judges/<host>.json                                    see `runs.verdicts`

Files have unique names and are never rewritten. The manifest is written last, so an attempt is
committed as a whole or not at all. The notes are only a shorter way to what is new.
"""

import hashlib
import json
import os
import secrets
import threading
from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa

from locomo_assets.history.data_files import (
    decode_data_file,
    encode_derived,
    encode_rows,
    footer_of,
)
from locomo_assets.history.errors import (
    HistoryDamagedError,
    HistoryRowError,
    HistoryUnreachableError,
    HistoryVersionError,
)
from locomo_assets.history.provenance import (
    DataFile,
    Lineage,
    Manifest,
    ManifestName,
    UnfinishedAttempt,
    attempt_id_of,
    commit_note_folder,
    commit_note_path,
    committed_ids,
    data_file_folder,
    manifest_folder,
    manifest_from_json,
    manifest_path,
    manifest_to_json,
    name_time,
    new_attempt_id,
    parse_manifest_name,
    partition_folder,
    path_label,
)
from locomo_assets.history.schema import ASSET_TABLES, LINEAGE, SCHEMA_VERSION, TABLES
from locomo_assets.history.storage import Storage, get_present, open_storage

CLOCKS_DIFFER = timedelta(days=1)
"""Between machines that write to one history, at most, to find recent commits by their time."""

_LINEAGE_NAMES = frozenset(name for name, _ in LINEAGE)
_WITHOUT_RELEASE = frozenset({"locomo_dataset", "gold_audit", "releases", "judge_labels"})
_WITHOUT_CONVERSATION = _WITHOUT_RELEASE | {
    "imported_results",
    "judge_canaries",
    "pinned_baselines",
    "stopped_runs",
    "ladder",
}


class HistoryStore:
    """One history. Safe to share between threads and tasks; methods block for milliseconds.

    All methods raise `HistoryUnreachableError` if the storage can't be read or written.
    """

    def __init__(self, storage: Storage, history_id: str) -> None:
        self.storage = storage
        self.history_id = history_id

    @classmethod
    def open(cls, url: str, *, create: bool = True) -> "HistoryStore":
        """Open the history at a URL, creating an empty one if there is none.

        Without `create` one that does not exist is read as an empty one, and nothing is made.
        `HistoryVersionError` if a newer version of this program wrote it.
        """
        storage = open_storage(url)
        try:
            data = storage.get("format.json")
        except HistoryDamagedError:
            if storage.list("attempts"):
                raise
            created = {"schema_version": SCHEMA_VERSION, "history_id": secrets.token_hex(16)}
            data = json.dumps(created).encode()
            if create:
                storage.put_new("format.json", data)
                data = storage.get("format.json")
        try:
            found = json.loads(data)
            version, history_id = found["schema_version"], found["history_id"]
            if type(version) is not int or version < 1 or not isinstance(history_id, str):
                raise ValueError("schema_version is no number from 1, or history_id no text")
        except (ValueError, KeyError, TypeError, RecursionError) as exc:
            raise HistoryDamagedError(
                f"history {url}: format.json can't be read ({exc}); restore it from a copy"
            ) from exc
        if version > SCHEMA_VERSION:
            raise HistoryVersionError(
                f"history {url} has schema version {version}, this program knows "
                f"{SCHEMA_VERSION}; upgrade locomo-assets, or set LOCOMO_HISTORY elsewhere"
            )
        return cls(storage, history_id)

    @staticmethod
    def exists(url: str) -> bool:
        """Whether there is a history at a URL, a damaged one included; makes nothing."""
        storage = open_storage(url)
        try:
            storage.get("format.json")
        except HistoryDamagedError:
            return bool(storage.list("attempts"))
        return True

    def begin(self, lineage: Lineage) -> "Attempt":
        """Begin an attempt; writes nothing yet. `HistoryRowError` for an incomplete lineage."""
        if lineage.asset not in ASSET_TABLES:
            raise HistoryRowError(
                f"asset {lineage.asset} has no tables in the history; "
                f"known are {', '.join(ASSET_TABLES)}"
            )
        if lineage.release is None and lineage.asset not in _WITHOUT_RELEASE:
            raise HistoryRowError(f"asset {lineage.asset}: an attempt needs a release")
        if lineage.conversation is None and lineage.asset not in _WITHOUT_CONVERSATION:
            raise HistoryRowError(f"asset {lineage.asset}: an attempt needs a conversation")
        return Attempt(self.storage, lineage)

    def manifest_names(self, folder: str = "attempts") -> list[ManifestName]:
        """The names of all manifests, oldest first, one per attempt, without reading them."""
        newest: dict[str, ManifestName] = {}
        for path in self.storage.list(folder):
            name = parse_manifest_name(path)
            if name and (name.compacted or name.attempt_id not in newest):
                newest[name.attempt_id] = name
        return sorted(newest.values())

    def manifests(
        self,
        asset: str | None = None,
        release: str | None = None,
        conversation: str | None = None,
    ) -> list[Manifest]:
        """Committed attempts, oldest first; None is any. `HistoryDamagedError` for a torn one."""
        labels = (("asset", asset), ("release", release), ("conversation", conversation))
        folder = "attempts"
        for key, label in labels:
            if label is None:
                break
            folder += f"/{key}={path_label(label)}"
        parts = [f"/{key}={path_label(label)}/" for key, label in labels if label is not None]
        names = [
            name for name in self.manifest_names(folder) if all(part in name.path for part in parts)
        ]
        return [
            manifest
            for manifest in self.read_manifests(names)
            if asset in (None, manifest.lineage.asset)
            and release in (None, manifest.lineage.release)
            and conversation in (None, manifest.lineage.conversation)
        ]

    def recent_notes(self, since: datetime) -> dict[str, str]:
        """Attempt → the note of its commit: all that were committed since then, and some before.

        Two requests and one a day, however long the history. Clocks may differ by a day. Earlier
        versions of this program write no notes.
        """
        first, last = since - CLOCKS_DIFFER, datetime.now(UTC) + CLOCKS_DIFFER
        days = range((last.date() - first.date()).days + 1)
        return {
            path.rpartition("/")[2].partition("-")[2]: path
            for day in days
            for path in self.storage.list(commit_note_folder(first.date() + timedelta(days=day)))
        }

    def noted_names(self, notes: Sequence[str]) -> list[ManifestName]:
        """The names of the manifests that notes tell of, oldest first, as far as they are there.

        The attempts of the others are about to commit, or were given up.
        """
        told = get_present(self.storage, notes)
        paths = [text.decode("utf-8", "replace") for text in told.values()]
        there = get_present(self.storage, [p for p in paths if p.startswith("attempts/")])
        return sorted(name for path in there if (name := parse_manifest_name(path)) is not None)

    def read_manifests(self, names: Sequence[ManifestName]) -> list[Manifest]:
        """The manifests of these names, in their order."""
        data = self.storage.get_many([name.path for name in names])
        return [manifest_from_json(name.path, data[name.path]) for name in names]

    def read(
        self,
        table: str,
        attempts: Sequence[Manifest | UnfinishedAttempt],
        columns: Collection[str] | None = None,
    ) -> pa.Table:
        """A table's rows of these attempts, in their order; checks each data file's hash.

        Columns are those of `schema.TABLES`, or of `columns` in the schema's order.
        `HistoryDamagedError` names a data file that is missing, torn or changed.
        """
        schema = _schema(table)
        data_files = [
            data_file
            for attempt in attempts
            for data_file in attempt.data_files
            if data_file.table == table
        ]
        data = self.storage.get_many([data_file.path for data_file in data_files])
        empty = pa.schema([f for f in schema if columns is None or f.name in columns]).empty_table()

        def decoded(data_file: DataFile) -> pa.Table:
            return decode_data_file(data_file, data[data_file.path], columns)

        if len(data_files) < 2:
            return pa.concat_tables([empty, *map(decoded, data_files)])
        with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
            return pa.concat_tables([empty, *pool.map(decoded, data_files)])

    def unfinished(
        self, asset: str, release: str | None, conversation: str | None
    ) -> list[UnfinishedAttempt]:
        """Attempts of one partition that have data files but no manifest, oldest first.

        They are in progress elsewhere, or were left by a run that ended early. Leaves out
        attempts that a committed one has adopted, and derived data files, which repeat the rows
        of others. Hold the partition's lease: otherwise another run may commit what is found, and
        delete its data files, at any time.
        """
        where = Lineage(
            asset=asset,
            run_id="",
            release=release,
            conversation=conversation,
            code_version="",
            dataset_sha256=None,
            system=None,
        )
        # Data files first: an attempt that commits in between is then seen as committed.
        paths = [
            (table, path)
            for table in ASSET_TABLES[asset]
            for path in self.storage.list(partition_folder(table, where))
            if path.endswith(".parquet")
        ]
        committed = committed_ids(self.read_manifests(self.manifest_names(manifest_folder(where))))
        open_paths = [(t, p) for t, p in paths if attempt_id_of(p) not in committed]
        data = get_present(self.storage, [path for _, path in open_paths])
        # A data file vanishes once its attempt is committed or pruned.
        gone = {attempt_id_of(path) for _, path in open_paths if path not in data}
        lineages: dict[str, Lineage] = {}
        data_files: dict[str, list[DataFile]] = {}
        for table, path in open_paths:
            if attempt_id_of(path) in gone:
                continue
            lineage, rows, is_derived = footer_of(path, data[path])
            partition = (lineage.asset, lineage.release, lineage.conversation)
            if partition == (asset, release, conversation) and not is_derived:
                lineages[attempt_id_of(path)] = lineage
                data_files.setdefault(attempt_id_of(path), []).append(
                    DataFile(path, table, rows, None, None)
                )
        return [UnfinishedAttempt(i, lineages[i], tuple(data_files[i])) for i in sorted(data_files)]


class Attempt:
    """One run's work on one partition of one asset, invisible until `commit` returns.

    `append` may be called from several threads or tasks at once.
    """

    def __init__(self, storage: Storage, lineage: Lineage) -> None:
        self.lineage = lineage
        self.begun_at = datetime.now(UTC)
        self.attempt_id = new_attempt_id(self.begun_at)
        self._storage = storage
        self._lock = threading.Lock()
        self._next_number = 0
        self._data_files: list[DataFile] = []
        self._replaced: list[str] = []
        self._continued: list[str] = []
        self._manifest: Manifest | None = None

    def append(
        self, table: str, rows: Sequence[Mapping[str, Any]], *, is_derived: bool = False
    ) -> None:
        """Publish rows as one data file, durably, before returning; without rows, do nothing.

        Rows give the table's own columns (`schema.TABLES` without the lineage); missing ones are
        null. `HistoryRowError` if they do not fit; then nothing is written. Derived rows count
        only once committed: `HistoryStore.unfinished` does not find them.
        """
        if table not in ASSET_TABLES[self.lineage.asset]:
            raise HistoryRowError(
                f"asset {self.lineage.asset} does not write table {table}; "
                f"it writes {', '.join(ASSET_TABLES[self.lineage.asset])}"
            )
        if not rows:
            return
        data = encode_rows(
            table,
            rows,
            attempt_id=self.attempt_id,
            lineage=self.lineage,
            written_at=datetime.now(UTC),
            is_derived=is_derived,
        )
        path = self._next_path(table)
        self._storage.put(path, data)
        data_file = DataFile(path, table, len(rows), len(data), hashlib.sha256(data).hexdigest())
        with self._lock:
            self._refuse_committed()
            self._data_files.append(data_file)

    def adopt(self, store: HistoryStore, unfinished: UnfinishedAttempt) -> None:
        """Append an unfinished attempt's rows to this one, so that its work is not lost."""
        for table in dict.fromkeys(data_file.table for data_file in unfinished.data_files):
            own = [f.name for f in TABLES[table] if f.name not in _LINEAGE_NAMES]
            per_row = [n for n in ("release", "conversation") if getattr(self.lineage, n) is None]
            rows = store.read(table, [unfinished], [*own, *per_row]).to_pylist()
            self.append(table, rows, is_derived=True)
        with self._lock:
            self._continued.append(unfinished.attempt_id)

    def merge(self) -> None:
        """Publish one data file per table in place of many, which `commit` then deletes.

        For an attempt saved in many small files. Call it once nothing more is appended.
        """
        with self._lock:
            small = list(self._data_files)
        for table in dict.fromkeys(file.table for file in small):
            files = [file for file in small if file.table == table]
            if len(files) > 1:
                merged = merge_data_files(self._storage, files, self._next_path(table))
                with self._lock:
                    kept = [file for file in self._data_files if file not in files]
                    self._data_files = [*kept, merged]
                    self._replaced += [file.path for file in files]

    def commit(self, **extra: Any) -> Manifest:
        """Commit the attempt. `extra` is added to the lineage's.

        The newest attempt of a partition counts, so the commit time is later than that of every
        visible attempt of it, whatever the machines' clocks say.
        """
        with self._lock:
            self._refuse_committed()
            lineage = replace(self.lineage, extra={**self.lineage.extra, **extra})
            committed_at = self._next_commit_time()
            manifest = Manifest(
                attempt_id=self.attempt_id,
                lineage=lineage,
                begun_at=self.begun_at,
                committed_at=committed_at,
                data_files=tuple(sorted(self._data_files, key=lambda file: file.path[-13:])),
                continued=tuple(self._continued),
                path=manifest_path(lineage, committed_at, self.attempt_id),
            )
            try:
                data = manifest_to_json(manifest)
            except (TypeError, ValueError) as exc:
                message = f"attempt {self.attempt_id}: extra is not JSON: {exc}"
                raise HistoryRowError(message) from exc
            # Noted before: what is committed is always noted. A note alone means nothing.
            note = commit_note_path(committed_at, self.attempt_id)
            self._storage.put(note, manifest.path.encode())
            self._storage.put(manifest.path, data)
            self._manifest = manifest
            # The attempt is committed: a file that can't be deleted now is not a failure.
            with suppress(HistoryUnreachableError):
                self._storage.delete(self._replaced)
            return manifest

    def _next_path(self, table: str) -> str:
        with self._lock:
            self._refuse_committed()
            number = self._next_number
            self._next_number += 1
        return f"{data_file_folder(table, self.lineage)}/{self.attempt_id}-{number:05d}.parquet"

    def _next_commit_time(self) -> datetime:
        now = datetime.now(UTC)
        names = map(parse_manifest_name, self._storage.list(manifest_folder(self.lineage)))
        visible = [name_time(name.committed_at) for name in names if name]
        return max([now, *(time + timedelta(microseconds=1) for time in visible)])

    def _refuse_committed(self) -> None:
        if self._manifest is not None:
            raise HistoryRowError(f"attempt {self.attempt_id} is committed; begin a new one")


def merge_data_files(storage: Storage, data_files: Sequence[DataFile], path: str) -> DataFile:
    """Publish several data files of a table as one, in their order and as written."""
    data = storage.get_many([data_file.path for data_file in data_files])
    rows = pa.concat_tables(
        [decode_data_file(p, data[p.path], as_written=True) for p in data_files]
    )
    merged = encode_derived(rows)
    storage.put(path, merged)
    return DataFile(
        path, data_files[0].table, rows.num_rows, len(merged), hashlib.sha256(merged).hexdigest()
    )


def _schema(table: str) -> pa.Schema:
    if table not in TABLES:
        raise HistoryRowError(f"the history has no table {table}; known are {', '.join(TABLES)}")
    return TABLES[table]
