"""`history.duckdb`: everything committed, as tables and views for SQL; derived, never the truth.

Here: building it from the store's attempts, and reading it. What the views say is `sql/`; what
the rows are is `schema`.

A refresh copies the current file, adds the attempts it lacks, works out anew what they touch,
and moves the copy into place: a reader sees the old file or the new one, whole, and never waits.
Refreshers on one machine queue at a lock file. When the file is missing, unreadable, of another
history or of other definitions, it is rebuilt from nothing, with the same result.

The file is written in a storage version that DuckDB 1.5 reads too; no extension is needed.
"""

import hashlib
import json
import os
import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
from filelock import FileLock

from locomo_assets.history.errors import (
    HistoryDamagedError,
    HistoryQueryError,
    HistoryUnreachableError,
)
from locomo_assets.history.lineage import Marker, MarkerName
from locomo_assets.history.schema import SCHEMA_VERSION, TABLES
from locomo_assets.history.store import HistoryStore
from locomo_assets.history.text_scores import register_text_scores
from locomo_assets.locomo.scoring import VERSION as SCORING_VERSION

STORAGE_VERSION = "v1.5.0"

# in the order of their dependence
DERIVED = (
    "current_questions",
    "current_answers",
    "current_judgements",
    "answer_scores",
    "accuracy_cells",
    "latency_by_release",
    "call_counts",
)
_VIEW_FILES = (
    "categories",
    "release_order",
    "accuracy",
    "flips",
    "flip_details",
    "repeats",
    "operations",
    "lineage",
    "imports",
    "scores",
    "reference_lines",
    "canary_rates",
    "gold_faults",
)
_ATTEMPT_COLUMNS: tuple[tuple[str, pa.DataType], ...] = (
    ("attempt_id", pa.string()),
    ("asset", pa.string()),
    ("run_id", pa.string()),
    ("release", pa.string()),
    ("conversation", pa.string()),
    ("code_version", pa.string()),
    ("dataset_sha256", pa.string()),
    ("system", pa.string()),
    ("begun_at", pa.timestamp("us", tz="UTC")),
    ("committed_at", pa.timestamp("us", tz="UTC")),
    ("row_count", pa.int64()),
    ("extra_json", pa.string()),
)
_ATTEMPTS = pa.schema([pa.field(name, kind) for name, kind in _ATTEMPT_COLUMNS])
_ATTEMPTS_AT_ONCE = 200
LENS_NAME = "history.duckdb"
_CONFIG: dict[str, str | bool | int | float | list[str]] = {
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
}


@dataclass(frozen=True, slots=True)
class LensReport:
    """What a refresh did. `attempts` is how many the lens now holds."""

    path: Path
    attempts: int
    attempts_added: int
    attempts_removed: int
    rows_added: int
    rebuilt: bool
    duration_s: float


def refresh(store: HistoryStore, lens_path: Path) -> LensReport:
    """Bring the lens up to the store's committed attempts.

    `HistoryDamagedError` names a marker or part that is missing, torn or changed, and
    `HistoryUnreachableError` a place that can't be read or written; the lens then stays as it is.
    """
    return _publish(store, lens_path, from_nothing=False)


def rebuild(store: HistoryStore, lens_path: Path) -> LensReport:
    """Make the lens from nothing; otherwise like `refresh`."""
    return _publish(store, lens_path, from_nothing=True)


def publish(store: HistoryStore, lens_path: Path, *, from_nothing: bool = False) -> LensReport:
    """Refresh or rebuild the lens; where the history is remote, put it beside the history too.

    Several machines may: each makes the same lens of the same attempts, and the last one stays.
    """
    report = _publish(store, lens_path, from_nothing=from_nothing)
    if not store.storage.url.startswith("file:"):
        store.storage.put(LENS_NAME, lens_path.read_bytes())
    return report


