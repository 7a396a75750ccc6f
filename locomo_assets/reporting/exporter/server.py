"""The HTTP server of the exporter: scrapes get the metrics of the last read, kept in memory.

The database is read again only when it has changed, without a lock on the history. A history that
can't be read is a metric (`benchmark_history_up 0`) and one line in the log.
"""

import logging
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

import duckdb
from prometheus_client import CollectorRegistry, Metric, make_wsgi_app
from prometheus_client.registry import Collector

from locomo_assets.errors import LocomoError
from locomo_assets.history import database
from locomo_assets.history.store import HistoryStore
from locomo_assets.reporting.exporter.metrics import Limits, families, read_numbers, up

READ_EVERY_S = 5.0
REFRESH_EVERY_S = 60.0

MAX_CONNECTIONS = 16
"""How many are served at once; a further one is closed."""

CONNECTION_S = 10.0
"""How long a connection may take from its first byte to its last, as long as Prometheus waits."""

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


class _Handler(WSGIRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        """Nothing: a line a scrape would hide the others."""


class _Server(ThreadingMixIn, WSGIServer):
    """A thread a connection, of which there are only so many, each for a limited time.

    A time limit on each read would let a client go on for ever, byte by byte.
    """

    daemon_threads = True
    request_queue_size = 4 * MAX_CONNECTIONS

    def __init__(self, host: str, port: int) -> None:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        self.address_family = found[0][0]
        super().__init__((host, port), _Handler)
        self._deadlines: dict[Any, float] = {}
        self._lock = threading.Lock()

    def verify_request(self, request: Any, client_address: Any) -> bool:
        """Whether there is room for another connection."""
        return len(self._deadlines) < MAX_CONNECTIONS

    def process_request(self, request: Any, client_address: Any) -> None:
        """Starts the thread of a connection."""
        self._deadlines[request] = time.monotonic() + CONNECTION_S
        super().process_request(request, client_address)

    def service_actions(self) -> None:
        """Ends what is overdue; called twice a second."""
        with self._lock:
            for request, deadline in list(self._deadlines.items()):
                if deadline < time.monotonic():
                    with suppress(OSError):  # the client was faster
                        request.shutdown(socket.SHUT_RDWR)

    def shutdown_request(self, request: Any) -> None:
        """Closes a connection; `service_actions` never sees a closed one."""
        with self._lock:
            self._deadlines.pop(request, None)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A connection that broke off is no error of ours."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


@contextmanager
def serving(collector: HistoryCollector, host: str, port: int) -> Iterator[int]:
    """Serves until the end of the block; yields the port (0 chooses a free one).

    Raises:
        ListenError: the port is in use, or the address is not one of this machine.
    """
    registry = CollectorRegistry()
    registry.register(collector)
    try:
        server = _Server(host, port)
    except (OSError, OverflowError) as error:
        cause = getattr(error, "strerror", None) or error
        raise ListenError(
            f"exporter at {host}:{port}: {cause}; choose another --port or --host"
        ) from error
    server.set_app(make_wsgi_app(registry))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
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
            database.refresh(store, database_path, recent_only=True)
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
