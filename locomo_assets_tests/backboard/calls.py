"""One call of each kind, and what a server says to it."""

from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from typing import Any

from locomo_assets.backboard.client import BackboardClient
from locomo_assets_tests.backboard.raw_server import Say, answer

Call = Callable[[BackboardClient], Coroutine[Any, Any, object]]
STAMP = datetime(2023, 5, 8, 13, 56, tzinfo=UTC)


async def read(client: BackboardClient) -> object:
    return await client.get_thread("t1")


async def save(client: BackboardClient) -> object:
    return await client.add_message("t1", "Ann: hi", memory="Auto", custom_timestamp=STAMP)


async def ask(client: BackboardClient) -> object:
    return await client.ask("t1", "when?", memory="Readonly")


THREAD = answer(200, {"thread_id": "t1", "messages": []})
SAVED = answer(200, {"message_id": "m1", "memory_operation_id": "op1", "thread_id": "t1"})
ENDED = {"type": "run_ended", "status": "COMPLETED"}
CUT_BODY = Say([b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"], close=True)
NOTHING = Say([], close=True)
