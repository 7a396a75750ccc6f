"""Where the history's bytes lie: a folder, or an object store.

Here: whole objects put atomically, read, listed and deleted under one URL, and the operating
system's and the network's errors told to people. What the objects mean is `store`.

Paths are relative to the URL, with `/`. An object is seen whole or not at all: a folder gets a
temporary file, fsync, rename and the folder's fsync; an object store gets one PUT (or a
multipart upload, which appears when completed). What must not overwrite says so in the request
(`If-None-Match: *`, `ifGenerationMatch=0`), and the store decides.
"""

import errno
import os
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import unquote, urlsplit

from locomo_assets.history.errors import HistoryDamagedError, HistoryUnreachableError


class Storage(Protocol):
    """Objects under one URL. All methods raise `HistoryUnreachableError`."""

    @property
    def url(self) -> str: ...

    def put(self, path: str, data: bytes) -> None:
        """Publish an object at once, durably."""

    def put_new(self, path: str, data: bytes) -> None:
        """Publish an object unless it exists; then leave the existing one."""

    def get(self, path: str) -> bytes:
        """An object's bytes; `HistoryDamagedError` if there is none."""

    def get_many(self, paths: Sequence[str]) -> Mapping[str, bytes]:
        """The bytes of several objects, at once where that is quicker."""

    def list(self, prefix: str) -> list[str]:
        """The paths of all objects below a folder, sorted; empty if there is none."""

    def delete(self, paths: Sequence[str]) -> None:
        """Remove objects; those already gone are no error."""


def open_storage(url: str) -> Storage:
    """The storage behind a URL: `file:///…`, `s3://…`, `gs://…`, `abfs://…`, what fsspec knows."""
    data_files = urlsplit(url)
    if data_files.scheme == "file":
        if data_files.netloc not in ("", "localhost") or not data_files.path.startswith("/"):
            raise HistoryUnreachableError(
                f"history {url}: not an absolute file URL; write it as file:///folder"
            )
        return LocalStorage(Path(unquote(data_files.path)))
    if len(data_files.scheme) > 1:
        return ObjectStorage(url)
    raise HistoryUnreachableError(
        f"history {url}: not a URL; write it as file:///folder, s3://bucket/folder, "
        "gs://bucket/folder or abfs://container/folder"
    )


def get_present(storage: Storage, paths: Sequence[str]) -> Mapping[str, bytes]:
    """Those files that are still there, where others remove some meanwhile."""
    try:
        return storage.get_many(paths)
    except HistoryDamagedError:
        found = {}
        for path in paths:
            with suppress(HistoryDamagedError):
                found[path] = storage.get(path)
        return found


class LocalStorage:
    """A folder on this machine."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @property
    def url(self) -> str:
        return self._folder.as_uri()

    def put(self, path: str, data: bytes) -> None:
        with _translate_errors(self.url, "written"):
            self._publish(self._folder / path, data, os.replace)

    def put_new(self, path: str, data: bytes) -> None:
        with _translate_errors(self.url, "written"):
            self._publish(self._folder / path, data, _link_unless_there)

    def get(self, path: str) -> bytes:
        with _translate_errors(self.url, "read", path):
            return (self._folder / path).read_bytes()

    def get_many(self, paths: Sequence[str]) -> Mapping[str, bytes]:
        return {path: self.get(path) for path in paths}

    def list(self, prefix: str) -> list[str]:
        with _translate_errors(self.url, "read"):
            return sorted(_walk(str(self._folder / prefix), prefix))

    def delete(self, paths: Sequence[str]) -> None:
        with _translate_errors(self.url, "written"):
            for path in paths:
                (self._folder / path).unlink(missing_ok=True)

    def _publish(self, target: Path, data: bytes, move: Callable[[Path, Path], None]) -> None:
        _make_folders(target.parent)
        temporary = target.parent / f".{secrets.token_hex(8)}.tmp"
        try:
            with temporary.open("xb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            move(temporary, target)
        finally:
            # after a rename it is gone; after a link or a failure it is litter
            with suppress(OSError):
                temporary.unlink()
        _sync_folder(target.parent)


class ObjectStorage:
    """A bucket's folder, through fsspec; credentials and endpoint are its own business."""

    def __init__(self, url: str) -> None:
        self._url = url.rstrip("/")
        with _translate_errors(self._url, "reached", remote=True):
            self._fs, root = _file_system(self._url)
        self._root: str = root.rstrip("/")

    @property
    def url(self) -> str:
        return self._url

    def put(self, path: str, data: bytes) -> None:
        with _translate_errors(self._url, "written", remote=True):
            self._fs.pipe_file(self._at(path), data)

    def put_new(self, path: str, data: bytes) -> None:
        with _translate_errors(self._url, "written", remote=True), suppress(FileExistsError):
            self._fs.pipe_file(self._at(path), data, mode="create")

    def get(self, path: str) -> bytes:
        with _translate_errors(self._url, "read", path, remote=True):
            data: bytes = self._fs.cat_file(self._at(path))
            return data

    def get_many(self, paths: Sequence[str]) -> Mapping[str, bytes]:
        if not paths:
            return {}
        with _translate_errors(self._url, "read", remote=True):
            found = self._fs.cat([self._at(path) for path in paths], on_error="return")
        data = {}
        for path in paths:
            result = found[self._at(path)]
            with _translate_errors(self._url, "read", path, remote=True):
                if isinstance(result, Exception):
                    raise result
            data[path] = result
        return data

    def list(self, prefix: str) -> list[str]:
        with _translate_errors(self._url, "read", remote=True):
            found = self._fs.find(self._at(prefix))
        return sorted(path.removeprefix(self._root).lstrip("/") for path in found)

    def delete(self, paths: Sequence[str]) -> None:
        for path in paths:
            with _translate_errors(self._url, "written", remote=True), suppress(FileNotFoundError):
                self._fs.rm_file(self._at(path))

    def _at(self, path: str) -> str:
        return f"{self._root}/{path}"


