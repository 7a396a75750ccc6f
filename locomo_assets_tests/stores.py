"""Object stores of other clouds, served on loopback: Google's by an emulator, Azure's by Azurite.

Here: starting and stopping them. The emulator of Google's store knows no preconditions; the one
that the history rests on (create only what is not there) is added to it here, as Google documents
it, so what is proved is that the client asks for it and understands the refusal.
"""

import http.server
import io
import json
import re
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import BinaryIO
from urllib.parse import parse_qs, urlsplit

from gcp_storage_emulator.exceptions import NotFound
from gcp_storage_emulator.server import RequestHandler
from gcp_storage_emulator.storage import Storage

REPOSITORY = Path(__file__).resolve().parent.parent
AZURITE = REPOSITORY / ".azurite" / "node_modules" / ".bin" / "azurite-blob"
# Published with Azurite; it opens nothing else.
_AZURITE_ACCOUNT = "devstoreaccount1"
_AZURITE_KEY = (
    "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
)


class _Handler(RequestHandler):  # type: ignore[misc]  # untyped
    """The emulator's, with the precondition `ifGenerationMatch=0` on uploads in one request."""

    rfile: BinaryIO

    def do_POST(self) -> None:  # noqa: N802  # the base class's name
        parts = urlsplit(self.path)
        if parse_qs(parts.query).get("ifGenerationMatch") == ["0"]:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            metadata = json.loads(body.split(b"\n\n", 1)[1].split(b"\n--", 1)[0])
            bucket = re.search(r"/b/([^/]+)/o", parts.path)
            assert bucket is not None
            if self._exists(bucket[1], metadata["name"]):
                self.send_error(412, "conditionNotMet")
                return
            self.rfile = io.BytesIO(body)
        super().do_POST()

    def _exists(self, bucket: str, name: str) -> bool:
        try:
            self.storage.get_file_obj(bucket, name)
        except NotFound:
            return False
        return True


@contextmanager
def google() -> Iterator[str]:
    """The emulator's endpoint; it answers one request at a time."""
    storage = Storage(use_memory_fs=True)
    with http.server.HTTPServer(("127.0.0.1", 0), partial(_Handler, storage)) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def azurite_command() -> str | None:
    """Azurite's blob service, where `make azurite` or somebody else has installed it."""
    return str(AZURITE) if AZURITE.exists() else shutil.which("azurite-blob")


@contextmanager
def azure(command: str) -> Iterator[str]:
    """A connection string to an Azurite of its own."""
    with subprocess.Popen(
        [
            command,
            *("--blobHost", "127.0.0.1", "--blobPort", "0", "--inMemoryPersistence"),
            # The client's version of the protocol may be newer than the server's.
            *("--skipApiVersionCheck", "--disableTelemetry"),
        ],
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            found = None
            for line in process.stdout:
                if found := re.search(r"listens on (http://\S+)", line):
                    break
            assert found, "Azurite ended without listening"
            yield (
                f"DefaultEndpointsProtocol=http;AccountName={_AZURITE_ACCOUNT};"
                f"AccountKey={_AZURITE_KEY};BlobEndpoint={found[1]}/{_AZURITE_ACCOUNT};"
            )
        finally:
            process.terminate()
