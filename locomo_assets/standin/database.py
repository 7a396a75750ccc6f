"""The SQLite file of the stand-in's state: opening, versions and transactions.

What is stored belongs to `state` and `batch_state`.
"""

import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from filelock import FileLock

from locomo_assets.errors import LocomoError

BUSY_TIMEOUT_S = 30.0

# Each version's statements, in order; a file of an earlier version gets those it lacks.
_SCHEMAS = ("schema.sql", "batches.sql", "memories.sql", "facts.sql", "pro.sql")
_SCHEMA_VERSION = len(_SCHEMAS)


class StandinStateError(LocomoError):
    """The stand-in's state file can't be used."""


class StateDatabase:
    """One SQLite file; safe to share between processes and threads.

    Opening and every method raise `StandinStateError` if the file can't be used: not a state, of
    another version, damaged, locked, or on a full disk.
    """

    def __init__(self, path: Path) -> None:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._db = sqlite3.connect(
                path, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False
            )
        except (OSError, sqlite3.Error) as error:
            raise StandinStateError(
                f"{path}: the stand-in's state can't be opened ({error}); give another path"
            ) from error
        # All threads share one connection; without the lock they would share a transaction.
        self._lock = threading.RLock()
        self._path = path
        try:
            # SQLite does not wait for other processes when it changes the journal mode.
            with FileLock(f"{path}.lock", timeout=BUSY_TIMEOUT_S), self._translate_errors():
                self._db.execute("PRAGMA journal_mode = WAL")
                version = self._prepare()
                # A power cut may lose the last messages but not the file; a kill loses nothing.
                self._db.execute("PRAGMA synchronous = NORMAL")
                self._db.execute("PRAGMA foreign_keys = ON")
        except OSError as error:
            self._db.close()
            raise StandinStateError(
                f"{path}.lock: the stand-in's state can't be locked ({error}); give another path"
            ) from error
        except StandinStateError:
            self._db.close()
            raise
        if version != _SCHEMA_VERSION:
            self._db.close()
            raise StandinStateError(
                f"{path}: the stand-in's state has version {version}, this program reads "
                f"{_SCHEMA_VERSION}; delete the file or give another path"
            )

    def close(self) -> None:
        """Close the file; the state can't be used afterwards."""
        with self._lock:
            self._db.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _prepare(self) -> int:
        with self.writing() as db:
            version: int = db.execute("PRAGMA user_version").fetchone()[0]
            for name in _SCHEMAS[version:]:
                schema = files(__package__).joinpath(name).read_text(encoding="utf-8")
                for statement in schema.split(";"):
                    db.execute(statement)
                version += 1
                db.execute(f"PRAGMA user_version = {version}")
        return version

    def read(self, sql: str, arguments: Sequence[Any]) -> list[Any]:
        """The rows of one SELECT."""
        with self._lock, self._translate_errors():
            return self._db.execute(sql, arguments).fetchall()

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """A transaction, rolled back if the block fails."""
        with self._lock, self._translate_errors():
            # A transaction that starts with a read can't wait for another process's write.
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
                self._db.execute("COMMIT")
            except BaseException:
                # SQLite may have rolled back already, for example on a full disk.
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise

    @contextmanager
    def _translate_errors(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.IntegrityError:
            raise
        except sqlite3.Error as error:
            raise StandinStateError(
                f"{self._path}: the stand-in's state can't be used ({error}); "
                "make room, delete it, or give another path"
            ) from error
