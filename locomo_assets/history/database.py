"""`history.duckdb`: everything committed, as tables and views for SQL; derived, never the truth.

Here: its file, made and moved into place, and reading it. What is in it is `database_tables`.

A refresh copies the current file, adds the attempts it lacks, works out anew what they touch,
and moves the copy into place: a reader sees the old file or the new one, whole, and never waits.
Refreshers on one machine queue at a lock file. When the file is missing, unreadable, of another
history or of other definitions, it is rebuilt from nothing, with the same result.

The file is written in a storage version that DuckDB 1.5 reads too; no extension is needed.
"""

import os
import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
from filelock import FileLock

from locomo_assets.history.database_tables import (
    add_attempts,
    create_tables,
    definitions_sha256,
    register_text_scores,
)
from locomo_assets.history.errors import (
    HistoryDamagedError,
    HistoryQueryError,
    HistoryUnreachableError,
)
from locomo_assets.history.provenance import ManifestName
from locomo_assets.history.schema import SCHEMA_VERSION
from locomo_assets.history.store import HistoryStore

STORAGE_VERSION = "v1.5.0"

_ATTEMPTS_AT_ONCE = 2000
DATABASE_NAME = "history.duckdb"
_CONFIG: dict[str, str | bool | int | float | list[str]] = {
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
}


@dataclass(frozen=True, slots=True)
class RefreshReport:
    """What a refresh did. `attempts` is how many the database now holds."""

    path: Path
    attempts: int
    attempts_added: int
    attempts_removed: int
    rows_added: int
    rebuilt: bool
    duration_s: float


def refresh(store: HistoryStore, database_path: Path) -> RefreshReport:
    """Bring the database up to the store's committed attempts.

    `HistoryDamagedError` names a manifest or data file that is missing, torn or changed, and
    `HistoryUnreachableError` a place that can't be read or written; the database then stays as
    it is.
    """
    return _publish(store, database_path, from_nothing=False)


def rebuild(store: HistoryStore, database_path: Path) -> RefreshReport:
    """Make the database from nothing; otherwise like `refresh`."""
    return _publish(store, database_path, from_nothing=True)


def publish(
    store: HistoryStore, database_path: Path, *, from_nothing: bool = False
) -> RefreshReport:
    """Refresh or rebuild the database; where the history is remote, put it beside the history too.

    Several machines may: each makes the same database of the same attempts, and the last one stays.
    """
    report = _publish(store, database_path, from_nothing=from_nothing)
    if not store.storage.url.startswith("file:"):
        store.storage.put(DATABASE_NAME, database_path.read_bytes())
    return report


def open_read_only(database_path: Path) -> duckdb.DuckDBPyConnection:
    """A connection to the database as it is now, able to read it and nothing else.

    It stays on this state of the database when a newer one is published. `HistoryUnreachableError`
    if there is no database or it can't be read.
    """
    if not database_path.exists():
        raise HistoryUnreachableError(
            f"database {database_path}: does not exist; make it with "
            "`locomo-assets history refresh`"
        )
    connection = _connect(database_path, read_only=True)
    connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")
    return connection


def query(database_path: Path, sql: str) -> tuple[list[str], list[tuple[Any, ...]]]:
    """Column names and rows of one reading statement; `HistoryQueryError` for anything else."""
    with open_read_only(database_path) as connection:
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


def _publish(store: HistoryStore, database_path: Path, *, from_nothing: bool) -> RefreshReport:
    started = time.monotonic()
    with _translate_errors(database_path), _exclusive(database_path):
        names = {name.attempt_id: name for name in store.manifest_names()}
        held = None if from_nothing else _held_attempts(database_path, store.history_id)
        added = [name for i, name in names.items() if held is None or i not in held]
        gone = sorted((held or set()) - names.keys())
        rows = 0
        if held is None or added or gone:
            temporary = database_path.with_name(f".{database_path.name}.tmp")
            _remove(temporary)
            try:
                if held is not None:
                    shutil.copyfile(database_path, temporary)
                rows = _build(store, temporary, added, gone, fresh=held is None)
                _sync(temporary)
                os.replace(temporary, database_path)
                _sync(database_path.parent)
            finally:
                _remove(temporary)
        return RefreshReport(
            path=database_path,
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
    added: Sequence[ManifestName],
    gone: Sequence[str],
    *,
    fresh: bool,
) -> int:
    rows = 0
    with _connect(path, read_only=False) as connection:
        connection.execute(f"SET temp_directory = '{_quoted(path)}.spill'")
        register_text_scores(connection)
        if fresh:
            create_tables(connection, store.history_id)
        for start in range(0, max(1, len(added)), _ATTEMPTS_AT_ONCE):
            # Each to its end, because what a transaction changes is kept in memory until then.
            connection.execute("BEGIN")
            rows += add_attempts(store, connection, added[start : start + _ATTEMPTS_AT_ONCE], gone)
            connection.execute("COMMIT")
            gone = ()
        connection.execute("CHECKPOINT")
    return rows


def _held_attempts(database_path: Path, history_id: str) -> set[str] | None:
    """The attempts in the database, or None where it is not worth keeping."""
    if not database_path.exists():
        return None
    try:
        with _connect(database_path, read_only=True) as connection:
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
            f"database {path} can't be opened ({_one_line(exc)}); make it anew with "
            "`locomo-assets history rebuild`"
        ) from exc
    return connection


@contextmanager
def _exclusive(database_path: Path) -> Iterator[None]:
    database_path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(database_path.with_name(f".{database_path.name}.lock")):
        yield


@contextmanager
def _translate_errors(database_path: Path) -> Iterator[None]:
    try:
        yield
    except duckdb.FatalException as exc:
        raise HistoryDamagedError(
            f"database {database_path}: {_one_line(exc)}; make it anew with "
            "`locomo-assets history rebuild`"
        ) from exc
    except (OSError, duckdb.Error) as exc:
        raise HistoryUnreachableError(
            f"database {database_path} can't be written: {_one_line(exc)}; the last good one stays"
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
