"""Kept connections for httpx's requests, on asyncio and h11 alone.

A client of httpx does more for a request than to send it: it looks at every connection of its
pool, follows redirects, keeps cookies, logs, and waits in locks and scopes for either of two event
loops. That takes more than half of the processor time, and nothing of it is wanted here.
"""

import asyncio
import select
import ssl
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from typing import Generic, Protocol, TypeVar

import h11
import httpx

from locomo_assets.http.calls import TlsVersion, require_tls
from locomo_assets.network import proxy_for, ssl_context

_MOST_HEAD_BYTES = 100 * 1024
# More stays in the kernel, and the sender waits, until it is read.
_MOST_UNREAD_BYTES = 256 * 1024

# How long one address of a host is tried alone, as RFC 8305 recommends.
_NEXT_ADDRESS_S = 0.25


def connector_to(
    base_url: str, min_tls: TlsVersion, keep_alive_s: float
) -> Callable[[], httpx.AsyncBaseTransport]:
    """What makes a connection to a server, by the proxy that is on the way to it."""
    # Made once, because making it takes longer than a request.
    trust, proxy = require_tls(ssl_context(), min_tls), proxy_for(base_url)
    if proxy is not None:
        limits = httpx.Limits(keepalive_expiry=keep_alive_s)
        return lambda: httpx.AsyncHTTPTransport(
            verify=trust, proxy=proxy, trust_env=False, limits=limits
        )
    trust.set_alpn_protocols(["http/1.1"])
    return lambda: KeptConnection(trust, keep_alive_s)


class _Closable(Protocol):
    async def aclose(self) -> None: ...


C = TypeVar("C", bound=_Closable)


class ConnectionPool(Generic[C]):
    """A connection for each request under way; the one used last is taken first."""

    def __init__(self, make: Callable[[], C]) -> None:
        self._make = make
        self._free: list[C] = []
        self._all: list[C] = []

    @contextmanager
    def connection(self) -> Iterator[C]:
        """A connection for this block alone; the response must be closed within it."""
        if self._free:
            connection = self._free.pop()
        else:
            connection = self._make()
            self._all.append(connection)
        try:
            yield connection
        finally:
            self._free.append(connection)

    async def aclose(self) -> None:
        """Close every connection."""
        for connection in self._all:
            await connection.aclose()


class KeptConnection(httpx.AsyncBaseTransport):
    """Sends one request after the other to one server, over a connection that is kept between them.

    A new one is made where the old one is closed or was idle for `keep_alive_s`. Errors are
    httpx's own: after `ConnectError` and `ConnectTimeout`, and after no others, nothing was sent.
    """

    def __init__(self, trust: ssl.SSLContext, keep_alive_s: float) -> None:
        self._trust = trust
        self._keep_alive_s = keep_alive_s
        self._exchange: _Exchange | None = None
        self._idle_since_s = 0.0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        timeouts = request.extensions["timeout"]
        known, self._exchange = self._exchange, None
        if known is not None and not self._is_usable(known):
            known.drop()
            known = None
        exchange = known or await self._connect(request.url, timeouts["connect"])
        try:
            # By httpcore's name for it, as through a proxy it is httpcore that asks.
            if (trace := request.extensions.get("trace")) is not None:
                await trace("http11.send_request_headers.started", {})
            await exchange.send(request, timeouts["write"])
            head = await exchange.head(timeouts["read"])
        except BaseException:
            exchange.drop()
            raise
        return httpx.Response(
            head.status_code,
            headers=head.headers.raw_items(),
            stream=_Body(exchange, timeouts["read"], self._keep),
            extensions={
                "http_version": b"HTTP/" + head.http_version,
                "reason_phrase": head.reason,
                "network_stream": exchange.transport,
            },
        )

    async def aclose(self) -> None:
        known, self._exchange = self._exchange, None
        if known is not None:
            known.drop()
            # A loop that ends at once would leave it open.
            await asyncio.sleep(0)

    def _is_usable(self, exchange: "_Exchange") -> bool:
        is_fresh = time.monotonic() - self._idle_since_s <= self._keep_alive_s
        return is_fresh and not exchange.is_ended()

    def _keep(self, exchange: "_Exchange") -> None:
        self._exchange, self._idle_since_s = exchange, time.monotonic()

    async def _connect(self, url: httpx.URL, timeout_s: float) -> "_Exchange":
        host, is_encrypted = url.raw_host.decode("ascii"), url.scheme == "https"
        try:
            async with asyncio.timeout(timeout_s):
                _, exchange = await asyncio.get_running_loop().create_connection(
                    _Exchange,
                    host,
                    url.port or (443 if is_encrypted else 80),
                    ssl=self._trust if is_encrypted else None,
                    happy_eyeballs_delay=_NEXT_ADDRESS_S,
                )
        except TimeoutError as error:
            raise httpx.ConnectTimeout(str(error)) from error
        except OSError as error:
            raise httpx.ConnectError(str(error)) from error
        return exchange


