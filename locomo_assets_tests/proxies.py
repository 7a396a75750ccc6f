"""An HTTP and a SOCKS proxy on loopback, which alone know where hosts of the domain `test` are."""

import base64
import socket
import socketserver
import struct
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from select import select
from urllib.parse import urlsplit

from locomo_assets_tests.doctor.serving import served

USER, PASSWORD = "somebody", "p%40ss-w0rd-planted"
_GIVEN = (USER, "p@ss-w0rd-planted")


class Proxy(socketserver.ThreadingTCPServer):
    """Remembers the hosts that it led to. Every host is this machine."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, handler: type[socketserver.BaseRequestHandler]) -> None:
        super().__init__(("127.0.0.1", 0), handler)
        self.hosts: list[str] = []

    def connect(self, host: str, port: int) -> socket.socket:
        self.hosts.append(host)
        return socket.create_connection(("127.0.0.1", port))

    def url(self, scheme: str) -> str:
        return f"{scheme}://{USER}:{PASSWORD}@127.0.0.1:{self.server_address[1]}"


class _Http(socketserver.StreamRequestHandler):
    """CONNECT, and requests with a whole URL; a connection serves one host."""

    server: Proxy

    def handle(self) -> None:
        method, target, version = self.rfile.readline().decode().split()
        headers = []
        while (line := self.rfile.readline()) not in (b"\r\n", b""):
            headers.append(line)
        if any(one.lower().startswith(b"expect:") for one in headers):
            self.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        wanted = b"Basic " + base64.b64encode(":".join(_GIVEN).encode())
        given = [one.partition(b":")[2].strip() for one in headers if _is_key(one)]
        if given != [wanted]:
            self.wfile.write(b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n")
            return
        url = urlsplit(f"//{target}" if method == "CONNECT" else target)
        with self.server.connect(url.hostname or "", url.port or 80) as there:
            if method == "CONNECT":
                self.wfile.write(b"HTTP/1.1 200 OK\r\n\r\n")
            else:
                path = f"{url.path or '/'}{f'?{url.query}' if url.query else ''}"
                kept = [one for one in headers if not _is_key(one) and not _keeps(one)]
                head = f"{method} {path} {version}\r\nConnection: close\r\n".encode()
                there.sendall(head + b"".join(kept) + b"\r\n" + self._begun_body(headers))
            _pass_on(self.connection, there)

    def _begun_body(self, headers: list[bytes]) -> bytes:
        lengths = [one for one in headers if one.lower().startswith(b"content-length:")]
        return self.rfile.read(int(lengths[0].partition(b":")[2])) if lengths else b""


def _is_key(header: bytes) -> bool:
    return header.lower().startswith(b"proxy-authorization:")


def _keeps(header: bytes) -> bool:
    return header.lower().startswith((b"connection:", b"proxy-connection:", b"expect:"))


class _Socks(socketserver.StreamRequestHandler):
    """SOCKS 5 with user and password (RFC 1928, 1929)."""

    server: Proxy

    def handle(self) -> None:
        _, count = self.rfile.read(2)
        if 2 not in self.rfile.read(count):
            self.wfile.write(b"\x05\xff")
            return
        self.wfile.write(b"\x05\x02")
        self.rfile.read(1)
        given = tuple(self.rfile.read(self.rfile.read(1)[0]).decode() for _ in range(2))
        self.wfile.write(b"\x01" + (b"\x00" if given == _GIVEN else b"\x01"))
        if given != _GIVEN:
            return
        kind = self.rfile.read(4)[3]
        if kind == 3:
            host = self.rfile.read(self.rfile.read(1)[0]).decode()
        else:
            host = socket.inet_ntop(*((socket.AF_INET, self.rfile.read(4)) if kind == 1 else
                                      (socket.AF_INET6, self.rfile.read(16))))  # fmt: skip
        [port] = struct.unpack(">H", self.rfile.read(2))
        with self.server.connect(host, port) as there:
            self.wfile.write(b"\x05\x00\x00\x01" + bytes(6))
            _pass_on(self.connection, there)


def _pass_on(here: socket.socket, there: socket.socket) -> None:
    with suppress(OSError):
        while True:
            for one in select([here, there], [], [])[0]:
                data = one.recv(65536)
                if not data:
                    return
                (there if one is here else here).sendall(data)


@contextmanager
def http_proxy() -> Iterator[Proxy]:
    """An HTTP proxy that wants a user and a password."""
    with Proxy(_Http) as server, served(server):
        yield server


@contextmanager
def socks_proxy() -> Iterator[Proxy]:
    """A SOCKS proxy that wants them."""
    with Proxy(_Socks) as server, served(server):
        yield server
