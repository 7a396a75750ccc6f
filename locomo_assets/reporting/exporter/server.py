"""The HTTP server of the exporter: scrapes get the metrics of the last read, kept in memory.

The database is read again only when it has changed, without a lock on the history. A history that
can't be read is a metric (`benchmark_history_up 0`) and one line in the log.
"""

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
from prometheus_client import CollectorRegistry, Metric, start_http_server
from prometheus_client.registry import Collector

from locomo_assets.errors import LocomoError
from locomo_assets.history import database
from locomo_assets.history.store import HistoryStore
from locomo_assets.reporting.exporter.metrics import Limits, families, read_numbers, up

READ_EVERY_S = 5.0
REFRESH_EVERY_S = 60.0
_log = logging.getLogger(__name__)
_Stamp = tuple[int, int, int]


class ListenError(LocomoError):
    """The exporter can't listen on the address."""


class HistoryCollector(Collector):
    """The metrics of a database, as of the last `update`."""

    def __init__(self, database_path: Path, limits: Limits) -> None:
        self._path = database_path
        self._limits = limits
        self._stamp: _Stamp | None = None
        self._metrics: tuple[Metric, ...] = (up(False),)
        self._problem: str | None = None

    def update(self) -> bool:
        """Reads the database if it has changed or could not be read last time; whether it did."""
        try:
            stamp = self._stamp_now()
            if stamp is not None and stamp == self._stamp:
                return False
            numbers = read_numbers(self._path, max_error_percent=self._limits.max_error_percent)
            self._metrics = (up(True), *families(numbers, self._limits))
            self._stamp, self._problem = stamp, None
        except (LocomoError, duckdb.Error, OSError) as error:
            self._metrics, self._stamp = (up(False),), None
            problem = " ".join(str(error).split())
            if problem != self._problem:
                _log.error("%s", problem)
            self._problem = problem
        return True

    def describe(self) -> list[Metric]:
        """Nothing: the names are known only once the database is read."""
        return []

    def collect(self) -> Iterator[Metric]:
        """The metrics for a scrape; reads nothing."""
        yield from self._metrics

    def _stamp_now(self) -> _Stamp | None:
        try:
            found = self._path.stat()
        except FileNotFoundError:
            return None
        return found.st_ino, found.st_mtime_ns, found.st_size


@contextmanager
def serving(collector: HistoryCollector, host: str, port: int) -> Iterator[int]:
    """Serves until the end of the block; yields the port (0 chooses a free one).

    Raises:
        ListenError: the port is in use, or the address is not one of this machine.
    """
    registry = CollectorRegistry()
    registry.register(collector)
    try:
        server, thread = start_http_server(port, host, registry)
    except (OSError, OverflowError) as error:
        cause = getattr(error, "strerror", None) or error
        raise ListenError(
            f"exporter at {host}:{port}: {cause}; choose another --port or --host"
        ) from error
    try:
        yield server.server_port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def refreshing(store: HistoryStore, database_path: Path) -> Callable[[], None]:
    """A function that refreshes the database from a history elsewhere.

    A refresh that fails is one line in the log; the last good database stays.
    """

    def refresh() -> None:
        try:
            database.refresh(store, database_path)
        except (LocomoError, OSError) as error:
            _log.error("%s", " ".join(str(error).split()))

    return refresh


def watch(
    collector: HistoryCollector, refresh: Callable[[], None] | None, stop: threading.Event
) -> None:
    """Updates the collector periodically, after a refresh if there is one, until `stop` is set."""
    while not stop.wait(READ_EVERY_S if refresh is None else REFRESH_EVERY_S):
        if refresh is not None:
            refresh()
        collector.update()
