"""A proxy before a server, which can be slow, or swallow all that is sent."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from locomo_assets.standin.server import LOOPBACK


class Proxy:
    """Passes bytes on. Swallowing, it accepts connections and gives no byte to either side."""

    def __init__(self, port: int, delay_s: float) -> None:
        self._upstream = port
        self._delay_s = delay_s
        self._loop = asyncio.new_event_loop()
        self._passing = asyncio.Event()
        self._passing.set()
        self._connections: set[asyncio.Task[None] | None] = set()
        self.port = 0

    def swallow(self) -> None:
        """From now on, nothing is passed on."""
        self._loop.call_soon_threadsafe(self._passing.clear)

    @contextmanager
    def serving(self) -> Iterator["Proxy"]:
        """Serves in a thread of its own while the block runs."""
        ready = threading.Event()
        thread = threading.Thread(target=self._loop.run_until_complete, args=(self._serve(ready),))
        thread.start()
        try:
            assert ready.wait(30)
            yield self
        finally:
            self._loop.call_soon_threadsafe(self._stopped.set)
            thread.join()
            self._loop.close()

    async def _serve(self, ready: threading.Event) -> None:
        self._stopped = asyncio.Event()
        server = await asyncio.start_server(self._connected, LOOPBACK, 0)
        self.port = server.sockets[0].getsockname()[1]
        ready.set()
        await self._stopped.wait()
        server.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        await asyncio.sleep(0.01)  # sockets are closed in the loop's next rounds

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Nothing else keeps a connection's tasks from being collected as garbage."""
        task = asyncio.current_task()
        self._connections.add(task)
        try:
            await self._join(reader, writer)
        except asyncio.CancelledError:
            pass  # asyncio's streams know no connection that is cancelled
        finally:
            writer.transport.abort()
            self._connections.discard(task)

    async def _join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            up_reader, up_writer = await asyncio.open_connection(LOOPBACK, self._upstream)
            try:
                async with asyncio.TaskGroup() as group:
                    group.create_task(self._pump(reader, up_writer))
                    group.create_task(self._pump(up_reader, writer))
            finally:
                up_writer.transport.abort()
        except* (OSError, EOFError):
            pass  # either side has ended

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            await asyncio.sleep(self._delay_s / 2)
            await self._passing.wait()
            writer.write(data)
            await writer.drain()
        raise EOFError
