"""A served place that alerts are posted to, on loopback, which can also misbehave."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal

Manner = Literal["takes", "fails", "hangs"]


class Sink:
    """What arrived, as JSON bodies; `manner` is how the next posts are met."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.manner: Manner = "takes"
        self.posts: list[dict[str, Any]] = []
        self.refused = 0
        self.let_go = threading.Event()

    def url(self, path: str = "alerts") -> str:
        """For apprise."""
        return f"json://127.0.0.1:{self.port}/{path}"

    def titles(self) -> list[str]:
        """Of all that was taken."""
        return [post["title"] for post in self.posts]


@contextmanager
def served_sink(port: int = 0) -> Iterator[Sink]:
    """On a free port, or on this one."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if sink.manner == "hangs":
                sink.refused += 1
                sink.let_go.wait(60)
                self.close_connection = True
                return
            if sink.manner == "fails":
                sink.refused += 1
                self.send_error(500)
                return
            sink.posts.append({"path": self.path, **json.loads(body)})
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    server.daemon_threads = True
    sink = Sink(server.server_port)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield sink
    finally:
        sink.let_go.set()
        server.shutdown()
        thread.join()
        server.server_close()
