"""Whatever is read has a limit after decompression: gzip bombs over a socket, files without end."""

import asyncio
import gzip
import io
import os
import resource
import subprocess
import sys
import tracemalloc
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from functools import cache, partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from locomo_assets.backboard import transport
from locomo_assets.bounded import MIB, UnusableBodyError, gunzip, read_file, size_text
from locomo_assets.completions import http_client
from locomo_assets.errors import LocomoError
from locomo_assets.feeds.feed import ReleaseFeed
from locomo_assets.history.data_files import read_table
from locomo_assets.http.errors import AmbiguousError, RequestRefusedError, UnexpectedAnswerError
from locomo_assets.judging.judge import BatchState, Verdict
from locomo_assets.judging.llm import LLMJudge
from locomo_assets.judging.prompts import read_prompt
from locomo_assets.locomo import sources
from locomo_assets.locomo.audit import read_audit
from locomo_assets.locomo.parsing import read_dataset
from locomo_assets.prices import PriceTable
from locomo_assets_tests.backboard.clients import quick_client
from locomo_assets_tests.backboard.raw_server import RawServer, Say, answer, raw_server
from locomo_assets_tests.judging.scripted import KEY

GZIP = [("Content-Encoding", "gzip")]
MODEL = answer(200, {"id": "gpt-4.1", "object": "model", "created": 1, "owned_by": "system"})


@cache
def bomb() -> bytes:
    """Takes a second to make, which every worker would spend at its start."""
    return gzip.compress(b"[" + b" " * (200 * MIB))


@cache
def events() -> bytes:
    """A stream without end, as long as it is small."""
    return gzip.compress(b": still thinking\n\n" * (16 * MIB))


def bomb_in_gzip() -> bytes:
    return gzip.compress(bomb())


@contextmanager
def little_memory(mib: int = 64) -> Iterator[None]:
    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < mib * MIB
    finally:
        tracemalloc.stop()


async def a_list(server: RawServer) -> None:
    async with quick_client(server.base_url) as client:
        await client.list_assistants()


async def a_thread(server: RawServer) -> None:
    async with quick_client(server.base_url) as client:
        await client.create_thread("a")


async def a_question(server: RawServer) -> None:
    async with quick_client(server.base_url) as client:
        await client.ask("t", "When?", memory="off")


async def a_feed(server: RawServer) -> None:
    await asyncio.to_thread(ReleaseFeed("json", server.base_url).read)


async def a_dataset(server: RawServer) -> None:
    await asyncio.to_thread(read_dataset, server.base_url, "0" * 64)


async def an_audit(server: RawServer) -> None:
    await asyncio.to_thread(read_audit, server.base_url, "0" * 64)


async def a_batch(server: RawServer) -> None:
    state = BatchState("b", "completed", files=("f",))
    async with LLMJudge.connect(
        api_key=KEY, base_url=server.base_url, prices=PriceTable.read()
    ) as judge:
        await judge.batches().results(state, ["x"])


@pytest.fixture
def smaller(monkeypatch: pytest.MonkeyPatch) -> None:
    """Limits that a test reaches soon, in place of the largest."""
    monkeypatch.setattr(transport, "STREAM_BYTES", 4 * MIB)
    monkeypatch.setattr(sources, "DATASET_BYTES", 16 * MIB)
    monkeypatch.setattr(http_client, "BATCH_FILE_BYTES", 16 * MIB)


@pytest.mark.usefixtures("smaller")
@pytest.mark.parametrize(
    ("ask", "body", "error"),
    [
        (a_list, bomb, UnexpectedAnswerError),
        (a_thread, bomb, AmbiguousError),
        (a_question, events, AmbiguousError),
        (a_feed, bomb, LocomoError),
        (a_dataset, bomb, LocomoError),
        (an_audit, bomb, LocomoError),
        (a_batch, bomb, LocomoError),
    ],
)
async def test_a_gzip_bomb_is_one_line_and_takes_little_memory(
    ask: Callable[[RawServer], Awaitable[None]], body: Callable[[], bytes], error: type[LocomoError]
) -> None:
    sent = answer(200, headers=GZIP, raw=body())
    async with raw_server(*((MODEL, sent) if ask is a_batch else (sent,))) as server:
        with little_memory(), pytest.raises(error, match=r"larger than the \d+ MiB") as caught:
            await ask(server)
    assert "\n" not in str(caught.value)
    # It was paid for, or would be as large again.
    assert len(server.heads) == (2 if ask is a_batch else 1)


async def test_of_a_failure_that_is_too_large_its_status_counts() -> None:
    async with raw_server(answer(400, headers=GZIP, raw=bomb())) as server:
        with little_memory(), pytest.raises(RequestRefusedError, match="answered 400"):
            await a_list(server)


@pytest.mark.parametrize(("status", "said"), [(200, "larger than the 16 MiB"), (400, "HTTP 400")])
async def test_a_verdict_that_is_too_large_is_not_paid_for_twice(status: int, said: str) -> None:
    async with (
        raw_server(MODEL, answer(status, headers=GZIP, raw=bomb())) as server,
        LLMJudge.connect(api_key=KEY, base_url=server.base_url, prices=PriceTable.read()) as judge,
    ):
        with little_memory():
            judgement = await judge.judge("When?", "May", "In May.", 2)
    assert judgement.verdict is Verdict.UNSCORED
    assert said in str(judgement.reason)
    assert len(server.heads) == 2


