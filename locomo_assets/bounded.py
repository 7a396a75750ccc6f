"""Reading no more than is sane: of a file, and of an answer while it is decompressed.

Every limit counts bytes after decompression. Answers come without registered keys (`redaction`).
"""

import os
import stat
import zlib
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path
from typing import Protocol

from locomo_assets.redaction import hide_in_body

MIB = 2**20
ANSWER_BYTES = 16 * MIB
"""An answer of the memory service or the judge; its list of memories comes in pages."""
STREAM_BYTES = 64 * MIB
BATCH_FILE_BYTES = 256 * MIB
FEED_BYTES = MIB
DATASET_BYTES = 512 * MIB
"""A data set, an audit, or a file of results."""
SMALL_FILE_BYTES = MIB
"""A price table or a judge's prompt."""
HISTORY_FILE_BYTES = 1024 * MIB

GZIP_ONLY = {"Accept-Encoding": "gzip"}
"""The header for every request: what can be decompressed here piece by piece."""

_PIECE = MIB


class UnusableBodyError(Exception):
    """A file or an answer is too large, or not in a form that is read. The text says why, and how
    to go on, but not which: that is for the caller to add."""


class Answer(Protocol):
    """What responses of httpx and of httpx2 have in common."""

    @property
    def headers(self) -> Mapping[str, str]: ...
    @property
    def is_stream_consumed(self) -> bool: ...
    @property
    def content(self) -> bytes: ...
    def aiter_raw(self) -> AsyncIterator[bytes]: ...


class Download(Protocol):
    """The same of a response that is read without an event loop."""

    @property
    def headers(self) -> Mapping[str, str]: ...
    def iter_raw(self) -> Iterator[bytes]: ...


def read_file(path: str | Path, limit_bytes: int) -> bytes:
    """The bytes of a regular file. Raises OSError, and UnusableBodyError for any other file.

    A pipe would be waited for, and a device may give bytes for ever.
    """
    with open(path, "rb", opener=_open_without_waiting) as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise UnusableBodyError(
                "it is a pipe or a device; write what it gives into a file, and give that"
            )
        count, pieces = ByteCount(limit_bytes), []
        while piece := file.read(_PIECE):
            count.add(len(piece))
            pieces.append(piece)
        return b"".join(pieces)


def gunzip(data: bytes, limit_bytes: int) -> bytes:
    """What was compressed. Raises UnusableBodyError."""
    return b"".join(_Unpacker("gzip", limit_bytes).feed(data))


async def read_answer(answer: Answer, limit_bytes: int) -> bytes:
    """The whole body of an answer, without registered keys. Raises UnusableBodyError."""
    return hide_in_body(b"".join([piece async for piece in answer_pieces(answer, limit_bytes)]))


async def answer_pieces(answer: Answer, limit_bytes: int) -> AsyncIterator[bytes]:
    """The body of an answer as it comes; a key may lie across pieces. Raises UnusableBodyError."""
    if answer.is_stream_consumed:
        # It was made in this process, and never was on a wire.
        yield answer.content
        return
    unpacker = _Unpacker(answer.headers.get("content-encoding", ""), limit_bytes)
    async for raw in answer.aiter_raw():
        for piece in unpacker.feed(raw):
            yield piece


def download_pieces(answer: Download, limit_bytes: int) -> Iterator[bytes]:
    """The same without an event loop."""
    unpacker = _Unpacker(answer.headers.get("content-encoding", ""), limit_bytes)
    for raw in answer.iter_raw():
        yield from unpacker.feed(raw)


class ByteCount:
    """Counts what was read. `add` raises UnusableBodyError where it is more than the limit."""

    def __init__(self, limit_bytes: int) -> None:
        self._limit_bytes = limit_bytes
        self._bytes = 0

    def add(self, more_bytes: int) -> None:
        self._bytes += more_bytes
        if self._bytes > self._limit_bytes:
            raise UnusableBodyError(
                f"it is larger than the {self._limit_bytes // MIB} MiB that are read; check that "
                "it is the right one"
            )


class _Unpacker:
    """Decompresses bytes as they come, a piece at a time: a few may stand for gigabytes."""

    def __init__(self, encoding: str, limit_bytes: int) -> None:
        encoding = encoding.strip().lower()
        if encoding not in ("", "identity", "gzip", "x-gzip"):
            raise UnusableBodyError(
                f"it is encoded as {encoding!r:.40}, though gzip was asked for; see what is "
                "between here and the server"
            )
        self._gzip = zlib.decompressobj(zlib.MAX_WBITS | 16) if encoding.endswith("gzip") else None
        self._raw, self._unpacked = ByteCount(limit_bytes), ByteCount(limit_bytes)

    def feed(self, raw: bytes) -> Iterator[bytes]:
        """The pieces that these bytes complete. Raises UnusableBodyError."""
        self._raw.add(len(raw))
        if self._gzip is None:
            yield raw
            return
        try:
            while piece := self._gzip.decompress(raw, _PIECE):
                self._unpacked.add(len(piece))
                yield piece
                raw = self._gzip.unconsumed_tail
        except zlib.error as error:
            raise UnusableBodyError(f"it is not the gzip that it says ({error})") from None


def _open_without_waiting(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NONBLOCK)


def size_text(size_bytes: int) -> str:
    """A size for people: `812 bytes`, `4.1 KB`, `228 MB`."""
    size, units = float(size_bytes), ["KB", "MB", "GB", "TB"]
    if size < 1000:
        return "1 byte" if size_bytes == 1 else f"{size_bytes} bytes"
    while True:
        size, unit = size / 1000, units.pop(0)
        # What would be rounded to 1000 is 1 of the next unit.
        if size < 999.5 or not units:
            return f"{size:.1f} {unit}" if size < 99.95 else f"{size:.0f} {unit}"
