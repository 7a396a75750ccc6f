"""A served stand-in that counts what is under way at once, and can be made to answer nothing."""

import asyncio
import json
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from locomo_assets.standin import server
from locomo_assets.standin.server import create_app
from locomo_assets.standin.settings import DEFAULT_KEY, StandinSettings


@dataclass
class Counted:
    """`messages` and `verdicts`: how many were begun, are under way, were under way at once.

    While `holding`, none of them is answered.
    """

    begun: Counter[str] = field(default_factory=Counter)
    under_way: Counter[str] = field(default_factory=Counter)
    most: Counter[str] = field(default_factory=Counter)
    holding: bool = False

    def watch(self, app: ASGIApp) -> ASGIApp:
        """The application, counted."""

        async def watched(scope: Scope, receive: Receive, send: Send) -> None:
            kind = _kind(scope)
            if kind is None:
                return await app(scope, receive, send)
            self.begun[kind] += 1
            self.under_way[kind] += 1
            self.most[kind] = max(self.most[kind], self.under_way[kind])
            ended = False

            def end() -> None:
                nonlocal ended
                self.under_way[kind] -= not ended
                ended = True

            async def send_and_end(message: Message) -> None:
                # Before the last piece goes out: its receiver may ask again at once.
                if message["type"] == "http.response.body" and not message.get("more_body"):
                    end()
                await send(message)

            try:
                begun = await receive()
                if await self._may_go(receive):
                    await app(scope, _again(begun, receive), send_and_end)
            finally:
                end()

        return watched

    async def _may_go(self, receive: Receive) -> bool:
        """Whether the client is still there once nothing is held any more."""
        if not self.holding:
            return True
        gone = asyncio.ensure_future(receive())
        while self.holding and not gone.done():
            await asyncio.wait({gone}, timeout=0.02)
        return not gone.done() and gone.cancel()


def _again(first: Message, receive: Receive) -> Receive:
    """Receives a message that was taken out before, then the rest."""
    taken = [first]

    async def receive_again() -> Message:
        return taken.pop() if taken else await receive()

    return receive_again


def _kind(scope: Scope) -> str | None:
    if scope["type"] != "http" or scope["method"] != "POST":
        return None
    last = scope["path"].rpartition("/")[2]
    return {"messages": "messages", "completions": "verdicts"}.get(last)


@contextmanager
def counting_standin(state: Path, environment: pytest.MonkeyPatch) -> Iterator[Counted]:
    """Serves until the end of the block; the environment's settings point at it."""
    counted = Counted()

    def counting_app(*given: Any, **options: Any) -> ASGIApp:
        return counted.watch(create_app(*given, **options))

    environment.setattr(server, "create_app", counting_app)
    slow = StandinSettings(
        message_latency_ms=20.0, first_chunk_latency_ms=20.0, verdict_latency_ms=20.0
    )
    with server.running_standin(slow, state) as urls:
        for name, value in {
            "BACKBOARD_BASE_URL": urls.backboard,
            "OPENAI_BASE_URL": urls.openai,
            "BACKBOARD_API_KEY": DEFAULT_KEY,
            "OPENAI_API_KEY": DEFAULT_KEY,
        }.items():
            environment.setenv(name, value)
        try:
            yield counted
        finally:
            counted.holding = False


def small_dataset(path: Path, conversations: int = 3, turns: int = 6) -> Path:
    """A made-up LoCoMo file: each conversation one session, with two questions."""
    path.write_text(json.dumps([_conversation(number, turns) for number in range(conversations)]))
    return path


def _conversation(number: int, turns: int) -> dict[str, object]:
    said = [
        {
            "speaker": ("Ann", "Bob")[turn % 2],
            "dia_id": f"D1:{turn + 1}",
            "text": f"My dog number {turn} is called Rex{turn}.",
        }
        for turn in range(turns)
    ]
    asked = [
        {
            "question": f"What is dog number {turn} called?",
            "answer": f"Rex{turn}",
            "evidence": [f"D1:{turn + 1}"],
            "category": 4,
        }
        for turn in range(2)
    ]
    return {
        "sample_id": f"made-{number}",
        "conversation": {
            "speaker_a": "Ann",
            "speaker_b": "Bob",
            "session_1_date_time": "1:56 pm on 8 May, 2023",
            "session_1": said,
        },
        "qa": asked,
    }