def open_read_only(lens_path: Path) -> duckdb.DuckDBPyConnection:
    """A connection to the lens as it is now, able to read it and nothing else.

    It stays on this state of the lens when a newer one is published. `HistoryUnreachableError`
    if there is no lens or it can't be read.
    """
    if not lens_path.exists():
        raise HistoryUnreachableError(
            f"lens {lens_path}: does not exist; make it with `locomo-assets history refresh`"
        )
    connection = _connect(lens_path, read_only=True)
    connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")
    return connection


def query(lens_path: Path, sql: str) -> tuple[list[str], list[tuple[Any, ...]]]:
    """Column names and rows of one reading statement; `HistoryQueryError` for anything else."""
    with open_read_only(lens_path) as connection:
        try:
            statements = connection.extract_statements(sql)
            if len(statements) != 1:
                raise HistoryQueryError(f"SQL: one statement at a time, not {len(statements)}")
            if statements[0].type not in _READING:
                raise HistoryQueryError(
                    f"SQL: the history is only read, and this is {statements[0].type.name}; "
                    "use SELECT, DESCRIBE, SUMMARIZE, SHOW or EXPLAIN"
                )
            result = connection.execute(statements[0])
            return [column[0] for column in result.description or ()], result.fetchall()
        except duckdb.Error as exc:
            raise HistoryQueryError(f"SQL: {_one_line(exc)}") from exc


_READING = (
    duckdb.StatementType.SELECT,
    duckdb.StatementType.EXPLAIN,
    duckdb.StatementType.PRAGMA,
    duckdb.StatementType.CALL,
)


def _publish(store: HistoryStore, lens_path: Path, *, from_nothing: bool) -> LensReport:
    started = time.monotonic()
    with _told(lens_path), _alone(lens_path):
        names = {name.attempt_id: name for name in store.marker_names()}
        held = None if from_nothing else _held_attempts(lens_path, store.history_id)
        added = [name for i, name in names.items() if held is None or i not in held]
        gone = sorted((held or set()) - names.keys())
        rows = 0
        if held is None or added or gone:
            temporary = lens_path.with_name(f".{lens_path.name}.tmp")
            _remove(temporary)
            try:
                if held is not None:
                    shutil.copyfile(lens_path, temporary)
                rows = _build(store, temporary, added, gone, fresh=held is None)
                _sync(temporary)
                os.replace(temporary, lens_path)
                _sync(lens_path.parent)
            finally:
                _remove(temporary)
        return LensReport(
            path=lens_path,
            attempts=len(names),
            attempts_added=len(added),
            attempts_removed=len(gone),
            rows_added=rows,
            rebuilt=held is None,
            duration_s=time.monotonic() - started,
        )


def _build(
    store: HistoryStore,
    path: Path,
    added: Sequence[MarkerName],
    gone: Sequence[str],
    *,
    fresh: bool,
) -> int:
    rows = 0
    with _connect(path, read_only=False) as connection:
        connection.execute(f"SET temp_directory = '{_quoted(path)}.spill'")
        register_text_scores(connection)
        if fresh:
            _create(connection, store.history_id)
        connection.execute("BEGIN")
        before = _datasets(connection)
        _start_touching(connection, gone)
        for table in (*TABLES, "attempts", "call_counts") if gone else ():
            connection.execute(f"DELETE FROM {table} WHERE attempt_id IN (FROM gone)")  # noqa: S608  # our own names
        for start in range(0, len(added), _ATTEMPTS_AT_ONCE):
            markers = store.read_markers(added[start : start + _ATTEMPTS_AT_ONCE])
            _insert(connection, "attempts", _attempt_rows(markers))
            for table in TABLES:
                new = store.read(table, markers)
                _insert(connection, table, new)
                rows += new.num_rows
        _derive(connection, before, [name.attempt_id for name in added])
        connection.execute("COMMIT")
        connection.execute("CHECKPOINT")
    return rows


