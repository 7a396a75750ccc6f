"""Rows to Parquet bytes and back, strictly by the schema.

Reading and writing the bytes belongs in `storage`, attempts belong in `store`.
"""

import hashlib
import json
import sys
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from functools import cache
from importlib.abc import MetaPathFinder
from typing import Any, Literal, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from locomo_assets.bounded import HISTORY_FILE_BYTES, ByteCount, UnusableBodyError
from locomo_assets.history.errors import HistoryDamagedError, HistoryRowError
from locomo_assets.history.provenance import DataFile, Lineage, lineage_from_json, lineage_to_json
from locomo_assets.history.schema import LINEAGE, TABLES

_LINEAGE_KEY, _DERIVED_KEY = b"locomo_lineage", b"locomo_derived"
# Of a value of any type in memory, but of one that is true or false.
_LEAST_VALUE_BYTES = 4
_BATCH_ROWS = 1024
_Compression = Literal["gzip", "brotli", "lz4", "zstd", "snappy", "none"]
# To begin to decompress a column takes longer than to read it where it is this small; a lineage
# column mostly has one value, which is stored once.
_COMPRESSED_FROM_BYTES = 4096
# A run saves a few rows at a time, for which a dictionary takes more than it saves.
_DICTIONARY_FROM_ROWS = 17
_LINEAGE_NAMES = frozenset(name for name, _ in LINEAGE)
_HINT = "restore it from a copy, or delete its attempt's manifest to give up the attempt"


class Footer(NamedTuple):
    """What a data file says about itself. `is_derived`: its rows follow from other files."""

    lineage: Lineage
    rows: int
    is_derived: bool


def do_without_pandas() -> None:
    """From here on Arrow takes this process to have no pandas, which its first array would load.

    Only for a process that is ours: of others' Series Arrow would no longer know what they are.
    """
    sys.meta_path.insert(0, _NoPandas())
    try:
        pa.array([0])
    finally:
        del sys.meta_path[0]


class _NoPandas(MetaPathFinder):
    # Not None in `sys.modules`: Cython hands that on as the module.
    def find_spec(self, name: str, path: object, target: object = None) -> None:
        if name == "pandas":
            raise ModuleNotFoundError(name, name=name)


def encode_rows(
    table: str,
    rows: Sequence[Mapping[str, Any]],
    *,
    attempt_id: str,
    lineage: Lineage,
    written_at: datetime,
    is_derived: bool = False,
) -> bytes:
    """The rows as one Parquet file, with the lineage columns and a `Footer`.

    A row gives only the table's own columns; missing ones are null. Where the lineage has no
    release or conversation, a row may name one. `HistoryRowError` for an unknown column, a value
    of another type (only int is converted, to float), or a time without a zone.
    """
    schema = TABLES[table]
    fixed = {
        "attempt_id": attempt_id,
        "run_id": lineage.run_id,
        "asset": lineage.asset,
        "release": lineage.release,
        "conversation": lineage.conversation,
        "code_version": lineage.code_version,
        "dataset_sha256": lineage.dataset_sha256,
        "system": lineage.system,
        "written_at": written_at,
    }
    open_names = {n for n in ("release", "conversation") if fixed[n] is None}
    own = {f.name for f in schema if f.name not in _LINEAGE_NAMES} | open_names
    for row in rows:
        if unknown := row.keys() - own:
            raise HistoryRowError(
                f"table {table}: a row sets {', '.join(sorted(unknown))}, which it must not; "
                "see the table's columns in history.schema"
            )
    arrays = []
    for field in schema:
        if field.name in own:
            arrays.append(_array(table, field, [row.get(field.name) for row in rows]))
        else:
            one = _array(table, field, [fixed[field.name]])
            arrays.append(one if len(rows) == 1 else pa.repeat(one[0], len(rows)))
    footer = {_LINEAGE_KEY: json.dumps(lineage_to_json(lineage), ensure_ascii=False).encode()}
    whole = pa.Table.from_arrays(arrays, schema=schema.with_metadata(footer))
    return encode_derived(whole) if is_derived else encode_table(whole)


def encode_derived(table: pa.Table) -> bytes:
    """A table as Parquet bytes, marked as derived."""
    return encode_table(
        table.replace_schema_metadata({**(table.schema.metadata or {}), _DERIVED_KEY: b"1"})
    )


def encode_table(table: pa.Table) -> bytes:
    """A table as Parquet bytes, metadata included; compressed where that makes it smaller."""
    sink = pa.BufferOutputStream()
    compression: dict[str, _Compression] = {
        name: "none" if name in _LINEAGE_NAMES or column.nbytes < _COMPRESSED_FROM_BYTES else "zstd"
        for name, column in zip(table.column_names, table.columns, strict=True)
    }
    pq.write_table(
        table,
        sink,
        compression=compression,
        use_dictionary=table.num_rows >= _DICTIONARY_FROM_ROWS,
        write_page_checksum=True,
    )
    return sink.getvalue().to_pybytes()


