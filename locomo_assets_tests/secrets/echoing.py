"""The stand-in behind a gate that repeats the keys in every field of every successful answer."""

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from locomo_assets.standin import server
from locomo_assets.standin.server import BaseUrls, create_app, running_standin
from locomo_assets.standin.settings import StandinSettings
from locomo_assets_tests.secrets.searching import PLANTED

# Words and times that the protocol goes on: with anything added, nothing would come after them.
_PROTOCOL = {"type", "status", "role", "event", "custom_id", "finish_reason", "created_at"}


def escaped(text: str) -> str:
    """As JSON may also write it."""
    return "".join(f"\\u{ord(one):04x}" for one in text)


class Echoing:
    """An ASGI middleware; `told` counts the answers of each kind that hold the keys."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self.told: Counter[str] = Counter()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:

        async def without_signs() -> Message:
            message = await receive()
            return {**message, "body": message.get("body", b"").replace(b"***", b"")}

        # An id that comes back is ours, without the keys that were in it.
        path = scope["path"].replace("***", "")
        scope = {**scope, "path": path, "raw_path": path.encode()}
        start: Message = {}
        body = b""

        async def held(message: Message) -> None:
            nonlocal start, body
            if message["type"] == "http.response.start":
                start = message
                return
            body += message.get("body", b"")
            if not message.get("more_body"):
                await self._tell(scope, start, body, send)

        await self._app(scope, without_signs, held)

    async def _tell(self, scope: Scope, start: Message, body: bytes, send: Send) -> None:
        headers = MutableHeaders(scope=start)
        kind = headers.get("content-type", "").partition(";")[0]
        in_thread = scope["method"] == "GET" and "/threads/" in scope["path"]
        if kind == "text/event-stream":
            body = _stream(body)
        elif body:
            lines = [json.loads(line) for line in body.splitlines()]
            texts = [json.dumps(_with_keys(one, in_thread=in_thread)) for one in lines]
            body = "\n".join(texts).encode()
            if self.told.total() % 2:
                for key in PLANTED:
                    body = body.replace(key.encode(), escaped(key).encode())
        self.told[f"{scope['method']} {kind}"] += 1
        headers["content-length"] = str(len(body))
        for name in ("x-request-id", "etag", "x-locomo-system"):
            headers[name] = " ".join((headers.get(name, ""), *PLANTED)).strip()
        await send(start)
        await send({"type": "http.response.body", "body": body})


def _with_keys(value: Any, name: str = "", *, in_thread: bool = False) -> Any:
    """The value with both keys at the end of every text, and as names of fields."""
    if isinstance(value, dict):
        more = {key: {"nested": [key]} for key in PLANTED}
        told = {n: _with_keys(one, n, in_thread=in_thread) for n, one in value.items()}
        return {**told, **more} if name != "metadata_" else told
    if isinstance(value, list):
        return [_with_keys(one, name, in_thread=in_thread) for one in value]
    if not isinstance(value, str) or name in _PROTOCOL:
        return value
    if name == "content" and value.startswith("{"):
        reply = json.loads(value)
        reply["reasoning"] += "@"
        return json.dumps(reply).replace("@", "".join(map(escaped, PLANTED)))
    # A turn must be the same where it is read back.
    return value if name == "content" and in_thread else value + "".join(PLANTED)


def _stream(body: bytes) -> bytes:
    """Its events with the keys, and the keys in pieces in the answer's own text."""
    events = []
    for line in body.decode().splitlines():
        if not line.startswith("data: {"):
            continue
        fields = json.loads(line.removeprefix("data: "))
        if fields.get("type") == "run_ended":
            for key in PLANTED:
                for piece in (key[:5], key[5:20], key[20:]):
                    events.append({"type": "content_streaming", "content": piece})
        events.append(_with_keys(fields))
    return "".join(f"data: {json.dumps(event)}\n\n" for event in events).encode()


@contextmanager
def echoing_standin(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[BaseUrls, Echoing]]:
    """A served stand-in that takes the planted keys, and the gate before it."""
    gates: list[Echoing] = []

    def create(*given: Any, **options: Any) -> ASGIApp:
        gates.append(Echoing(create_app(*given, **options)))
        return gates[0]

    with monkeypatch.context() as patch:
        patch.setattr(server, "create_app", create)
        with running_standin(StandinSettings(keys=PLANTED), folder / "echoing.sqlite") as urls:
            yield urls, gates[0]
