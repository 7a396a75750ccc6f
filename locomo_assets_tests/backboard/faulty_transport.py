"""A transport between a client and the stand-in that makes chosen requests fail.

The stand-in draws its own faults at random; here a test says which request fails and how.
"""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from locomo_assets.backboard.client import BackboardClient
from locomo_assets.standin.server import standin_transport
from locomo_assets.standin.settings import DEFAULT_KEY, StandinSettings
from locomo_assets_tests.backboard.clients import QUICK, Records, call_options

LOST = "carried out, answer lost"
VANISHED = "lost on the way, not carried out"
UNREACHED = "no connection"
FAILED_500 = "500, not carried out"
DONE_502 = "carried out, then 502"
DONE_500 = "carried out, then 500"
DONE_504 = "carried out, then 504"
DONE_408 = "carried out, then 408"
DONE_429 = "carried out, then 429"
LATE = "given up, carried out a little later"
REFUSED_429 = "429"
REVOKED = "sent without the key"
CUT = "carried out, stream cut in its middle"
HTML = "a page of HTML, not carried out"
DONE_HTML = "carried out, then a page of HTML"
ERROR_200 = "200 with an error, not carried out"
DONE_ERROR_200 = "carried out, then 200 with an error"
ERROR_TEXT = "the month's quota is used up"
_HTML = (200, "<html><body>Back soon</body></html>")
_ERROR = (200, json.dumps({"error": {"message": ERROR_TEXT, "type": "quota"}}))
REFUSED = {FAILED_500: (500, '{"detail": "failed"}'), REFUSED_429: (429, ""), HTML: _HTML}
DONE = {
    DONE_HTML: _HTML,
    **{
        fault: (int(fault[-3:]), "") for fault in (DONE_408, DONE_429, DONE_500, DONE_502, DONE_504)
    },
}
FAULTS = (LOST, VANISHED, UNREACHED, *REFUSED, *DONE)
"""What may befall any request: those are repeated that may be."""
REFUSED |= {ERROR_200: _ERROR}
DONE |= {DONE_ERROR_200: _ERROR}


@dataclass(frozen=True)
class Seen:
    """A request as the transport saw it: `number` from 0, `nth` of its own endpoint from 0."""

    number: int
    nth: int
    method: str
    path: str

    @property
    def is_message(self) -> bool:
        return self.method == "POST" and self.path.endswith("/messages")


def no_fault(_: Seen) -> str | None:
    """No fault."""
    return None


def as_it_is(_: Seen, answer: Any) -> Any:
    """The server's own answer."""
    return answer


async def do_nothing(_: int) -> None:
    """Nothing happens."""


class FaultyTransport(httpx.AsyncBaseTransport):
    """`fault` says how a request fails.

    `before` and `after` get its number before it is carried out and before it is answered; they
    may wait, or end it all. `edit` gets the JSON of an answer, and gives the one that is sent.
    """

    def __init__(self, inner: httpx.AsyncBaseTransport) -> None:
        self.inner = inner
        self.fault: Callable[[Seen], str | None] = no_fault
        self.edit: Callable[[Seen, Any], Any] = as_it_is
        self.before: Callable[[int], Awaitable[None]] = do_nothing
        self.after: Callable[[int], Awaitable[None]] = do_nothing
        self.late_s = 0.05
        self.requests: list[Seen] = []
        self._late: set[asyncio.Task[httpx.Response]] = set()
        self._count: Counter[str] = Counter()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        kind = f"{request.method} {request.url.path.rsplit('/', 1)[-1]}"
        seen = Seen(len(self.requests), self._count[kind], request.method, request.url.path)
        self._count[kind] += 1
        self.requests.append(seen)
        fault = self.fault(seen)
        await self.before(seen.number)
        if fault == UNREACHED:
            raise httpx.ConnectError("unreached")
        if fault == VANISHED:
            raise httpx.ReadError("vanished")
        if fault in REFUSED:
            return _response(*REFUSED[fault])
        if fault == LATE:
            self._late.add(asyncio.create_task(self._later(request)))
            raise httpx.ReadTimeout("late")
        if fault == REVOKED:
            del request.headers["X-API-Key"]
        response = await self.inner.handle_async_request(request)
        await self.after(seen.number)
        if fault == LOST:
            raise httpx.ReadError("lost")
        if fault in DONE:
            return _response(*DONE[fault])
        if fault == CUT:
            body = await response.aread()
            return httpx.Response(200, content=body[: len(body) // 2])
        if self.edit is not as_it_is:
            body = await response.aread()
            with suppress(ValueError):
                body = json.dumps(self.edit(seen, json.loads(body))).encode()
            headers = {"content-type": response.headers["content-type"]}
            return httpx.Response(response.status_code, headers=headers, content=body)
        return response

    def reset(self) -> None:
        """Count from 0 again, without faults."""
        self.fault, self.before, self.after = no_fault, do_nothing, do_nothing
        self.edit = as_it_is
        self.requests.clear()
        self._count.clear()

    async def late_requests(self) -> None:
        await asyncio.gather(*self._late)

    async def _later(self, request: httpx.Request) -> httpx.Response:
        await asyncio.sleep(self.late_s)
        return await self.inner.handle_async_request(request)

    async def texts(self) -> list[list[str]]:
        """What the server holds, past all faults: its threads with messages, oldest first."""
        return [[text for _, text, _ in thread] for thread in await self.messages()]

    async def messages(self) -> list[list[tuple[str, str, object]]]:
        """The same with roles and metadata."""
        base = "http://standin.invalid/api"
        threads: list[list[tuple[str, str, object]]] = []
        async with httpx.AsyncClient(
            transport=self.inner, headers={"X-API-Key": DEFAULT_KEY}
        ) as client:
            for assistant in (await client.get(f"{base}/assistants")).json():
                path = f"{base}/assistants/{assistant['assistant_id']}/threads"
                for thread in (await client.get(path, params={"limit": 200})).json():
                    whole = (await client.get(f"{base}/threads/{thread['thread_id']}")).json()
                    messages = [
                        (one["role"], one["content"], one["metadata_"]) for one in whole["messages"]
                    ]
                    if messages:
                        threads.append(messages)
        return threads

    async def aclose(self) -> None:
        await self.late_requests()
        await self.inner.aclose()


def _response(status: int, text: str) -> httpx.Response:
    headers = {"Retry-After": "0"} if status == 429 else {}
    return httpx.Response(status, headers=headers, text=text)


@dataclass
class FaultyService:
    """A client, the transport it uses, and its records."""

    client: BackboardClient
    transport: FaultyTransport
    records: Records


@asynccontextmanager
async def faulty_service(
    folder: Path, settings: StandinSettings | None = None, **more: Any
) -> AsyncIterator[FaultyService]:
    """A client with a faulty transport to a stand-in of its own."""
    records = Records()
    async with standin_transport(folder / "standin.sqlite", settings) as inner:
        transport = FaultyTransport(inner)
        given = {"retry": QUICK, "record": records, **more}
        async with BackboardClient(
            "http://standin.invalid/api",
            DEFAULT_KEY,
            call_options(given),
            transport=transport,
            **given,
        ) as client:
            yield FaultyService(client, transport, records)
