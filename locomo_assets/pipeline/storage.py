"""The local instance's storage: Dagster's own SQLite files, used with less processor time.

Dagster makes an engine for each look into a file, which compiles its statements anew. Here engines
are kept, and nothing else: each use has its own connection and transaction, as before.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, NullPool, create_engine, inspect

from locomo_assets.pipeline.unexported import (
    INDEX_SHARD_NAME,
    SQLITE_BUSY_TIMEOUT_SECONDS,
    DagsterSqliteStorage,
    DagsterStorage,
    SqliteEventLogStorage,
    SqliteRunStorage,
    SqliteScheduleStorage,
)


class LocalStorage(DagsterSqliteStorage):
    """Named in `local_dagster.yaml`. The files are those of Dagster's own, in the same folders."""

    def __init__(self, base_dir: str, inst_data: Any = None) -> None:
        self.base_dir = base_dir
        self._inst_data = inst_data
        history = Path(base_dir, "history")
        self._run_storage = _Runs.from_local(str(history))
        self._event_log_storage = _EventLogs(str(history / "runs"))
        self._schedule_storage = SqliteScheduleStorage.from_local(str(Path(base_dir, "schedules")))
        DagsterStorage.__init__(self)  # type: ignore[no-untyped-call, arg-type]  # Dagster 1.13's

    @classmethod
    def from_config_value(cls, inst_data: Any, config_value: Mapping[str, Any]) -> "LocalStorage":
        return cls.from_local(inst_data=inst_data, **config_value)


class _Runs(SqliteRunStorage):
    @contextmanager
    def connect(self) -> Iterator[Connection]:
        with _engine(self._conn_string).begin() as connection:
            yield connection


class _EventLogs(SqliteEventLogStorage):
    @contextmanager
    def _connect(self, shard: str) -> Iterator[Connection]:
        if shard not in self._initialized_dbs:
            with super()._connect(shard) as connection:  # makes its tables
                yield connection
            return
        with self._db_lock, self._kept(shard).begin() as connection:
            yield connection

    def has_table(self, table_name: str) -> bool:
        # Asked for while a connection to this shard is in use, too.
        return inspect(self._kept(INDEX_SHARD_NAME)).has_table(table_name)

    def _kept(self, shard: str) -> Engine:
        return _engine(self.conn_string_for_shard(shard), SQLITE_BUSY_TIMEOUT_SECONDS)


@lru_cache(maxsize=16)
def _engine(url: str, timeout_s: float | None = None) -> Engine:
    """Without a pool: it has no connection between two uses."""
    arguments = {} if timeout_s is None else {"timeout": timeout_s}
    return create_engine(url, poolclass=NullPool, connect_args=arguments)
