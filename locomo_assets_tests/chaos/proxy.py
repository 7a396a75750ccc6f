"""A proxy before a server, which can be slow, or swallow all that is sent."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial

from locomo_assets.standin.server import LOOPBACK


class Proxy:
    """Passes bytes on. Swallowing, it accepts connections and gives no byte to either side."""

    def __init__(self, port: int, delay_s: float) -> None:
        self._upstream = port
        self._delay_s = delay_s
        self._passing = threading.Event()
        self._passing.set()
        self._lock = threading.Lock()
        self._sockets: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self._has_ended = False
        self.port = 0

    def swallow(self) -> None:
        """From now on, nothing is passed on."""
        self._passing.clear()

    @contextmanager
    def serving(self) -> Iterator["Proxy"]:
        """Serves in threads of its own while the block runs."""
        listener = socket.create_server((LOOPBACK, 0))
        self.port = listener.getsockname()[1]
        self._start(partial(self._accept, listener))
        try:
            yield self
        finally:
            with self._lock:
                self._has_ended = True
            _end(listener)
            self._passing.set()
            for one in self._sockets:
                _end(one)
            for thread in self._threads:
                thread.join()
            for one in (listener, *self._sockets):
                one.close()

    def _start(self, work: Callable[[], None]) -> None:
        thread = threading.Thread(target=work)
        self._threads.append(thread)
        thread.start()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return  # the listener has ended
            try:
                server = socket.create_connection((LOOPBACK, self._upstream))
            except OSError:
                client.close()
                continue
            with self._lock:
                self._sockets += [client, server]
                if self._has_ended:
                    return
                self._start(partial(self._pump, client, server))
                self._start(partial(self._pump, server, client))

    def _pump(self, source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                time.sleep(self._delay_s / 2)
                self._passing.wait()
                if self._has_ended:
                    break
                target.sendall(data)
        _end(source)
        _end(target)


def _end(one: socket.socket) -> None:
    """Wake up whoever reads from it or waits for connections."""
    with suppress(OSError):
        one.shutdown(socket.SHUT_RDWR)