def _file_system(url: str) -> tuple[Any, str]:
    """fsspec's file system for a URL, and the path in it."""
    # other machines write too, so a listing is never kept
    fresh = {"use_listings_cache": False, "skip_instance_cache": True}
    if urlsplit(url).scheme in ("gs", "gcs"):
        # The class that "gs" names asks what kind of bucket it is before each request, by another
        # protocol and with another permission. Its uploads are parted by a fixed line of text: a
        # part with that line in it would arrive short, so what arrived is compared.
        from gcsfs.core import GCSFileSystem

        return GCSFileSystem(consistency="md5", **fresh), GCSFileSystem._strip_protocol(url)
    import fsspec

    file_system, root = fsspec.core.url_to_fs(url, **fresh)
    return file_system, root


@contextmanager
def _translate_errors(
    url: str, verb: str, path: str | None = None, *, remote: bool = False
) -> Iterator[None]:
    """Tell an error of the system or the network in one line."""
    try:
        yield
    except FileNotFoundError as exc:
        if path is None:
            raise HistoryUnreachableError(
                f"history {url} can't be {verb}: {_one_line(exc)}; make that place, or set "
                "LOCOMO_HISTORY elsewhere"
            ) from exc
        raise HistoryDamagedError(
            f"history {url}: {path} is missing; restore it, or see `locomo-assets history check`"
        ) from exc
    except OSError as exc:
        raise HistoryUnreachableError(f"history {url} can't be {verb}: {_cause(exc)}") from exc
    except Exception as exc:
        # object stores raise their SDK's own classes, of which only some are OSErrors
        if not remote:
            raise
        raise HistoryUnreachableError(
            f"history {url} can't be {verb}: {_first_line(exc)}; check the URL, the endpoint and "
            "the credentials of the object store"
        ) from exc


def _cause(exc: OSError) -> str:
    if exc.errno in (errno.ENOSPC, errno.EDQUOT):
        return "the disk is full; make room and run again, nothing half-written counts"
    if isinstance(exc, PermissionError) or exc.errno == errno.EROFS:
        return f"permission denied ({_one_line(exc)}); allow it, or set LOCOMO_HISTORY elsewhere"
    return f"{_one_line(exc)}; put that right and run again"


def _one_line(exc: BaseException) -> str:
    return " ".join(str(exc).split()) or type(exc).__name__


def _first_line(exc: BaseException) -> str:
    """An SDK's own words; some put the whole answer of the server below them."""
    return next((line.strip() for line in str(exc).splitlines() if line.strip()), _one_line(exc))


def _link_unless_there(temporary: Path, target: Path) -> None:
    with suppress(FileExistsError):
        target.hardlink_to(temporary)


def _walk(folder: str, prefix: str) -> list[str]:
    """Paths of files below a folder; those that vanish meanwhile are left out."""
    found = []
    waiting = [(folder, prefix)]
    while waiting:
        folder, prefix = waiting.pop()
        with suppress(FileNotFoundError), os.scandir(folder) as entries:
            for entry in entries:
                path = f"{prefix}/{entry.name}" if prefix else entry.name
                if entry.is_dir():
                    waiting.append((entry.path, path))
                elif not entry.name.startswith("."):
                    found.append(path)
    return found


def _make_folders(folder: Path) -> None:
    """Like `mkdir -p`, and each new folder's name is durable in its parent."""
    if folder.is_dir():
        return
    _make_folders(folder.parent)
    folder.mkdir(exist_ok=True)
    _sync_folder(folder.parent)


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
