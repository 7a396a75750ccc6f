"""Kept connections behave as httpx's own transport does at a server that misbehaves."""

import asyncio
import ssl
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from locomo_assets.http.connections import ConnectionPool, KeptConnection
from locomo_assets_tests.doctor.serving import make_certificate

KEEP_S = 4.0
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-Said: Yes\r\n\r\nok"
LONG = 3_000_000


def ours(trust: ssl.SSLContext) -> httpx.AsyncBaseTransport:
    return KeptConnection(trust, KEEP_S)


def httpx_own(trust: ssl.SSLContext) -> httpx.AsyncBaseTransport:
    return httpx.AsyncHTTPTransport(
        verify=trust, trust_env=False, limits=httpx.Limits(keepalive_expiry=KEEP_S)
    )


Make = Callable[[ssl.SSLContext], httpx.AsyncBaseTransport]
both = pytest.mark.parametrize("make", [ours, httpx_own])


class Server:
    """Answers each request with the next of its sayings; one that ends in None closes after it."""

    def __init__(self, *sayings: Sequence[bytes | None]) -> None:
        self.sayings = list(sayings)
        self.root = ""
        self.connections = 0
        self.bodies: list[bytes] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                size = next(
                    (int(line[15:]) for line in head.lower().split(b"\r\n") if b"th: " in line), 0
                )
                self.bodies.append(await reader.readexactly(size))
                for piece in self.sayings.pop(0) if self.sayings else [OK]:
                    if piece is None:
                        return
                    writer.write(piece)
                    await writer.drain()
                    await asyncio.sleep(0.01)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def served(
    *sayings: Sequence[bytes | None], encrypted: ssl.SSLContext | None = None
) -> AsyncIterator[Server]:
    server = Server(*sayings)
    running = await asyncio.start_server(server.serve, "127.0.0.1", 0, ssl=encrypted)
    scheme = "http" if encrypted is None else "https"
    server.root = f"{scheme}://127.0.0.1:{running.sockets[0].getsockname()[1]}"
    yield server
    running.close()
    # What is left of a connection ends with the next turns of the loop.
    await asyncio.sleep(0.05)


@asynccontextmanager
async def opened(
    make: Make, trust: ssl.SSLContext | None = None
) -> AsyncIterator[httpx.AsyncBaseTransport]:
    transport = make(trust or ssl.create_default_context())
    yield transport
    await transport.aclose()


async def send(
    transport: httpx.AsyncBaseTransport, url: str, content: bytes = b"", seconds: float = 5.0
) -> httpx.Response:
    phases = httpx.Timeout(seconds).as_dict()
    request = httpx.Request("POST", url, content=content, extensions={"timeout": phases})
    response = await transport.handle_async_request(request)
    try:
        await response.aread()
    finally:
        await response.aclose()
    return response


@both
async def test_an_answer_is_read_and_its_connection_kept(make: Make) -> None:
    async with served() as server, opened(make) as transport:
        for content in (b"one", b"two"):
            response = await send(transport, server.root, content)
            assert (response.status_code, response.content) == (200, b"ok")
            assert response.headers["x-said"] == "Yes"
            assert (response.http_version, response.reason_phrase) == ("HTTP/1.1", "OK")
        assert (server.bodies, server.connections) == ([b"one", b"two"], 1)


@both
async def test_long_bodies_go_both_ways(make: Make) -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % LONG
    async with served([head, b"b" * LONG]) as server, opened(make) as transport:
        response = await send(transport, server.root, b"a" * LONG)
        assert response.content == b"b" * LONG
        assert server.bodies == [b"a" * LONG]


FRAMED = {
    "chunks": [
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"1\r\no\r\n",
        b"1\r\nk\r\n0\r\n\r\n",
    ],
    "the connection's end": [b"HTTP/1.1 200 OK\r\n\r\no", b"k", None],
    "a word before": [b"HTTP/1.1 103 Early Hints\r\n\r\n", OK],
    "pieces of a head": [OK[:9], OK[9:30], OK[30:]],
}


@both
@pytest.mark.parametrize("pieces", FRAMED.values(), ids=FRAMED)
async def test_an_answer_in_any_frame(make: Make, pieces: Sequence[bytes | None]) -> None:
    async with served(pieces) as server, opened(make) as transport:
        assert (await send(transport, server.root)).content == b"ok"
        assert (await send(transport, server.root)).content == b"ok"


