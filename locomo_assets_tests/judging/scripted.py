"""A judge's server that says what a test tells it to, on a real socket.

Here: the server and the usual answers. What the stand-in answers of itself is tested with the
stand-in.
"""

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

KEY = "sk-test-0123456789"


@dataclass
class Answer:
    """One HTTP answer; `cut` closes the connection instead of answering."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    cut: bool = False
    delay_s: float = 0.0


def as_json(content: object, status: int = 200, headers: dict[str, str] | None = None) -> Answer:
    headers = {"content-type": "application/json"} | (headers or {})
    return Answer(status, json.dumps(content).encode(), headers)


def completion(
    content: object = '{"reasoning": "Same day.", "label": "CORRECT"}',
    *,
    finish_reason: str = "stop",
    refusal: str | None = None,
    usage: dict[str, Any] | None = None,
) -> Answer:
    """A chat completion as OpenAI gives it: 100 tokens in, 20 out."""
    return as_json(
        {
            "id": "chatcmpl-1",
            "object": "chat.completion",
            "created": 1,
            "model": "gpt-4.1-2025-04-14",
            "choices": [
                {
                    "index": 0,
                    "finish_reason": finish_reason,
                    "message": {"role": "assistant", "content": content, "refusal": refusal},
                }
            ],
            "usage": usage or {"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120},
        },
        headers={"x-request-id": "req-1"},
    )


def model(owned_by: str = "system") -> Answer:
    return as_json({"id": "gpt-4.1", "object": "model", "created": 1, "owned_by": owned_by})


def failing(status: int, message: str = "no") -> Answer:
    """An error as OpenAI words it, to be tried again at once where it is tried again."""
    return as_json({"error": {"message": message}}, status, {"retry-after-ms": "1"})


@dataclass
class Request:
    """What a server got; `path` is without the query, names of headers are in lower case."""

    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: Any = None


@dataclass
class ScriptedServer:
    """Gives `verdicts` in order, the last for ever; to what is read `gets`, and then `probe`.

    Where `recreated` is set, it answers everything in their place.
    """

    base_url: str = ""
    probe: Answer = field(default_factory=model)
    verdicts: list[Answer] = field(default_factory=lambda: [completion()])
    gets: list[Answer] = field(default_factory=list)
    fixed: Answer | None = None  # to everything that is posted, whatever it is
    recreated: Callable[[Request], Answer] | None = None
    bodies: list[dict[str, Any]] = field(default_factory=list)
    keys: list[str | None] = field(default_factory=list)
    at_once: int = 0
    most_at_once: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def next_verdict(self, body: dict[str, Any]) -> Answer:
        with self.lock:
            self.bodies.append(body)
            return self.verdicts.pop(0) if len(self.verdicts) > 1 else self.verdicts[0]


@contextmanager
def scripted_server() -> Iterator[ScriptedServer]:
    script = ScriptedServer()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            if script.recreated:
                self._give(script.recreated(self._request(None)))
                return
            self._give(script.gets.pop(0) if script.gets else script.probe)

        def do_POST(self) -> None:
            with script.lock:
                script.at_once += 1
                script.most_at_once = max(script.most_at_once, script.at_once)
            body = self.rfile.read(int(self.headers["content-length"]))
            if script.recreated:
                self._give(script.recreated(self._request(json.loads(body))))
            else:
                self._give(script.fixed or script.next_verdict(json.loads(body)))
            with script.lock:
                script.at_once -= 1

        def _request(self, body: Any) -> Request:
            parts = urlsplit(self.path)
            headers = {name.lower(): value for name, value in self.headers.items()}
            return Request(self.command, parts.path, parts.query, headers, body)

        def _give(self, answer: Answer) -> None:
            script.keys.append(self.headers["authorization"])
            time.sleep(answer.delay_s)
            if answer.cut:
                self.close_connection = True
                return
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(answer.body)))
            self.end_headers()
            self.wfile.write(answer.body)

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    script.base_url = f"http://127.0.0.1:{server.server_port}/v1"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield script
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
