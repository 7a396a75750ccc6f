"""The history's objects under one URL, in a folder or an object store.

Paths are relative to the URL. An object is visible whole or not at all: a folder gets a temporary
file, fsync and a rename; an object store gets one PUT or multipart upload. `put_new` is a
conditional request (`If-None-Match: *`, `ifGenerationMatch=0`).
"""

import errno
import os
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

from locomo_assets.bounded import HISTORY_FILE_BYTES, UnusableBodyError, read_file
from locomo_assets.file_urls import FileUrlError, path_of
from locomo_assets.history.errors import HistoryDamagedError, HistoryUnreachableError
from locomo_assets.network import check_store_network


class Storage(Protocol):
    """Objects under one URL. All methods raise `HistoryUnreachableError`."""

    @property
    def url(self) -> str: ...

    def put(self, path: str, data: bytes) -> None:
        """Publish an object atomically and durably."""

    def put_file(self, path: str, file: Path) -> None:
        """Publish a file as an object, as `put` does, without holding it in memory."""

    def put_new(self, path: str, data: bytes) -> None:
        """Publish an object; keep the existing one if there is one."""

    def get(self, path: str) -> bytes:
        """An object's bytes; `HistoryDamagedError` if there is none."""

    def get_many(self, paths: Sequence[str]) -> Mapping[str, bytes]:
        """The bytes of several objects, concurrently where that is faster."""

    def list(self, prefix: str) -> list[str]:
        """The paths of all objects below a folder, sorted; empty if there is none."""

    def delete(self, paths: Sequence[str]) -> None:
        """Delete objects; missing ones are no error."""


def open_storage(url: str) -> Storage:
    """The storage at a `file:///…`, `s3://…`, `gs://…`, `abfs://…` URL, or any fsspec knows.

    Refuses a URL with a password: it would be printed, and stored in Dagster's event log.
    """
    url = url.strip()
    parts = urlsplit(url)
    # abfs://container@account is no user
    if parts.password or (parts.username and not parts.scheme.startswith(("abfs", "az"))):
        raise HistoryUnreachableError(
            f"history {parts.scheme}://…@{parts.hostname or ''}{parts.path}: takes no user or "
            "password; take them out, and give credentials as that storage's own tools read them"
        )
    try:
        folder = path_of(url)
    except FileUrlError as exc:
        raise HistoryUnreachableError(f"history {url}: {exc}") from None
    if folder is not None:
        return LocalStorage(folder)
    if len(parts.scheme) > 1:
        return ObjectStorage(url)
    raise HistoryUnreachableError(
        f"history {url}: not a URL; write it as file:///folder, s3://bucket/folder, "
        "gs://bucket/folder or abfs://container/folder"
    )


def get_present(storage: Storage, paths: Sequence[str]) -> Mapping[str, bytes]:
    """The files that exist, while other processes may delete some."""
    try:
        return storage.get_many(paths)
    except HistoryDamagedError:
        found = {}
        for path in paths:
            with suppress(HistoryDamagedError):
                found[path] = storage.get(path)
        return found


_TIME_OUT_S = 60.0
"""For one request to an object store and its repetitions; s3fs would repeat for several minutes."""
_SLOWEST_BYTES_PER_S = 2**20
"""Data may take as long as this, besides."""


class LocalStorage:
    """A folder on this machine."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @cached_property
    def url(self) -> str:
        return self._folder.as_uri()

    def put(self, path: str, data: bytes) -> None:
        with _translate_errors(self.url, "written"):
            self._publish(self._folder / path, data, os.replace)

    def put_file(self, path: str, file: Path) -> None:
        self.put(path, file.read_bytes())

    def put_new(self, path: str, data: bytes) -> None:
        with _translate_errors(self.url, "written"):
            self._publish(self._folder / path, data, _link_unless_there)

    def get(self, path: str) -> bytes:
        with _translate_errors(self.url, "read", path):
            try:
                return read_file(self._folder / path, HISTORY_FILE_BYTES)
            except UnusableBodyError as exc:
                raise HistoryDamagedError(
                    f"history {self.url}: {path} can't be read: {exc}; restore it from a copy"
                ) from None

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
            # A rename has moved it; a link or a failure leaves it behind.
            with suppress(OSError):
                temporary.unlink()
        _sync_folder(target.parent)


class ObjectStorage:
    """A folder in a bucket, through fsspec, which finds credentials and endpoint itself."""

    def __init__(self, url: str) -> None:
        self._url = url.rstrip("/")
        check_store_network()
        with _translate_errors(self._url, "reached", remote=True):
            self._fs, root = _file_system(self._url)
        self._root: str = root.rstrip("/")
        # s3fs asks for an object's size before each read, to read large ones in parts, and holds
        # ten parts of what it writes.
        is_s3 = urlsplit(self._url).scheme in ("s3", "s3a")
        self._at_once: dict[str, int] = {"max_concurrency": 1} if is_s3 else {}

    @property
    def url(self) -> str:
        return self._url

    def put(self, path: str, data: bytes) -> None:
        with _translate_errors(self._url, "written", remote=True):
            self._fs.pipe_file(self._at(path), data, **self._time_out(len(data)))

    def put_file(self, path: str, file: Path) -> None:
        time_out = self._time_out(file.stat().st_size)
        with _translate_errors(self._url, "written", remote=True):
            self._fs.put_file(str(file), self._at(path), **self._at_once, **time_out)

    def put_new(self, path: str, data: bytes) -> None:
        with _translate_errors(self._url, "written", remote=True), suppress(FileExistsError):
            self._fs.pipe_file(self._at(path), data, mode="create", **self._time_out(len(data)))

    def get(self, path: str) -> bytes:
        with _translate_errors(self._url, "read", path, remote=True):
            data: bytes = self._fs.cat_file(
                self._at(path), **self._at_once, **self._time_out(HISTORY_FILE_BYTES)
            )
            return data

    def get_many(self, paths: Sequence[str]) -> Mapping[str, bytes]:
        if not paths:
            return {}
        with _translate_errors(self._url, "read", remote=True):
            places = [self._at(path) for path in paths]
            found = self._fs.cat(places, on_error="return", **self._at_once)
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
            found = self._fs.find(self._at(prefix), **self._time_out())
        return sorted(path.removeprefix(self._root).lstrip("/") for path in found)

    def delete(self, paths: Sequence[str]) -> None:
        for path in paths:
            with _translate_errors(self._url, "written", remote=True), suppress(FileNotFoundError):
                self._fs.rm_file(self._at(path), **self._time_out())

    def _at(self, path: str) -> str:
        return f"{self._root}/{path}"

    def _time_out(self, most_bytes: int = 0) -> dict[str, float]:
        # Of fsspec's own; what its other file systems would make of it is not known.
        if not getattr(self._fs, "async_impl", False):
            return {}
        return {"timeout": _TIME_OUT_S + most_bytes / _SLOWEST_BYTES_PER_S}


def _file_system(url: str) -> tuple[Any, str]:
    """fsspec's file system for a URL, and the path in it."""
    # Other machines write too, so listings must not be cached.
    uncached = {"use_listings_cache": False, "skip_instance_cache": True}
    if urlsplit(url).scheme in ("gs", "gcs"):
        # fsspec's class for "gs" asks for the kind of bucket before each request, over another
        # protocol and with another permission. GCSFileSystem separates an upload's sections by a
        # fixed line: data with that line in it would arrive cut off, so the MD5 is compared.
        from gcsfs.core import GCSFileSystem

        way = {"trust_env": True}  # proxies
        fs = GCSFileSystem(consistency="md5", session_kwargs=way, **uncached)
        return fs, GCSFileSystem._strip_protocol(url)
    import fsspec

    file_system, root = fsspec.core.url_to_fs(url, **uncached)
    return file_system, root


