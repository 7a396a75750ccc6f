"""A web server on loopback that alerts are posted to; it can also fail or hang."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal

Mode = Literal["accepts", "fails", "hangs"]


class Sink:
    """What arrived, as JSON bodies; `mode` is how the next posts are answered."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.mode: Mode = "accepts"
        self.posts: list[dict[str, Any]] = []
        self.refused = 0
        self.release = threading.Event()

    def url(self, path: str = "alerts") -> str:
        """Its URL for apprise."""
        return f"json://127.0.0.1:{self.port}/{path}"

    def titles(self) -> list[str]:
        """Of all accepted posts."""
        return [post["title"] for post in self.posts]


@contextmanager
def served_sink(port: int = 0) -> Iterator[Sink]:
    """A sink on this port, or on a free one."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if sink.mode == "hangs":
                sink.refused += 1
                sink.release.wait(60)
                self.close_connection = True
                return
            if sink.mode == "fails":
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
        sink.release.set()
        server.shutdown()
        thread.join()
        server.server_close()
