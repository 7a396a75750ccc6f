"""The stand-in behind a gate that tells everything it was sent: keys in bodies and headers.

Here: the gate. It fails a few requests of each kind, each time with the caller's key where a
careless program would keep it.
"""

import json
import re
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal
from urllib.parse import parse_qs

import pytest
from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from locomo_assets.standin import server
from locomo_assets.standin.server import BaseUrls, create_app, running_standin
from locomo_assets.standin.settings import StandinSettings
from locomo_assets_tests.secrets.searching import PLANTED

Manner = Literal["fails", "refuses", "redirects"]

# So much before the key that a text cut for people may end within it.
# Requests of a batch, of which a run has one.
_ONCE = ("POST files", "POST batches", "GET content")
# So much before the key that a text cut for people may end within it.
_LEADS = ("", "x" * 170 + " ", "x" * 270 + " ")


class Hostile:
    """An ASGI middleware; `told` counts how often a key went back to the caller."""

    def __init__(self, app: ASGIApp, manner: Manner) -> None:
        self._app = app
        self._manner = manner
        self._seen: Counter[str] = Counter()
        self._batched: list[str] = []
        self.told: Counter[str] = Counter()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = Headers(scope=scope)
        key = headers.get("x-api-key") or headers.get("authorization", "").removeprefix("Bearer ")
        body = b""
        while True:
            message = await receive()
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        sent = False

        async def again() -> Message:
            nonlocal sent
            if sent:
                return await receive()
            sent = True
            return {"type": "http.request", "body": body, "more_body": False}

        async def telling(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)["x-request-id"] = key
            await send(message)

        answer = self._answer(scope["method"], scope["path"], body, key)
        await (answer or self._app)(scope, again, telling)

    def _answer(self, method: str, path: str, body: bytes, key: str) -> Response | None:
        is_judge = path.startswith("/v1")
        if self._manner == "refuses":
            self.told["refused"] += 1
            return _error(401, f"the key {key} is not known", is_judge=is_judge)
        if self._manner == "redirects":
            self.told["redirected"] += 1
            return RedirectResponse(f"https://elsewhere.invalid/{key}?key={key}", 302)
        kind = f"{method} {path.rsplit('/', 1)[-1]}"
        if parse_qs(body.decode("utf-8", "replace")).get("send_to_llm") == ["true"]:
            kind = "question"
        self._seen[kind] += 1
        if kind == "POST files":
            self._batched = re.findall(r'"custom_id": "([^"]+)"', body.decode())
        if kind == "GET content" and self._seen[kind] > 1:
            self.told["batch results"] += 1
            return PlainTextResponse(_results(self._batched, key))
        what, response = _failure(kind, self._seen[kind], key, is_judge=is_judge)
        if response is not None:
            self.told[what] += 1
        return response


def _failure(kind: str, number: int, key: str, *, is_judge: bool) -> tuple[str, Response | None]:
    """What becomes of the so-manieth request of a kind; None: it is served."""
    said = f"{_LEADS[number % 3]}{key} sent this"
    if kind in ("question", "POST completions") and number <= 3:
        return f"{kind} refused", _error(400, said, is_judge=is_judge)
    if kind == "question" and number <= 9:
        event = json.dumps({"type": "run_failed", "error": said})
        return "run failed", PlainTextResponse(f"data: {event}\n\n", media_type="text/event-stream")
    if number == 4 or (number == 1 and kind in _ONCE):
        return f"{kind} failed", _error(500, said, is_judge=is_judge)
    return kind, None


def _results(names: list[str], key: str) -> str:
    """A batch's output file, with the key wherever a line has room for it."""
    told = {"message": f"{key} sent this", "code": key}
    kinds = (
        {"response": {"status_code": 500, "request_id": key, "body": {"error": told}}},
        {"error": told},
        {"response": {"status_code": 200, "request_id": key, "body": {"choices": key}}},
        {"response": {"status_code": key}},
    )
    lines = ({"custom_id": name, **kinds[i % len(kinds)]} for i, name in enumerate(names))
    return "".join(json.dumps(line) + "\n" for line in lines)


def _error(status: int, text: str, *, is_judge: bool) -> JSONResponse:
    content = {"error": {"message": text}} if is_judge else {"detail": text}
    return JSONResponse(content, status, headers={"retry-after": "0", "x-debug": text})


@contextmanager
def hostile_standin(
    folder: Path, manner: Manner, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[BaseUrls, Hostile]]:
    """A served stand-in that takes the planted keys, and the gate before it."""
    gates: list[Hostile] = []

    def create(*given: Any, **options: Any) -> ASGIApp:
        gates.append(Hostile(create_app(*given, **options), manner))
        return gates[0]

    with monkeypatch.context() as patch:
        patch.setattr(server, "create_app", create)
        with running_standin(StandinSettings(keys=PLANTED), folder / f"{manner}.sqlite") as urls:
            yield urls, gates[0]
