"""Servers as a deployer meets them: behind a proxy of some TLS version, slow, of another time."""

import http.server
import ipaddress
import json
import socket
import socketserver
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from select import select
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


def make_certificate(folder: Path) -> Path:
    """A PEM file with a key and a certificate for 127.0.0.1, which is its own authority."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test")])
    now = datetime.now(UTC)
    own = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    authority = x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(own)
    address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([address]), critical=False)
        .add_extension(own, critical=False)
        .add_extension(authority, critical=False)
        .sign(key, hashes.SHA256())
    )
    path = folder / "certificate.pem"
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    return path


class _Proxy(socketserver.ThreadingTCPServer):
    """Ends TLS of just one version and hands on to a plain server."""

    daemon_threads = True

    def __init__(self, target: tuple[str, int], context: ssl.SSLContext) -> None:
        super().__init__(("127.0.0.1", 0), _HandingOn)
        self.target = target
        self.context = context


class _HandingOn(socketserver.BaseRequestHandler):
    server: _Proxy

    def handle(self) -> None:
        with suppress(OSError):  # a refused handshake among them
            secure = self.server.context.wrap_socket(self.request, server_side=True)
            with secure, socket.create_connection(self.server.target) as plain:
                while True:
                    ready = [secure] if secure.pending() else select([secure, plain], [], [])[0]
                    for one in ready:
                        data = one.recv(65536)
                        if not data:
                            return
                        (plain if one is secure else secure).sendall(data)


@contextmanager
def tls_proxy(to_url: str, certificate: Path, version: ssl.TLSVersion) -> Iterator[str]:
    """The URL of a proxy that speaks just one TLS version."""
    target = urlsplit(to_url)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    context.minimum_version = context.maximum_version = version
    with _Proxy((target.hostname or "", target.port or 0), context) as server, served(server):
        yield f"https://127.0.0.1:{server.server_address[1]}{target.path}"


@contextmanager
def served(server: socketserver.BaseServer) -> Iterator[None]:
    """The server at work in a thread of its own."""
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()


class _Backboard(http.server.BaseHTTPRequestHandler):
    """A memory service without assistants, of another time, that takes its time."""

    protocol_version = "HTTP/1.1"
    ahead = timedelta(0)
    takes_s = 0.0

    def do_GET(self) -> None:
        time.sleep(self.takes_s)
        body = json.dumps([]).encode()
        self.send_response_only(200)
        self.send_header("Date", format_datetime(datetime.now(UTC) + self.ahead, usegmt=True))
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Quiet."""


@contextmanager
def odd_backboard(*, ahead: timedelta = timedelta(0), takes_s: float = 0.0) -> Iterator[str]:
    """Its base URL."""
    handler = type("Handler", (_Backboard,), {"ahead": ahead, "takes_s": takes_s})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server, served(server):
        yield f"http://127.0.0.1:{server.server_port}/api"
