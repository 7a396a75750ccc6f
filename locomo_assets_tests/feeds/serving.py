"""A release feed on loopback that serves what a test sets, and can fail in every way."""

import hashlib
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


def releases_json(*labels: str) -> bytes:
    """A `json` feed of these releases, a day apart, oldest first."""
    return json.dumps(
        [
            {"version": label, "published_at": f"2026-11-{day:02d}T12:00:00Z", "url": f"/{label}"}
            for day, label in enumerate(labels, start=1)
        ]
    ).encode()


@dataclass
class ServedFeed:
    """What is served now. With `hangs`, requests are accepted but never answered.

    `after` is called after each answer with the number of unconditional requests.
    """

    url: str
    body: bytes = b""
    status: int = 200
    conditional: bool = True
    hangs: bool = False
    requests: list[dict[str, str]] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)
    after: Callable[[int], None] = lambda _: None

    def unconditional(self) -> int:
        return sum("if-none-match" not in headers for headers in self.requests)


@contextmanager
def served_feed(body: bytes = b"") -> Iterator[ServedFeed]:
    """A feed on a free port of loopback."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            feed.requests.append({name.lower(): value for name, value in self.headers.items()})
            if feed.hangs:
                feed.over.wait()
                return
            body = feed.body
            etag = f'"{hashlib.sha256(body).hexdigest()[:16]}"'
            held = feed.conditional and self.headers.get("If-None-Match") == etag
            self.send_response(304 if held and feed.status == 200 else feed.status)
            if feed.conditional:
                self.send_header("ETag", etag)
                self.send_header("Last-Modified", "Mon, 23 Nov 2026 10:00:00 GMT")
            self.send_header("Content-Length", "0" if held else str(len(body)))
            self.end_headers()
            if not held:
                self.wfile.write(body)
            feed.after(feed.unconditional())

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    feed = ServedFeed(f"http://127.0.0.1:{server.server_address[1]}/releases", body)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield feed
    finally:
        feed.over.set()
        server.shutdown()
        thread.join()
        server.server_close()