def decode_data_file(
    data_file: DataFile,
    data: bytes,
    columns: Collection[str] | None = None,
    *,
    as_written: bool = False,
) -> pa.Table:
    """A data file's rows in today's schema: columns added later are null.

    `HistoryDamagedError` if the bytes do not match the manifest. `as_written` keeps the file's
    own schema and footer.
    """
    if data_file.sha256 is not None and hashlib.sha256(data).hexdigest() != data_file.sha256:
        raise HistoryDamagedError(
            f"{data_file.path} was changed after it was committed ({len(data)} bytes, "
            f"{data_file.size_bytes} committed); {_HINT}"
        )
    try:
        found = read_table(data)
    except (pa.ArrowException, OSError) as exc:
        raise HistoryDamagedError(
            f"{data_file.path} is not a Parquet file ({' '.join(str(exc).split())}); {_HINT}"
        ) from exc
    except UnusableBodyError as exc:
        raise HistoryDamagedError(f"{data_file.path} can't be read: {exc}; {_HINT}") from None
    if data_file.rows != found.num_rows:
        raise HistoryDamagedError(
            f"{data_file.path} has {found.num_rows} rows, its manifest says {data_file.rows}; "
            f"{_HINT}"
        )
    return found if as_written else _in_schema(TABLES[data_file.table], found, columns)


def read_table(data: bytes, limit_bytes: int = HISTORY_FILE_BYTES) -> pa.Table:
    """The rows of a Parquet file, of at most so many bytes once they are decoded.

    A file of a few MiB may stand for gigabytes: its pages are compressed, and of a value that is
    repeated it holds one copy. Raises UnusableBodyError.
    """
    file = pq.ParquetFile(pa.BufferReader(data))
    metadata = file.metadata
    groups = [metadata.row_group(number) for number in range(metadata.num_row_groups)]
    unpacked = sum(group.total_byte_size for group in groups)
    values = sum(
        group.column(number).num_values for group in groups for number in range(group.num_columns)
    )
    count = ByteCount(limit_bytes)
    count.add(max(unpacked, values * _LEAST_VALUE_BYTES))
    # At worst each row repeats the whole file; and what the file says of itself may be wrong.
    rows = min(_BATCH_ROWS, max(1, limit_bytes // 2 // max(unpacked, 1)))
    count = ByteCount(limit_bytes)
    batches = []
    for batch in file.iter_batches(rows, use_threads=False):
        count.add(batch.nbytes)
        batches.append(batch)
    return pa.Table.from_batches(batches, file.schema_arrow)


def footer_of(path: str, data: bytes) -> Footer:
    """What an uncommitted data file says about itself; `HistoryDamagedError` if unreadable."""
    try:
        metadata = pq.ParquetFile(pa.BufferReader(data)).metadata
        own = metadata.metadata or {}
        lineage = lineage_from_json(json.loads(own[_LINEAGE_KEY]))
    except (pa.ArrowException, OSError, KeyError, ValueError, TypeError, RecursionError) as exc:
        raise HistoryDamagedError(
            f"{path} is not a data file of a history ({type(exc).__name__}); delete it"
        ) from exc
    return Footer(lineage, metadata.num_rows, _DERIVED_KEY in own)


def _in_schema(schema: pa.Schema, found: pa.Table, columns: Collection[str] | None) -> pa.Table:
    fields = [f for f in schema if columns is None or f.name in columns]
    if [(f.name, f.type) for f in found.schema] == [(f.name, f.type) for f in fields]:
        return found.replace_schema_metadata()
    known = set(found.column_names)
    return pa.Table.from_arrays(
        [
            found.column(f.name).cast(f.type)
            if f.name in known
            else pa.chunked_array([pa.nulls(found.num_rows, f.type)])
            for f in fields
        ],
        schema=pa.schema(fields),
    )


def _array(table: str, field: "pa.Field[Any]", values: list[Any]) -> "pa.Array[Any]":
    accepts = _accepted(field.type)
    for value in values:
        if value is not None and not accepts(value):
            raise HistoryRowError(
                f"table {table}: {field.name} is {field.type}, not {type(value).__name__} "
                f"({value!r:.80})"
            )
    try:
        array: pa.Array[Any] = pa.array(values, field.type)
        return array
    except (pa.ArrowException, UnicodeEncodeError, OverflowError) as exc:
        raise HistoryRowError(
            f"table {table}: {field.name} can't be stored as {field.type}: {exc}"
        ) from exc


@cache
def _accepted(kind: pa.DataType) -> Callable[[Any], bool]:
    """A check for values of an Arrow type; Arrow itself silently truncates and converts."""
    if pa.types.is_string(kind):
        return lambda value: isinstance(value, str)
    if pa.types.is_integer(kind):
        return lambda value: isinstance(value, int) and not isinstance(value, bool)
    if pa.types.is_floating(kind):
        return lambda value: isinstance(value, int | float) and not isinstance(value, bool)
    if pa.types.is_boolean(kind):
        return lambda value: isinstance(value, bool)
    if pa.types.is_timestamp(kind):
        return lambda value: isinstance(value, datetime) and value.tzinfo is not None
    return lambda value: (
        isinstance(value, list | tuple) and all(isinstance(item, str) for item in value)
    )