def _create(connection: duckdb.DuckDBPyConnection, history_id: str) -> None:
    _insert(connection, "attempts", _ATTEMPTS.empty_table(), create=True)
    for table, schema in TABLES.items():
        _insert(connection, table, schema.empty_table(), create=True)
    connection.execute("CREATE TABLE touched_partitions (release VARCHAR, conversation VARCHAR)")
    connection.execute("CREATE TABLE touched_attempts (attempt_id VARCHAR)")
    connection.execute(
        "CREATE TABLE lens_meta AS SELECT $1::INTEGER AS schema_version, "
        "$2::VARCHAR AS history_id, $3::VARCHAR AS definitions_sha256",
        [SCHEMA_VERSION, history_id, definitions_sha256()],
    )
    connection.execute(_sql("macros.sql"))
    for table in DERIVED:
        connection.execute(f"CREATE TABLE {table} AS FROM ({_sql(f'derived/{table}.sql')}) LIMIT 0")
    for name in _VIEW_FILES:
        connection.execute(_sql(f"views/{name}.sql"))
    connection.execute(_sql("comments.sql"))


def _start_touching(connection: duckdb.DuckDBPyConnection, gone: Sequence[str]) -> None:
    connection.execute("DELETE FROM touched_partitions; DELETE FROM touched_attempts")
    connection.execute("CREATE TEMP TABLE gone AS SELECT unnest($1::VARCHAR[])", [list(gone)])
    connection.execute("CREATE TEMP TABLE changed AS FROM attempts WHERE attempt_id IN (FROM gone)")
    connection.execute(_sql("touched_by_imports.sql"))


def _derive(
    connection: duckdb.DuckDBPyConnection,
    datasets_before: set[tuple[str, str]],
    added: Sequence[str],
) -> None:
    """Work out anew the current rows of what was added, removed, or has another data set."""
    connection.execute("INSERT INTO touched_attempts SELECT unnest($1::VARCHAR[])", [list(added)])
    connection.execute(
        "INSERT INTO changed FROM attempts SEMI JOIN touched_attempts USING (attempt_id)"
    )
    for sha256, conversation in datasets_before ^ _datasets(connection):
        connection.execute(
            "INSERT INTO touched_partitions SELECT DISTINCT release, conversation FROM answers "
            "WHERE dataset_sha256 = $1 AND conversation = $2",
            [sha256, conversation],
        )
    connection.execute(
        "INSERT INTO touched_partitions "
        "SELECT DISTINCT release, conversation FROM changed "
        "WHERE asset IN ('ingested_memories', 'answers', 'judgements')"
    )
    connection.execute(_sql("touched_by_imports.sql"))
    touched_questions = connection.execute(
        "SELECT 1 FROM changed WHERE asset = 'locomo_dataset' LIMIT 1"
    ).fetchone()
    if touched_questions:
        connection.execute("DELETE FROM current_questions")
        connection.execute(f"INSERT INTO current_questions {_sql('derived/current_questions.sql')}")
    for table in ("current_answers", "current_judgements", "answer_scores"):
        connection.execute(
            f"DELETE FROM {table} AS c USING touched_partitions AS t "  # noqa: S608  # our own names
            "WHERE c.release = t.release AND c.conversation = t.conversation"
        )
        connection.execute(f"INSERT INTO {table} {_sql(f'derived/{table}.sql')}")
    for table in ("accuracy_cells", "latency_by_release"):
        connection.execute(
            f"DELETE FROM {table} WHERE release IN (SELECT release FROM touched_partitions)"  # noqa: S608  # our own names
        )
        connection.execute(f"INSERT INTO {table} {_sql(f'derived/{table}.sql')}")
    connection.execute(f"INSERT INTO call_counts {_sql('derived/call_counts.sql')}")


def _datasets(connection: duckdb.DuckDBPyConnection) -> set[tuple[str, str]]:
    found = connection.execute("SELECT DISTINCT dataset_sha256, conversation FROM questions")
    return {(sha256, conversation) for sha256, conversation in found.fetchall()}


