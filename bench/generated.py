"""More runs of a synthetic history, written as files: for sizes whose commits take hours.

One run is committed by the store (`synthetic`). Others are its tables with ids, times and an order
of answers of their own, encoded as the store encodes them and put without its listings and leases.
"""

import hashlib
import secrets
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from locomo_assets.history.data_files import encode_table
from locomo_assets.history.provenance import (
    TIME_IN_NAMES,
    DataFile,
    Manifest,
    data_file_folder,
    manifest_path,
    manifest_to_json,
)
from locomo_assets.history.store import HistoryStore

_MIXED = ("answer", "verdict", "memory_id")
_NAMED = ("answer_id", "ingestion_id", "judgement_id")

Put = Callable[[str, bytes], None]


class Template:
    """A committed release, to be repeated under other names."""

    def __init__(self, store: HistoryStore, release: str) -> None:
        self._release = release
        self._attempts = [
            (manifest, {file: store.read(file.table, [_alone(manifest, file)]) for file in files})
            for manifest in store.manifests()
            if manifest.lineage.release == release and (files := manifest.data_files)
        ]

    def write(self, put: Put, release: str, at: datetime) -> None:
        """The release's attempts as they would be, had they been committed from this time on."""
        rng = np.random.default_rng(int(at.timestamp()))
        for number, (manifest, tables) in enumerate(self._attempts):
            begun_at = at + timedelta(seconds=number)
            for path, data in self._files(manifest, tables, release, begun_at, rng):
                put(path, data)

    def _files(
        self,
        manifest: Manifest,
        tables: dict[DataFile, pa.Table],
        release: str,
        begun_at: datetime,
        rng: np.random.Generator,
    ) -> Iterator[tuple[str, bytes]]:
        lineage = replace(manifest.lineage, release=release, run_id=f"run-{release}")
        attempt_id = f"{begun_at.strftime(TIME_IN_NAMES)}-{secrets.token_hex(5)}"
        files = []
        for number, (file, rows) in enumerate(tables.items()):
            own = {"release": release, "attempt_id": attempt_id, "run_id": lineage.run_id}
            data = encode_table(self._renamed(rows, own, rng))
            path = f"{data_file_folder(file.table, lineage)}/{attempt_id}-{number:05d}.parquet"
            yield path, data
            sha256 = hashlib.sha256(data).hexdigest()
            files.append(DataFile(path, file.table, file.rows, len(data), sha256))
        committed_at = begun_at + timedelta(milliseconds=500)
        committed = replace(
            manifest,
            attempt_id=attempt_id,
            lineage=lineage,
            begun_at=begun_at,
            committed_at=committed_at,
            data_files=tuple(files),
            path=manifest_path(lineage, committed_at, attempt_id),
        )
        yield committed.path, manifest_to_json(committed)

    def _renamed(self, rows: pa.Table, own: dict[str, str], rng: np.random.Generator) -> pa.Table:
        columns = []
        for field in rows.schema:
            column = rows.column(field.name)
            if field.name in own:
                column = pa.chunked_array([pa.repeat(pa.scalar(own[field.name]), len(rows))])
            elif field.name in _NAMED:
                column = pc.replace_substring(column, f"{self._release}/", f"{own['release']}/")
            elif field.name in _MIXED:
                column = column.take(rng.permutation(len(rows)))
            columns.append(column)
        return pa.Table.from_arrays(columns, schema=rows.schema)


def _alone(manifest: Manifest, file: DataFile) -> Manifest:
    return replace(manifest, data_files=(file,))