class _Body(httpx.AsyncByteStream):
    """The body of an answer; `keep` gets the connection if it can be used again."""

    def __init__(
        self, exchange: "_Exchange", read_s: float, keep: Callable[["_Exchange"], None]
    ) -> None:
        self._exchange = exchange
        self._read_s = read_s
        self._keep = keep
        self._is_closed = False

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while (piece := await self._exchange.piece(self._read_s)) is not None:
            yield piece

    async def aclose(self) -> None:
        if self._is_closed:
            return
        self._is_closed = True
        if self._exchange.begin_next():
            self._keep(self._exchange)
        else:
            self._exchange.drop()


class _Exchange(asyncio.Protocol):
    """A connection, and the request and answer that are on it."""

    transport: asyncio.Transport

    def __init__(self) -> None:
        self._http = h11.Connection(h11.CLIENT, max_incomplete_event_size=_MOST_HEAD_BYTES)
        self._unread = bytearray()
        self._has_ended = False
        self._error: Exception | None = None
        self._is_paused = False
        self._may_write = True
        self._waiting: asyncio.Future[None] | None = None
        self._deadline_s = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101  # it is made for TCP
        self.transport = transport
        self._poll = select.poll()
        self._poll.register(transport.get_extra_info("socket").fileno(), select.POLLIN)

    def data_received(self, data: bytes) -> None:
        self._unread += data
        if len(self._unread) > _MOST_UNREAD_BYTES and not self._is_paused:
            self._is_paused = True
            self.transport.pause_reading()
        self._wake()

    def eof_received(self) -> None:
        self._has_ended = True
        self._wake()

    def connection_lost(self, exc: Exception | None) -> None:
        self._has_ended, self._error = True, exc
        self._wake()

    def pause_writing(self) -> None:
        self._may_write = False

    def resume_writing(self) -> None:
        self._may_write = True
        self._wake()

    def is_ended(self) -> bool:
        """Of an idle connection: whether the other side has ended it, or says what nobody asked."""
        is_told = self._has_ended or bool(self._unread) or self.transport.is_closing()
        return is_told or bool(self._poll.poll(0))

    def drop(self) -> None:
        """Close it at once, whatever is on it."""
        self._stop_timer()
        self.transport.abort()

    async def send(self, request: httpx.Request, write_s: float) -> None:
        """The whole request, at once."""
        try:
            data = b"".join(
                self._http.send(event) or b""
                for event in (
                    h11.Request(
                        method=request.method,
                        target=request.url.raw_path,
                        headers=request.headers.raw,
                    ),
                    h11.Data(request.content),
                    h11.EndOfMessage(),
                )
            )
        except h11.LocalProtocolError as error:
            raise httpx.LocalProtocolError(str(error)) from error
        self.transport.write(data)
        try:
            # A server may answer, and close, before it has read all.
            while not self._may_write and not self._has_ended:
                await self._changed(write_s)
        except TimeoutError as error:
            raise httpx.WriteTimeout(str(error)) from error

    async def head(self, read_s: float) -> h11.Response:
        """The answer's status and headers."""
        while True:
            event = await self._next_event(read_s)
            if isinstance(event, h11.Response):
                return event

    async def piece(self, read_s: float) -> bytes | None:
        """The next piece of the answer's body; None at its end."""
        event = await self._next_event(read_s)
        return bytes(event.data) if isinstance(event, h11.Data) else None

    def begin_next(self) -> bool:
        """Whether another request may follow: request and answer are complete, and both stay."""
        http = self._http
        is_done = http.our_state is h11.DONE and http.their_state is h11.DONE
        if is_done and not http.trailing_data[0]:
            http.start_next_cycle()
            return True
        return False

    async def _next_event(self, read_s: float) -> object:
        try:
            while (event := self._http.next_event()) is h11.NEED_DATA:
                data = await self._read(read_s)
                if not data and self._http.their_state is h11.SEND_RESPONSE:
                    raise httpx.RemoteProtocolError(
                        "Server disconnected without sending a response."
                    )
                self._http.receive_data(data)
        except h11.RemoteProtocolError as error:
            raise httpx.RemoteProtocolError(str(error)) from error
        return event

    async def _read(self, read_s: float) -> bytes:
        """What came; empty at the end."""
        try:
            while not self._unread and not self._has_ended:
                await self._changed(read_s)
        except TimeoutError as error:
            raise httpx.ReadTimeout(str(error)) from error
        if not self._unread and self._error is not None:
            raise httpx.ReadError(str(self._error)) from self._error
        data = bytes(self._unread)
        self._unread.clear()
        if self._is_paused:
            self._is_paused = False
            self.transport.resume_reading()
        return data

    async def _changed(self, within_s: float) -> None:
        loop = asyncio.get_running_loop()
        self._waiting = loop.create_future()
        self._deadline_s = loop.time() + within_s
        if self._timer is None or self._timer.when() > self._deadline_s:
            self._stop_timer()
            self._timer = loop.call_at(self._deadline_s, self._look_at_the_time)
        await self._waiting

    def _look_at_the_time(self) -> None:
        """One timer serves many waits: each one's own would cost more than the wait."""
        assert self._timer is not None  # noqa: S101  # it is what calls
        told_for_s, self._timer = self._timer.when(), None
        if self._waiting is None or self._waiting.done():
            return
        if self._deadline_s <= told_for_s:
            self._waiting.set_exception(TimeoutError())
        else:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_at(self._deadline_s, self._look_at_the_time)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _wake(self) -> None:
        # It may have been cancelled.
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)
