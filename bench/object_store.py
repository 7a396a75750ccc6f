"""A history in a bucket: requests by kind, and time, of what a run does there.

Here: its commits, the refresh after them, and a look for verdicts that were paid for. The bucket
is moto's, over a socket; times hold its own work too, a look through all objects for each listing.
Earlier runs are generated into it, and the database of them is made from the same objects.
"""

import logging
import os
import random
import shutil
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from unittest import mock

from bench import synthetic
from bench.figures import Figure
from bench.generated import Template
from bench.synthetic import commit_conversation, commit_dataset
from locomo_assets.history import database
from locomo_assets.history.errors import HistoryDamagedError
from locomo_assets.history.store import HistoryStore
from locomo_assets.judging.judge import JudgeIdentity
from locomo_assets.runs.verdicts import stored_verdicts

_BUCKET, _FOLDER = "bench", "history"
_CONVERSATION, _QUESTIONS = "conv-0", 5
_JUDGE = JudgeIdentity("bench", "bench", "bench")
_NOBODY = {
    "AWS_ACCESS_KEY_ID": "nobody",
    "AWS_SECRET_ACCESS_KEY": "nothing",
    "AWS_DEFAULT_REGION": "us-east-1",
}
_Application = Callable[[dict[str, Any], Any], Iterable[bytes]]


class MemoryStorage:
    """Objects in memory, and wherever else they are put."""

    url = "memory://history"

    def __init__(self, also: Callable[[str, bytes], None]) -> None:
        self._objects: dict[str, bytes] = {}
        self._also = also

    def put(self, path: str, data: bytes) -> None:
        self._objects[path] = data
        self._also(path, data)

    def put_file(self, path: str, file: Path) -> None:
        self.put(path, file.read_bytes())

    def put_new(self, path: str, data: bytes) -> None:
        if path not in self._objects:
            self.put(path, data)

    def get(self, path: str) -> bytes:
        if path not in self._objects:
            raise HistoryDamagedError(f"{path} is missing")
        return self._objects[path]

    def get_many(self, paths: Sequence[str]) -> Mapping[str, bytes]:
        return {path: self.get(path) for path in paths}

    def list(self, prefix: str) -> list[str]:
        return sorted(path for path in self._objects if path.startswith(f"{prefix}/"))

    def delete(self, paths: Sequence[str]) -> None:
        for path in paths:
            self._objects.pop(path, None)


def growing(sizes: Sequence[int]) -> list[Figure]:
    """Requests and time at each number of runs kept, smallest first, and their slope."""
    figures: list[Figure] = []
    rng = random.Random(1)
    with (
        mock.patch.object(synthetic, "QUESTIONS", _QUESTIONS),
        mock.patch.object(synthetic, "_RETRIEVED", _QUESTIONS),
        _bucket() as (put, counted),
        tempfile.TemporaryDirectory() as folder,
    ):
        memory = HistoryStore(MemoryStorage(put), "bench")
        put("format.json", b'{"schema_version": 7, "history_id": "bench"}')
        commit_dataset(memory, rng)
        commit_conversation(memory, rng, "r0", _CONVERSATION)
        template = Template(memory, "r0")
        path, runs = Path(folder) / "history.duckdb", 1
        for size in sizes:
            while runs < size:
                at = datetime.now(UTC) + timedelta(seconds=40 * runs)
                template.write(memory.storage.put, f"r{runs}", at)
                runs += 1
            database.refresh(memory, path)
            own = Path(shutil.copy(path, Path(folder) / f"{size}.duckdb"))
            figures += _at(size, own, counted, rng)
    return figures + _slopes(figures, sizes)


def _at(size: int, path: Path, counted: Counter[str], rng: random.Random) -> list[Figure]:
    store = HistoryStore.open(f"s3://{_BUCKET}/{_FOLDER}")
    figures = []
    steps: dict[str, Callable[[], object]] = {
        "commit": lambda: commit_conversation(store, rng, f"one-more-{size}", _CONVERSATION),
        "refresh": lambda: database.refresh(store, path, recent_only=True),
        "look-up of verdicts": lambda: stored_verdicts(store, path, _CONVERSATION, _JUDGE),
        "listing of all": store.manifest_names,
    }
    for name, step in steps.items():
        counted.clear()
        started = time.perf_counter()
        step()
        took_s = time.perf_counter() - started
        kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(counted.items()))
        figures += [
            Figure(f"{size} runs/{name}: requests", counted.total(), "", kinds),
            Figure(f"{size} runs/{name}: time", 1000 * took_s, "ms", "moto's included"),
        ]
    # It would be new at the next size, too.
    written = [path for path in store.storage.list("attempts") if "one-more" in path]
    store.storage.delete([*written, *store.storage.list("commits")])
    return figures


def _slopes(figures: Sequence[Figure], sizes: Sequence[int]) -> list[Figure]:
    value = {one.name: one.value for one in figures}
    least, most = min(sizes), max(sizes)
    topics = [
        name.partition("/")[2]
        for name in value
        if name.startswith(f"{least} runs/") and name.endswith("requests")
    ]
    return [
        Figure(
            f"slope/{topic}",
            (value[f"{most} runs/{topic}"] - value[f"{least} runs/{topic}"])
            / (most - least)
            * 1000,
            "",
            f"more for 1,000 more runs kept, from {least} to {most}",
        )
        for topic in topics
    ]


@contextmanager
def _bucket() -> Iterator[tuple[Callable[[str, bytes], None], Counter[str]]]:
    """Puts an object past the server; and what the server was asked, by kind."""
    from moto.core.models import DEFAULT_ACCOUNT_ID
    from moto.s3.models import s3_backends

    from locomo_assets_tests.object_store import object_store

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    counted: Counter[str] = Counter()
    server = object_store("127.0.0.1", 0)
    server.app = _counting(server.app, counted)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    backend = s3_backends[DEFAULT_ACCOUNT_ID]["aws"]
    backend.create_bucket(_BUCKET, "us-east-1")

    def put(path: str, data: bytes) -> None:
        backend.put_object(_BUCKET, f"{_FOLDER}/{path}", data)

    endpoint = f"http://127.0.0.1:{server.server_port}"
    with mock.patch.dict(os.environ, {**_NOBODY, "AWS_ENDPOINT_URL": endpoint}):
        try:
            yield put, counted
        finally:
            server.shutdown()
            thread.join()
            server.server_close()


def _counting(application: _Application, counted: Counter[str]) -> _Application:
    def counts(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        kind = environ["REQUEST_METHOD"]
        if kind == "GET" and "list-type=2" in environ.get("QUERY_STRING", ""):
            kind = "LIST"
        counted[kind] += 1
        return application(environ, start_response)

    return counts
