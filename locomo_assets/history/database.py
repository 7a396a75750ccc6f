"""`history.duckdb`: all committed attempts as tables and views for SQL, derived from Parquet.

A refresh copies the file, adds the missing attempts, recomputes what they affect and renames the
copy into place, so readers never wait. Processes on one machine take turns with a lock file. A
file that is missing, unreadable, of another history or of other definitions is rebuilt.
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

from locomo_assets.history import statements
from locomo_assets.history.database_tables import (
    add_attempts,
    create_tables,
    definitions_sha256,
)
from locomo_assets.history.errors import (
    HistoryDamagedError,
    HistoryQueryError,
    HistoryUnreachableError,
)
from locomo_assets.history.provenance import ManifestName
from locomo_assets.history.schema import SCHEMA_VERSION
from locomo_assets.history.sql_functions import register_functions
from locomo_assets.history.statements import Rows
from locomo_assets.history.store import HistoryStore

DATABASE_NAME = "history.duckdb"
REPORTS = "reports"
"""The folder of the releases' pages: derived, too."""
STORAGE_VERSION = "v1.5.0"  # DuckDB 1.5 and later read it

_ATTEMPTS_PER_TRANSACTION = 2000
_CONFIG: dict[str, str | bool | int | float | list[str]] = {
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
}


@dataclass(frozen=True, slots=True)
class RefreshReport:
    """What a refresh did. `attempts` is how many the database holds now."""

    path: Path
    attempts: int
    attempts_added: int
    attempts_removed: int
    rows_added: int
    rebuilt: bool
    duration_s: float


def refresh(store: HistoryStore, database_path: Path) -> RefreshReport:
    """Bring the database up to date with the store's committed attempts.

    `HistoryDamagedError` names a manifest or data file that is missing, torn or changed;
    `HistoryUnreachableError` names what can't be read or written. The database then stays as it
    is.
    """
    return _publish(store, database_path, from_scratch=False)


def rebuild(store: HistoryStore, database_path: Path) -> RefreshReport:
    """Build the database from scratch; otherwise like `refresh`."""
    return _publish(store, database_path, from_scratch=True)


def publish(
    store: HistoryStore, database_path: Path, *, from_scratch: bool = False
) -> RefreshReport:
    """Refresh or rebuild the database; if the history is remote, also upload it there.

    Several machines may do so: each builds the same database from the same attempts.
    """
    report = _publish(store, database_path, from_scratch=from_scratch)
    if not store.storage.url.startswith("file:"):
        store.storage.put(DATABASE_NAME, database_path.read_bytes())
    return report


def open_read_only(database_path: Path) -> duckdb.DuckDBPyConnection:
    """A connection that reads the database and can do nothing else.

    It keeps showing this state when a newer one is published. `HistoryUnreachableError` if there
    is no database, it can't be read, or a version with other tables and views made it.
    """
    if not database_path.exists():
        raise HistoryUnreachableError(
            f"database {database_path}: does not exist; create it with "
            "`locomo-assets history refresh`"
        )
    connection = _connect(database_path, read_only=True)
    if not _is_ours(connection):
        connection.close()
        raise HistoryUnreachableError(
            f"database {database_path}: was made by another version of this program; bring it up "
            "to date with `locomo-assets history refresh`"
        )
    connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")
    return connection


def _is_ours(connection: duckdb.DuckDBPyConnection) -> bool:
    try:
        made_by = connection.execute("SELECT definitions_sha256 FROM lens_meta").fetchone()
    except duckdb.Error:
        return False
    return made_by == (definitions_sha256(),)


def query(database_path: Path, sql: str) -> tuple[list[str], list[tuple[Any, ...]]]:
    """Column names and rows of one read-only statement; `HistoryQueryError` for anything else."""
    with open_read_only(database_path) as connection:
        found = statements.split(connection, sql)
        if len(found) != 1:
            raise HistoryQueryError(
                f"SQL: one statement at a time, not {len(found)}; `locomo-assets sql --file -` "
                "reads several"
            )
        result = statements.run(connection, found[0])
        return result.columns, result.rows


