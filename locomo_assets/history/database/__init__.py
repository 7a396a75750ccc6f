"""`history.duckdb`: all committed attempts as tables and views for SQL, derived from Parquet.

A refresh copies the file, adds the missing attempts, recomputes what they affect and renames the
copy into place, so readers never wait. Processes on one machine take turns with a lock file. A
file that is missing, unreadable, of another history or of other definitions is rebuilt.
"""

import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb

from locomo_assets.file_urls import is_file_url
from locomo_assets.history import statements
from locomo_assets.history.database import file as database_file
from locomo_assets.history.database.file import one_line
from locomo_assets.history.database.tables import (
    Arrived,
    add_attempts,
    create_tables,
    definitions_sha256,
    read_attempts,
)
from locomo_assets.history.errors import (
    HistoryDamagedError,
    HistoryQueryError,
    HistoryUnreachableError,
)
from locomo_assets.history.schema import SCHEMA_VERSION
from locomo_assets.history.statements import Rows

if TYPE_CHECKING:  # a command that only asks writes nothing
    from locomo_assets.history.database.listing import Changes, Held
    from locomo_assets.history.provenance import Manifest, ManifestName
    from locomo_assets.history.store import HistoryStore

DATABASE_NAME = "history.duckdb"
REPORTS = "reports"
"""The folder of the releases' pages: derived, too."""

_ATTEMPTS_PER_TRANSACTION = 2000
_ROWS_PER_TRANSACTION = 1_000_000
_BUILD_MEMORY = "1GiB"

_shared: ContextVar[tuple[Path, duckdb.DuckDBPyConnection] | None] = ContextVar("shared")


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


def refresh(
    store: "HistoryStore", database_path: Path, *, recent_only: bool = False
) -> RefreshReport:
    """Bring the database up to date with the store's committed attempts.

    With `recent_only` it lists no more than was committed lately, except once a day. Then an
    attempt waits for that daily listing where an earlier version of this program or a clock that is
    wrong by a day has committed it, and so does the removal of one.

    `HistoryDamagedError` names a manifest or data file that is missing, torn or changed;
    `HistoryUnreachableError` names what can't be read or written. The database then stays as it
    is.
    """
    return _publish(store, database_path, from_scratch=False, recent_only=recent_only)


def rebuild(store: "HistoryStore", database_path: Path) -> RefreshReport:
    """Build the database from scratch; otherwise like `refresh`."""
    return _publish(store, database_path, from_scratch=True)


def publish(
    store: "HistoryStore",
    database_path: Path,
    *,
    from_scratch: bool = False,
    recent_only: bool = False,
) -> RefreshReport:
    """Refresh or rebuild the database; if the history is remote, also upload it there.

    Several machines may do so: each builds the same database from the same attempts.
    """
    report = _publish(store, database_path, from_scratch=from_scratch, recent_only=recent_only)
    if not is_file_url(store.storage.url):
        store.storage.put_file(DATABASE_NAME, database_path)
    return report


def prepare(database_path: Path) -> None:
    """Where there is no database, makes the tables that the first refresh begins with."""
    if not database_path.exists():
        with (
            _translate_errors(database_path),
            database_file.exclusive(database_path),
            database_file.temporary_beside(database_path) as temporary,
        ):
            _create_empty(temporary, alike=True)


def open_read_only(database_path: Path) -> duckdb.DuckDBPyConnection:
    """A connection that reads the database and can do nothing else.

    It keeps showing this state when a newer one is published. `HistoryUnreachableError` if there
    is no database, it can't be read, or a version with other tables and views made it.
    """
    shared = _shared.get(None)
    if shared is not None and shared[0] == database_path:
        connection = shared[1].cursor()
        connection.execute("USE history")
        return connection
    if not database_path.exists():
        raise HistoryUnreachableError(
            f"database {database_path}: does not exist; create it with "
            "`locomo-assets history refresh`"
        )
    connection = database_file.connect_to_read(database_path)
    if not _is_ours(connection):
        connection.close()
        raise HistoryUnreachableError(
            f"database {database_path}: was made by another version of this program; bring it up "
            "to date with `locomo-assets history refresh`"
        )
    connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")
    return connection


@contextmanager
def one_state(database_path: Path) -> Iterator[None]:
    """Within it all reads show the database as it is at its beginning; raises as they do.

    They share its opening, which takes 25 ms of processor time: a report reads 40 times.
    """
    with open_read_only(database_path) as connection:
        before = _shared.set((database_path, connection))
        try:
            yield
        finally:
            _shared.reset(before)


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
        if not found:
            raise HistoryQueryError(
                "SQL: there is no statement; `locomo-assets sql` without one lists the tables"
            )
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


def _publish(
    store: "HistoryStore", database_path: Path, *, from_scratch: bool, recent_only: bool = False
) -> RefreshReport:
    from locomo_assets.history.database.listing import Listing

    started = time.monotonic()
    with _translate_errors(database_path), database_file.exclusive(database_path):
        held = None if from_scratch else _held_in(database_path, store.history_id)
        spare = None
        if held is not None and database_file.has_spare(database_path):
            spare = _held_in(database_file.spare_of(database_path), store.history_id)
        known = [held] if spare is None else [held, spare]
        listing = Listing(store, *known, recent_only=recent_only)
        changes = listing.changes(held)
        rows = 0
        if held is None or changes:
            with (
                database_file.old_file(database_path) as old,
                database_file.temporary_beside(database_path) as temporary,
            ):
                if held is not None and old.descriptor is not None and not old.is_locked:
                    basis = listing.changes_of_older(spare, held)
                    if basis is None or not database_file.take_spare(database_path, temporary):
                        database_file.copy(old.descriptor, temporary)
                        basis = changes
                else:
                    held = None
                    basis = changes = Listing(store).changes(None)
                    _create_empty(temporary, alike=old.descriptor is None)
                rows = _build(store, temporary, basis, fresh=held is None)
                database_file.replace(database_path, temporary, old)
        return RefreshReport(
            path=database_path,
            attempts=changes.attempts,
            attempts_added=len(changes.added),
            attempts_removed=len(changes.removed),
            rows_added=rows,
            rebuilt=held is None,
            duration_s=time.monotonic() - started,
        )