def _attempt_rows(markers: Sequence[Marker]) -> pa.Table:
    rows = [
        {
            "attempt_id": marker.attempt_id,
            "asset": marker.lineage.asset,
            "run_id": marker.lineage.run_id,
            "release": marker.lineage.release,
            "conversation": marker.lineage.conversation,
            "code_version": marker.lineage.code_version,
            "dataset_sha256": marker.lineage.dataset_sha256,
            "system": marker.lineage.system,
            "begun_at": marker.begun_at,
            "committed_at": marker.committed_at,
            "row_count": sum(part.rows for part in marker.parts),
            "extra_json": json.dumps(dict(marker.extra), ensure_ascii=False, sort_keys=True),
        }
        for marker in markers
    ]
    return pa.Table.from_pylist(rows, schema=_ATTEMPTS)


def _insert(
    connection: duckdb.DuckDBPyConnection, table: str, rows: pa.Table, *, create: bool = False
) -> None:
    # many small chunks arrive slowly
    connection.register("arriving", rows.combine_chunks())
    if create:
        connection.execute(f"CREATE TABLE {table} AS FROM arriving")
    elif rows.num_rows:
        connection.execute(f"INSERT INTO {table} FROM arriving")
    connection.unregister("arriving")


def _held_attempts(lens_path: Path, history_id: str) -> set[str] | None:
    """The attempts in the lens, or None where it is not worth keeping."""
    if not lens_path.exists():
        return None
    try:
        with _connect(lens_path, read_only=True) as connection:
            meta = connection.execute("FROM lens_meta").fetchall()
            if meta != [(SCHEMA_VERSION, history_id, definitions_sha256())]:
                return None
            found = connection.execute("SELECT attempt_id FROM attempts").fetchall()
            return {attempt_id for (attempt_id,) in found}
    except (duckdb.Error, HistoryUnreachableError):
        return None


def _connect(path: Path, *, read_only: bool) -> duckdb.DuckDBPyConnection:
    """The file attached as `history` to a database in memory.

    Connecting to the path itself would share this process's open connections to it, and so
    show the file that was replaced.
    """
    how = "READ_ONLY" if read_only else f"STORAGE_VERSION '{STORAGE_VERSION}'"
    connection = duckdb.connect(":memory:", config=_CONFIG)
    try:
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute(f"ATTACH '{_quoted(path)}' AS history ({how})")
        connection.execute("USE history")
    except duckdb.Error as exc:
        connection.close()
        raise HistoryUnreachableError(
            f"lens {path} can't be opened ({_one_line(exc)}); make it anew with "
            "`locomo-assets history rebuild`"
        ) from exc
    return connection


@cache
def definitions_sha256() -> str:
    """Identifies tables and views: a lens made from others is rebuilt."""
    parts = [f"{name}: {schema}" for name, schema in {**TABLES, "attempts": _ATTEMPTS}.items()]
    parts.append(f"scoring {SCORING_VERSION}")
    names = ("macros", *(f"derived/{name}" for name in DERIVED))
    for name in (*names, *(f"views/{name}" for name in _VIEW_FILES), "comments"):
        parts.append(_sql(f"{name}.sql"))
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


@cache
def _sql(name: str) -> str:
    return files("locomo_assets.history").joinpath("sql", *name.split("/")).read_text("utf-8")


@contextmanager
def _alone(lens_path: Path) -> Iterator[None]:
    lens_path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(lens_path.with_name(f".{lens_path.name}.lock")):
        yield


@contextmanager
def _told(lens_path: Path) -> Iterator[None]:
    try:
        yield
    except duckdb.FatalException as exc:
        raise HistoryDamagedError(
            f"lens {lens_path}: {_one_line(exc)}; make it anew with `locomo-assets history rebuild`"
        ) from exc
    except (OSError, duckdb.Error) as exc:
        raise HistoryUnreachableError(
            f"lens {lens_path} can't be written: {_one_line(exc)}; the last good one stays"
        ) from exc


def _remove(temporary: Path) -> None:
    temporary.unlink(missing_ok=True)
    temporary.with_name(f"{temporary.name}.wal").unlink(missing_ok=True)
    shutil.rmtree(temporary.with_name(f"{temporary.name}.spill"), ignore_errors=True)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _quoted(path: Path) -> str:
    return str(path).replace("'", "''")


def _one_line(exc: BaseException) -> str:
    return " ".join(str(exc).split())
