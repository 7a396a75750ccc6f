"""A real socket that answers with exactly the bytes it is told, to misbehave as servers do."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Say:
    """Write these bytes, wait between them, then keep the connection or break it off."""

    chunks: Sequence[bytes]
    pause_s: float = 0.0
    close: bool = False
    hang: bool = False


@dataclass
class RawServer:
    """`script` is used up by the requests in order; its last entry stays."""

    base_url: str
    script: list[Say]
    heads: list[str] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    connections: int = 0

    @property
    def paths(self) -> list[str]:
        return [" ".join(head.split(" ")[:2]) for head in self.heads]


def answer(
    status: int, body: object = None, *, headers: Sequence[tuple[str, str]] = (), raw: bytes = b""
) -> Say:
    """A whole HTTP answer with a JSON body, or with raw bytes."""
    content = raw or (b"" if body is None else json.dumps(body).encode())
    lines = [f"HTTP/1.1 {status} Status", f"Content-Length: {len(content)}"]
    lines += [f"{name}: {value}" for name, value in headers]
    return Say([("\r\n".join(lines) + "\r\n\r\n").encode() + content])


def stream(*events: object, end: bool = True, pause_s: float = 0.0) -> Say:
    """A chunked event stream; `end=False` breaks the connection off without the last chunk."""
    parts = [f"data: {json.dumps(event)}\n\n".encode() for event in events]
    return raw_stream(*parts, end=end, pause_s=pause_s)


def raw_stream(*parts: bytes, end: bool = True, pause_s: float = 0.0) -> Say:
    head = (
        b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
    )
    chunks = [head, *(b"%x\r\n%b\r\n" % (len(part), part) for part in parts)]
    return Say([*chunks, b"0\r\n\r\n"] if end else chunks, pause_s=pause_s, close=not end)


@asynccontextmanager
async def raw_server(*script: Say) -> AsyncIterator[RawServer]:
    """A server on a free port of this machine, for as long as the block lasts."""
    served = RawServer("", list(script))
    tasks: set[asyncio.Task[None]] = set()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        served.connections += 1
        try:
            while await _serve_one(served, reader, writer):
                pass
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            tasks.discard(task)
            writer.close()

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    served.base_url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/api"
    try:
        yield served
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await server.wait_closed()


async def _serve_one(
    served: RawServer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> bool:
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    length = next(
        (int(line.split(":")[1]) for line in head.lower().splitlines() if "content-length" in line),
        0,
    )
    served.bodies.append(await reader.readexactly(length))
    served.heads.append(head)
    say = served.script.pop(0) if len(served.script) > 1 else served.script[0]
    for chunk in say.chunks:
        writer.write(chunk)
        await writer.drain()
        await asyncio.sleep(say.pause_s)
    if say.hang:
        await asyncio.sleep(3600)
    return not say.close