@contextmanager
def _translate_errors(
    url: str, verb: str, path: str | None = None, *, remote: bool = False
) -> Iterator[None]:
    """Raise errors of the system or the network as the history's, in one line."""
    try:
        yield
    except FileNotFoundError as exc:
        if path is None:
            raise HistoryUnreachableError(
                f"history {url} can't be {verb}: {_one_line(exc)}; create it, or set "
                "LOCOMO_HISTORY elsewhere"
            ) from exc
        raise HistoryDamagedError(
            f"history {url}: {path} is missing; restore it, or see `locomo-assets history check`"
        ) from exc
    except OSError as exc:
        raise HistoryUnreachableError(f"history {url} can't be {verb}: {_cause(exc)}") from exc
    except Exception as exc:
        # Object stores raise their SDK's own errors; only some are OSErrors.
        if not remote:
            raise
        raise HistoryUnreachableError(
            f"history {url} can't be {verb}: {_first_line(exc)}; check the URL, the endpoint and "
            "the credentials of the object store"
        ) from exc


_WITHOUT_HARD_LINKS = (
    errno.EPERM,
    errno.ENOTSUP,
    errno.EOPNOTSUPP,
    errno.ENOSYS,
    errno.EMLINK,
    errno.EXDEV,
    errno.EINVAL,
)


def _cause(exc: OSError) -> str:
    if isinstance(exc, _NoHardLinksError):
        return (
            "its file system has no hard links, by which a file is made only once (FAT, exFAT and "
            "some network shares have none); set LOCOMO_HISTORY to another file system"
        )
    if isinstance(exc, TimeoutError):
        return "no answer in time; check the network and the storage, and run again"
    if exc.errno in (errno.ENOSPC, errno.EDQUOT):
        return "the disk is full; make room and run again, half-written files do not count"
    if isinstance(exc, PermissionError) or exc.errno == errno.EROFS:
        return f"permission denied ({_one_line(exc)}); allow it, or set LOCOMO_HISTORY elsewhere"
    return f"{_one_line(exc)}; fix that and run again"


def _one_line(exc: BaseException) -> str:
    return " ".join(str(exc).split()) or type(exc).__name__


def _first_line(exc: BaseException) -> str:
    """An SDK's message; some add the whole response of the server below it."""
    return next((line.strip() for line in str(exc).splitlines() if line.strip()), _one_line(exc))


class _NoHardLinksError(OSError):
    """The file system can't link a file that was just written beside."""


def _link_unless_there(temporary: Path, target: Path) -> None:
    try:
        target.hardlink_to(temporary)
    except FileExistsError:
        pass
    except OSError as exc:
        # In that folder a file was just written, so EPERM is no matter of permissions.
        if exc.errno in _WITHOUT_HARD_LINKS:
            raise _NoHardLinksError(exc.errno, exc.strerror) from exc
        raise


def _walk(folder: str, prefix: str) -> list[str]:
    """Paths of files below a folder, skipping what vanishes meanwhile."""
    found = []
    pending = [(folder, prefix)]
    while pending:
        folder, prefix = pending.pop()
        with suppress(FileNotFoundError), os.scandir(folder) as entries:
            for entry in entries:
                path = f"{prefix}/{entry.name}" if prefix else entry.name
                if entry.is_dir():
                    pending.append((entry.path, path))
                elif not entry.name.startswith("."):
                    found.append(path)
    return found


def _make_folders(folder: Path) -> None:
    """Like `mkdir -p`, and syncs each parent, so that the new folders are durable."""
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
