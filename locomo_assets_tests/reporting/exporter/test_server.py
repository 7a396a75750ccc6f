"""Clients that mean no scrape: slow, silent, many; the next scrape is answered all the same."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest
from prometheus_client.core import GaugeMetricFamily, Metric

from locomo_assets.reporting.exporter import server
from locomo_assets.reporting.exporter.metrics import Limits
from locomo_assets.reporting.exporter.server import HistoryCollector, serving

ALLOWED_S = 0.6
WITHIN_S = 10.0
"""Until when a test waits; the server looks twice a second."""


class Large(HistoryCollector):
    """More than the sockets of both ends hold."""

    def collect(self) -> Iterator[Metric]:
        family = GaugeMetricFamily("large", "x" * 1_000, labels=["of"])
        for number in range(20_000):
            family.add_metric([f"{number}" * 100], number)
        yield family


@pytest.fixture
def collector(tmp_path: Path) -> HistoryCollector:
    return HistoryCollector(tmp_path / "none.duckdb", Limits(85.0, 5.0, 60.0, 2.0))


@pytest.fixture(autouse=True)
def short_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "CONNECTION_S", ALLOWED_S)


def connected(port: int, stack: ExitStack) -> socket.socket:
    return stack.enter_context(socket.create_connection(("127.0.0.1", port), WITHIN_S))


def is_closed(connection: socket.socket) -> bool:
    """Whether the server has ended it; reads what has come."""
    connection.setblocking(False)
    try:
        while connection.recv(65_536):
            pass
    except BlockingIOError:
        return False
    except ConnectionError:
        return True
    return True


def wait_until(holds: Callable[[], bool]) -> None:
    until = time.monotonic() + WITHIN_S
    while not holds():
        assert time.monotonic() < until
        time.sleep(0.05)


def drip(connections: list[socket.socket]) -> bool:
    """Sends one more byte of a header to each; whether all are closed."""
    open_ones = [one for one in connections if not is_closed(one)]
    for one in open_ones:
        try:
            one.send(b"x")
        except OSError:
            continue
    return not open_ones


def scrape(port: int) -> int:
    return httpx.get(f"http://127.0.0.1:{port}/metrics").status_code


def test_clients_that_never_end_their_request_are_few_and_soon_gone(
    collector: HistoryCollector, capfd: pytest.CaptureFixture[str]
) -> None:
    with serving(collector, "127.0.0.1", 0) as port, ExitStack() as stack:
        before = threading.active_count()
        slow = []
        for number in range(5 * server.MAX_CONNECTIONS):
            slow.append(connected(port, stack))
            slow[-1].send((b"GET", b"GET /metrics HTTP/1.1\r\nX-Slow: ")[number % 2])
            assert threading.active_count() - before <= server.MAX_CONNECTIONS
        # Each byte is in time; a limit on each read would never end them.
        wait_until(lambda: drip(slow))
        wait_until(lambda: threading.active_count() == before)
        assert scrape(port) == 200
    assert capfd.readouterr().err == ""


def test_clients_that_say_nothing_are_soon_gone(collector: HistoryCollector) -> None:
    with serving(collector, "127.0.0.1", 0) as port, ExitStack() as stack:
        silent = [connected(port, stack) for _ in range(server.MAX_CONNECTIONS)]
        wait_until(lambda: all(map(is_closed, silent)))
        assert scrape(port) == 200


def test_clients_that_do_not_read_their_answer_are_soon_gone(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    collector = Large(tmp_path / "none.duckdb", Limits(85.0, 5.0, 60.0, 2.0))
    with serving(collector, "127.0.0.1", 0) as port, ExitStack() as stack:
        before = threading.active_count()
        reader = connected(port, stack)
        reader.send(b"GET /metrics HTTP/1.1\r\n\r\n")
        assert reader.recv(1) == b"H"  # the answer has begun
        wait_until(lambda: threading.active_count() == before)
        assert "Traceback" not in capfd.readouterr().err


def test_a_client_that_leaves_frees_its_place(collector: HistoryCollector) -> None:
    with serving(collector, "127.0.0.1", 0) as port:
        for _ in range(2 * server.MAX_CONNECTIONS):
            assert scrape(port) == 200
            socket.create_connection(("127.0.0.1", port)).close()


def test_other_families_of_addresses(collector: HistoryCollector) -> None:
    with socket.socket(socket.AF_INET6) as tried:
        try:
            tried.bind(("::1", 0))
        except OSError:
            pytest.skip("this machine has no IPv6")
    with serving(collector, "::1", 0) as port:
        assert httpx.get(f"http://[::1]:{port}/metrics").status_code == 200
