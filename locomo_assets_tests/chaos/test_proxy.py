"""The proxy before a store: passes on, late, and swallows."""

import socket
import threading
import time
from collections.abc import Iterator

import pytest

from locomo_assets_tests.chaos.proxy import Proxy


@pytest.fixture
def echo_port() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def echo() -> None:
            connection, _ = listener.accept()
            with connection:
                while data := connection.recv(100):
                    connection.sendall(data)

        thread = threading.Thread(target=echo)
        thread.start()
        yield listener.getsockname()[1]
        thread.join(10)


def test_passes_on_late_and_then_swallows(echo_port: int) -> None:
    with (
        Proxy(echo_port, delay_s=0.1).serving() as proxy,
        socket.create_connection(("127.0.0.1", proxy.port), timeout=10) as client,
    ):
        begun = time.monotonic()
        client.sendall(b"one")
        assert client.recv(100) == b"one"
        assert time.monotonic() - begun >= 0.1
        proxy.swallow()
        client.settimeout(0.3)
        client.sendall(b"two")
        with pytest.raises(TimeoutError):
            client.recv(100)
        with socket.create_connection(("127.0.0.1", proxy.port), timeout=10):
            pass  # it still accepts