@pytest.mark.parametrize(
    ("encoding", "body", "said"),
    [
        ("br", lambda: b"x", "encoded as 'br'"),
        ("gzip, gzip", bomb_in_gzip, "encoded as 'gzip, gzip'"),
        ("gzip", lambda: b"no gzip at all", "not the gzip"),
    ],
)
async def test_an_encoding_that_was_not_asked_for(
    encoding: str, body: Callable[[], bytes], said: str
) -> None:
    say = answer(200, headers=[("Content-Encoding", encoding)], raw=body())
    async with raw_server(say) as server:
        with little_memory(), pytest.raises(UnexpectedAnswerError, match=said):
            await a_list(server)
    assert "accept-encoding: gzip\r\n" in server.heads[0].lower()


async def test_what_is_compressed_and_fits_is_read() -> None:
    say = answer(200, headers=GZIP, raw=gzip.compress(b"[]"))
    async with raw_server(say) as server, quick_client(server.base_url) as client:
        assert await client.list_assistants() == []


async def test_an_answer_without_end_is_given_up() -> None:
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    chunk = b"100000\r\n" + b" " * MIB + b"\r\n"
    async with raw_server(Say([head, *[chunk] * 40])) as server:
        with little_memory(), pytest.raises(UnexpectedAnswerError, match="larger than the 16 MiB"):
            await a_list(server)


def test_gunzip() -> None:
    assert gunzip(gzip.compress(b"x" * 3 * MIB), 3 * MIB) == b"x" * 3 * MIB
    data = bomb()  # made here where no other test has made it
    with little_memory(), pytest.raises(UnusableBodyError, match="larger than the 3 MiB"):
        gunzip(data, 3 * MIB)


READERS: dict[str, Callable[[str], object]] = {
    "data set": read_dataset,
    "audit": read_audit,
    "price table": lambda path: PriceTable.read(Path(path)),
    "judge prompt": read_prompt,
    "release feed": lambda path: ReleaseFeed("file", path).read(),
}


@pytest.mark.parametrize("what", READERS)
@pytest.mark.parametrize("place", ["fifo", "/dev/zero", "/dev/null"])
def test_a_pipe_or_a_device_is_refused_at_once(what: str, place: str, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    with pytest.raises(LocomoError, match="a pipe or a device; write") as caught:
        READERS[what](str(tmp_path / place))
    assert str(caught.value).startswith(what)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("what", READERS)
def test_a_file_that_is_too_large(
    what: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sources, "DATASET_BYTES", 16 * MIB)
    path = tmp_path / "large"
    with path.open("wb") as file:
        file.truncate(2**40)
    with little_memory(), pytest.raises(LocomoError, match=r"larger than the \d+ MiB") as caught:
        READERS[what](str(path))
    assert str(caught.value).startswith(what)


@pytest.mark.parametrize("source", ["/dev/zero", "/dev/stdin"])
def test_the_command_line_refuses_what_may_have_no_end(source: str, home: Path) -> None:
    command = ["import", "jsonl", source, "--release", "r", "--system", "s"]
    done = subprocess.run(
        [sys.executable, "-m", "locomo_assets.cli", *command],
        stdin=subprocess.PIPE,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        preexec_fn=partial(resource.setrlimit, resource.RLIMIT_AS, (3 * 2**30, 3 * 2**30)),
    )
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert f"{source}: it is a pipe or a device" in done.stderr


def test_a_file_at_its_limit(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x" * MIB)
    assert read_file(tmp_path / "file", MIB) == b"x" * MIB
    with pytest.raises(UnusableBodyError):
        read_file(tmp_path / "file", MIB - 1)


def parquet(column: "pa.Array[Any]", **how: object) -> bytes:
    file = io.BytesIO()
    pq.write_table(pa.table({"a": column}), file, compression="zstd", store_schema=False, **how)  # type: ignore[arg-type]
    return file.getvalue()


@pytest.mark.parametrize(
    "column",
    [
        lambda: pa.array(["x" * (200 * MIB)]),
        lambda: pa.DictionaryArray.from_arrays(
            pa.array([0] * 6000, pa.int32()), pa.array(["x" * MIB])
        ),
        lambda: pa.nulls(100_000_000, pa.int64()),
        lambda: pa.array([["y"]]).take(pa.array([0] * 20_000_000, pa.int32())),
    ],
    ids=["one value", "one value repeated", "nulls", "lists"],
)
def test_a_small_parquet_file_of_gigabytes(column: "Callable[[], pa.Array[Any]]") -> None:
    data = parquet(column())
    assert len(data) < MIB
    before = pa.total_allocated_bytes()
    with pytest.raises(UnusableBodyError, match="larger than the 64 MiB"):
        read_table(data, 64 * MIB)
    assert pa.total_allocated_bytes() - before < MIB


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 bytes"),
        (1, "1 byte"),
        (999, "999 bytes"),
        (1000, "1.0 KB"),
        (99_940, "99.9 KB"),
        (99_960, "100 KB"),
        (999_400, "999 KB"),
        (999_600, "1.0 MB"),
        (228_000_000, "228 MB"),
        (3_000_000_000_000_000, "3000 TB"),
    ],
)
def test_sizes_for_people(size: int, text: str) -> None:
    assert size_text(size) == text