def query_all(database_path: Path, text: str, source: str) -> Iterator[Rows]:
    """The rows of each read-only statement of a text; `source` is its name in errors."""
    with open_read_only(database_path) as connection:
        for statement in statements.split(connection, text, source):
            yield statements.run(connection, statement)


def _publish(store: HistoryStore, database_path: Path, *, from_scratch: bool) -> RefreshReport:
    started = time.monotonic()
    with _translate_errors(database_path), _exclusive(database_path):
        names = {name.attempt_id: name for name in store.manifest_names()}
        present = None if from_scratch else _attempts_in(database_path, store.history_id)
        added = [name for i, name in names.items() if present is None or i not in present]
        removed = sorted((present or set()) - names.keys())
        rows = 0
        if present is None or added or removed:
            temporary = database_path.with_name(f".{database_path.name}.tmp")
            _remove(temporary)
            try:
                if present is not None:
                    shutil.copyfile(database_path, temporary)
                rows = _build(store, temporary, added, removed, fresh=present is None)
                _sync(temporary)
                os.replace(temporary, database_path)
                _sync(database_path.parent)
            finally:
                _remove(temporary)
        return RefreshReport(
            path=database_path,
            attempts=len(names),
            attempts_added=len(added),
            attempts_removed=len(removed),
            rows_added=rows,
            rebuilt=present is None,
            duration_s=time.monotonic() - started,
        )


def _build(
    store: HistoryStore,
    path: Path,
    added: Sequence[ManifestName],
    removed: Sequence[str],
    *,
    fresh: bool,
) -> int:
    rows = 0
    if fresh:
        _create_empty(path)
    with _connect(path, read_only=False) as connection:
        connection.execute(f"SET temp_directory = '{_quoted(path)}.spill'")
        register_functions(connection)
        if fresh:
            connection.execute("UPDATE lens_meta SET history_id = $1", [store.history_id])
        for start in range(0, max(1, len(added)), _ATTEMPTS_PER_TRANSACTION):
            # DuckDB keeps a transaction's changes in memory until it commits.
            batch = added[start : start + _ATTEMPTS_PER_TRANSACTION]
            connection.execute("BEGIN")
            rows += add_attempts(store, connection, batch, removed)
            connection.execute("COMMIT")
            removed = ()
        connection.execute("CHECKPOINT")
    return rows


def _create_empty(path: Path) -> None:
    """All tables and views without rows: their 2,000 statements run once a process."""
    definitions = definitions_sha256()
    if definitions not in _empty:
        with _connect(path, read_only=False) as connection:
            register_functions(connection)
            # One transaction: hundreds of statements would each be written to disk.
            connection.execute("BEGIN")
            create_tables(connection)
            connection.execute("COMMIT")
            connection.execute("CHECKPOINT")
        _empty[definitions] = path.read_bytes()
    else:
        path.write_bytes(_empty[definitions])


_empty: dict[str, bytes] = {}
"""Databases without rows, by their definitions: 0.8 MB."""


def _attempts_in(database_path: Path, history_id: str) -> set[str] | None:
    """The attempts in the database, or None if it must be rebuilt."""
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

    Connecting to the path itself would share this process's open connections, and so show the
    file that was replaced.
    """
    options = "READ_ONLY" if read_only else f"STORAGE_VERSION '{STORAGE_VERSION}'"
    connection = duckdb.connect(":memory:", config=_CONFIG)
    try:
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute(f"ATTACH '{_quoted(path)}' AS history ({options})")
        connection.execute("USE history")
    except duckdb.Error as exc:
        connection.close()
        raise HistoryUnreachableError(
            f"database {path} can't be opened ({_one_line(exc)}); rebuild it with "
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
            f"database {database_path}: {_one_line(exc)}; rebuild it with "
            "`locomo-assets history rebuild`"
        ) from exc
    except (OSError, duckdb.Error) as exc:
        raise HistoryUnreachableError(
            f"database {database_path} can't be written: {_one_line(exc)}; the old one is kept; "
            "fix that and refresh again"
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