LOST: dict[str, tuple[Sequence[bytes | None], type[Exception]]] = {
    "no answer": ([None], httpx.RemoteProtocolError),
    "half a head": ([OK[:20], None], httpx.RemoteProtocolError),
    "half a body": ([OK[:-1], None], httpx.RemoteProtocolError),
    "no HTTP": ([b"SSH-2.0-OpenSSH\r\n\r\n", None], httpx.RemoteProtocolError),
    "an endless head": ([b"HTTP/1.1 200 OK\r\nX: " + b"x" * 200_000], httpx.RemoteProtocolError),
    "silence": ([b""], httpx.ReadTimeout),
    "silence in a body": ([OK[:-1]], httpx.ReadTimeout),
}


@both
@pytest.mark.parametrize(("pieces", "error"), LOST.values(), ids=LOST)
async def test_a_lost_answer_is_no_failed_connection(
    make: Make, pieces: Sequence[bytes | None], error: type[Exception]
) -> None:
    async with served(pieces) as server, opened(make) as transport:
        with pytest.raises(error):
            await send(transport, server.root, seconds=0.3)
        # Nothing of it is left for the next one.
        assert (await send(transport, server.root)).content == b"ok"
        assert server.connections == 2


@both
async def test_each_wait_has_its_own_time(make: Make) -> None:
    """A long one before it, or after it, changes nothing."""
    slow = [OK[:-1], *[b""] * 25, OK[-1:]]
    async with served([OK], slow, slow, [b""]) as server, opened(make) as transport:
        await send(transport, server.root, seconds=0.2)
        assert (await send(transport, server.root, seconds=5.0)).content == b"ok"
        assert (await send(transport, server.root, seconds=0.5)).content == b"ok"
        start = time.monotonic()
        with pytest.raises(httpx.ReadTimeout):
            await send(transport, server.root, seconds=0.3)
        assert 0.3 <= time.monotonic() - start < 2.0


@both
async def test_nobody_listens(make: Make) -> None:
    async with opened(make) as transport:
        with pytest.raises(httpx.ConnectError):
            await send(transport, "http://127.0.0.1:1")
        with pytest.raises(httpx.ConnectError):
            await send(transport, "http://nowhere.invalid")


@both
async def test_a_server_that_takes_no_more(make: Make) -> None:
    """It accepts the connection and reads nothing."""
    deaf = _Deaf()
    server = await asyncio.get_running_loop().create_server(lambda: deaf, "127.0.0.1", 0)
    root = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with opened(make) as transport:
        with pytest.raises(httpx.WriteTimeout):
            await send(transport, root, b"a" * 20_000_000, seconds=0.3)
    deaf.transport.abort()
    server.close()
    await asyncio.sleep(0.05)


class _Deaf(asyncio.Protocol):
    transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        transport.pause_reading()


@both
async def test_a_connection_that_the_server_closed_meanwhile(make: Make) -> None:
    async with served([OK, None]) as server, opened(make) as transport:
        await send(transport, server.root)
        await asyncio.sleep(0.1)
        assert (await send(transport, server.root)).content == b"ok"
        assert (server.connections, len(server.bodies)) == (2, 2)


async def test_what_nobody_asked_is_no_answer() -> None:
    """Httpx takes it for the answer to the next request."""
    async with served([OK + OK]) as server, opened(ours) as transport:
        await send(transport, server.root)
        await send(transport, server.root)
        assert (server.connections, len(server.bodies)) == (2, 2)


@both
async def test_a_cancelled_request_leaves_nothing_behind(make: Make) -> None:
    async with served([OK[:-1]]) as server, opened(make) as transport:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await send(transport, server.root)
        assert (await send(transport, server.root)).content == b"ok"
        assert server.connections == 2


@both
async def test_tls(make: Make, tmp_path: Path) -> None:
    certificate = make_certificate(tmp_path)
    own = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    own.load_cert_chain(certificate)
    trust = ssl.create_default_context(cafile=str(certificate))
    async with served([OK], [OK, None], encrypted=own) as server:
        async with opened(make, trust) as transport:
            response = await send(transport, server.root, b"a" * LONG)
            assert response.content == b"ok"
            stream = response.extensions["network_stream"]
            assert stream.get_extra_info("ssl_object").version() == "TLSv1.3"
            await send(transport, server.root)
            await asyncio.sleep(0.1)
            await send(transport, server.root)
            assert (server.connections, len(server.bodies)) == (2, 3)
        async with opened(make) as transport:
            with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
                await send(transport, server.root)


async def test_the_connection_used_last_is_taken_first() -> None:
    made: list[KeptConnection] = []

    def make() -> KeptConnection:
        made.append(KeptConnection(ssl.create_default_context(), KEEP_S))
        return made[-1]

    pool = ConnectionPool(make)
    with pool.connection() as one, pool.connection() as two:
        assert [one, two] == made
    with pool.connection() as again:
        assert again is one
    await pool.aclose()