def _build(
    store: "HistoryStore",
    path: Path,
    changes: "Changes",
    *,
    fresh: bool,
) -> int:
    from locomo_assets.history.database.functions import register_functions

    rows, removed = 0, changes.removed
    with database_file.connect(path, read_only=False) as connection:
        connection.execute(f"SET temp_directory = '{database_file.quoted(path)}.spill'")
        register_functions(connection)
        if fresh:
            connection.execute("UPDATE lens_meta SET history_id = $1", [store.history_id])
        connection.execute("DELETE FROM last_listing")
        connection.execute("INSERT INTO last_listing VALUES ($1)", [changes.listed_at])
        for arrived in _arriving(store, changes.added):
            is_small = not removed and "questions" not in arrived.rows
            _limit_memory(connection, is_small=is_small)
            connection.execute("BEGIN")
            rows += add_attempts(connection, arrived, removed)
            connection.execute("COMMIT")
            # DuckDB keeps changes in memory until they are written to the file.
            connection.execute("CHECKPOINT")
            removed = ()
    return rows


def _limit_memory(connection: duckdb.DuckDBPyConnection, *, is_small: bool) -> None:
    """So many rows need no more; by itself DuckDB takes most of the machine.

    Questions that come late, and removals, may have the whole history computed anew: then, and
    where DuckDB's own limit is less than a GiB, that one holds.
    """
    connection.execute("RESET memory_limit")
    own = connection.execute("SELECT current_setting('memory_limit')").fetchone()
    if is_small and own is not None and str(own[0]).endswith(("GiB", "TiB")):
        connection.execute(f"SET memory_limit = '{_BUILD_MEMORY}'")


def _arriving(store: "HistoryStore", added: "Sequence[ManifestName]") -> Iterator[Arrived]:
    """Attempts in batches, at least one: each is read while the one before is worked on."""
    with ThreadPoolExecutor(max_workers=1) as pool:
        coming: Future[Arrived] | None = None
        for manifests in _batches(store, added):
            following = pool.submit(read_attempts, store, manifests)
            if coming is not None:
                yield coming.result()
            coming = following
        yield coming.result() if coming is not None else read_attempts(store, [])


def _batches(store: "HistoryStore", added: "Sequence[ManifestName]") -> "Iterator[list[Manifest]]":
    """Manifests of so many attempts, or of so many rows: what is held in memory at once."""
    batch: list[Manifest] = []
    rows = 0
    for start in range(0, len(added), _ATTEMPTS_PER_TRANSACTION):
        for manifest in store.read_manifests(added[start : start + _ATTEMPTS_PER_TRANSACTION]):
            batch.append(manifest)
            rows += sum(data_file.rows for data_file in manifest.data_files)
            if rows >= _ROWS_PER_TRANSACTION or len(batch) == _ATTEMPTS_PER_TRANSACTION:
                yield batch
                batch, rows = [], 0
    if batch:
        yield batch


def _create_empty(path: Path, *, alike: bool) -> None:
    """All tables and views without rows: their 2,000 statements run once a process.

    Not `alike`: DuckDB tells it from all others made here, and so refuses a log of theirs.
    """
    from locomo_assets.history.database.functions import register_functions

    definitions = definitions_sha256()
    if definitions not in _empty or not alike:
        with database_file.connect(path, read_only=False) as connection:
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


def _held_in(database_path: Path, history_id: str) -> "Held | None":
    """What the database holds, or None if it must be rebuilt."""
    from locomo_assets.history.database.listing import Held

    if not database_path.exists():
        return None
    try:
        with database_file.connect_without_logs(database_path) as connection:
            meta = connection.execute("FROM lens_meta").fetchall()
            if meta != [(SCHEMA_VERSION, history_id, definitions_sha256())]:
                return None
            found = connection.execute("SELECT attempt_id FROM attempts").fetchall()
            listed = connection.execute("SELECT epoch_us(listed_at) FROM last_listing").fetchall()
    except (duckdb.Error, HistoryUnreachableError):
        return None
    times = [datetime.fromtimestamp(0, UTC) + timedelta(microseconds=us) for (us,) in listed if us]
    return Held(frozenset(i for (i,) in found), times[0] if times else None)


@contextmanager
def _translate_errors(database_path: Path) -> Iterator[None]:
    try:
        yield
    except duckdb.FatalException as exc:
        raise HistoryDamagedError(
            f"database {database_path}: {one_line(exc)}; rebuild it with "
            "`locomo-assets history rebuild`"
        ) from exc
    except (OSError, duckdb.Error) as exc:
        if database_file.is_disk_full(exc):
            raise HistoryUnreachableError(
                f"database {database_path} can't be written: the disk is full; the old one is "
                "kept; make room and refresh again"
            ) from exc
        raise HistoryUnreachableError(
            f"database {database_path} can't be written: {one_line(exc)}; the old one is kept; "
            "fix that and refresh again"
        ) from exc
