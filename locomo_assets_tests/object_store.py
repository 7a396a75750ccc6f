"""An S3 for tests: moto on a real socket, one request at a time.

moto closes an object's buffer when it is overwritten, under the reads of other threads, and then
answers 500 for good, which no object store does. This file stands alone, so that it also serves
in a pod.
"""

import io
import sys
import threading
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from werkzeug.serving import BaseWSGIServer


def object_store(host: str, port: int) -> "BaseWSGIServer":
    """A server that is ready to `serve_forever`; port 0: any free one."""
    from moto.moto_server.werkzeug_app import (
        DomainDispatcherApplication,
        MotoRequestHandler,
        create_backend_app,
    )
    from werkzeug.serving import make_server

    moto = DomainDispatcherApplication(create_backend_app)
    turn = threading.Lock()

    def application(environ: Any, start_response: Any) -> list[bytes]:
        # Read before, lest a client that stops in the middle of its request stops all others.
        body = environ["wsgi.input"]
        ends_by_itself = environ.get("wsgi.input_terminated")
        length = -1 if ends_by_itself else int(environ.get("CONTENT_LENGTH") or 0)
        environ["wsgi.input"] = io.BytesIO(body.read(length))
        with turn:
            return list(moto(environ, start_response))

    return make_server(host, port, application, threaded=True, request_handler=MotoRequestHandler)


if __name__ == "__main__":
    object_store(sys.argv[1], int(sys.argv[2])).serve_forever()
