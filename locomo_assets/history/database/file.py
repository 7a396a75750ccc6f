"""The file `history.duckdb` among the files beside it: opened, locked, replaced.

Whoever works in the file read-write leaves DuckDB's log (`.wal`) and spill folder (`.tmp`) beside
it. A published file is whole without them, so they never belong to it.
"""

import errno
import fcntl
import os
import re
import secrets
import shutil
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import duckdb

from locomo_assets.history.errors import DatabaseLockedError, HistoryUnreachableError

STORAGE_VERSION = "v1.5.0"  # DuckDB 1.5 and later read it

SPARE_FROM_BYTES = 64 * 2**20
"""Smaller files are copied; of larger ones the one published before is kept, to work in."""

_LOGS = (".wal", ".wal.checkpoint", ".wal.recovery")
_SPILL = ".tmp"
_COPY_BYTES = 2**20
_CONFIG: dict[str, str | bool | int | float | list[str]] = {
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
}
_holder = re.compile(r"lock is held in (?:(?P<program>.+?) )?\(?PID (?P<pid>\d+)\)?")


def connect(path: Path, *, read_only: bool) -> duckdb.DuckDBPyConnection:
    """The file attached as `history` to a database in memory.

    Connecting to the path itself would share this process's open connections, and so show the
    file that was replaced. Only a file that is not published yet is written, so without a log:
    if that is interrupted, the file is thrown away.
    """
    writing = f"STORAGE_VERSION '{STORAGE_VERSION}', RECOVERY_MODE no_wal_writes"
    options = "READ_ONLY" if read_only else writing
    connection = duckdb.connect(":memory:", config=_CONFIG)
    try:
        connection.execute("SET GLOBAL TimeZone = 'UTC'")
        connection.execute(f"ATTACH '{quoted(path)}' AS history ({options})")
        connection.execute("USE history")
    except duckdb.Error as exc:
        connection.close()
        if (holder := _who_holds(exc)) is not None:
            raise DatabaseLockedError(
                f"database {path}: {holder} has it open to write; close it there, or open it "
                "read-only; nothing that was measured is lost"
            ) from exc
        raise HistoryUnreachableError(
            f"database {path} can't be opened ({one_line(exc)}); rebuild it with "
            "`locomo-assets history rebuild`"
        ) from exc
    return connection


def connect_to_read(path: Path) -> duckdb.DuckDBPyConnection:
    """The file, read-only; a log beside it that is of another file is removed."""
    try:
        return connect(path, read_only=True)
    except DatabaseLockedError:
        raise
    except HistoryUnreachableError:
        logs = logs_beside(path)
        if not logs:
            raise
    try:
        with exclusive(path):
            return connect_without_logs(path)
    except OSError as exc:
        raise HistoryUnreachableError(
            f"database {path}: the log beside it ({logs[0].name}) is of another file "
            f"and can't be removed ({one_line(exc)}); remove it"
        ) from exc


def connect_without_logs(path: Path) -> duckdb.DuckDBPyConnection:
    """As `connect_to_read`, for one that holds the turn."""
    try:
        return connect(path, read_only=True)
    except DatabaseLockedError:
        raise
    except HistoryUnreachableError:
        # Not locked, so nobody who works in this file has written them.
        if not _remove_logs(path):
            raise
    return connect(path, read_only=True)


def logs_beside(path: Path) -> list[Path]:
    """The logs of somebody who works in the file, or has worked in it."""
    beside = [path.with_name(f"{path.name}{suffix}") for suffix in _LOGS]
    return [log for log in beside if os.path.lexists(log)]


@dataclass(frozen=True, slots=True)
class OldFile:
    """The file that is to be replaced: its descriptor, None if there is none to copy."""

    descriptor: int | None
    is_locked: bool


@contextmanager
def old_file(path: Path) -> Iterator[OldFile]:
    """The published file, which nobody opens to write until the end, unless somebody has it open.

    It takes the lock that DuckDB takes. Closing any other descriptor of the file in this process
    would end that, so it is copied from this one.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except OSError:
        yield OldFile(None, is_locked=False)
        return
    try:
        yield OldFile(descriptor, is_locked=not _lock_shared(descriptor))
    finally:
        os.close(descriptor)


def copy(descriptor: int, target: Path) -> None:
    """The old file's bytes in another place."""
    with open(descriptor, "rb", closefd=False) as source, target.open("xb") as copied:
        shutil.copyfileobj(source, copied, _COPY_BYTES)


def replace(path: Path, by: Path, old: OldFile) -> None:
    """Publish another file at the path, without what belonged to the old one.

    The logs go before: the old file is whole without them, and the new one is never seen with
    them. They go once more after, since one who works in the old file may write them meanwhile.
    """
    _remove_logs(path)
    if path.is_dir() and not path.is_symlink():
        _set_aside(path)
    _sync(by)
    _keep_spare(path)
    os.replace(by, path)
    _remove_logs(path)
    if not old.is_locked:
        _remove(path.with_name(f"{path.name}{_SPILL}"))
    _sync(path.parent)


def spare_of(path: Path) -> Path:
    """Where the file is kept that was published before."""
    return path.with_name(f".{path.name}.spare")


def has_spare(path: Path) -> bool:
    """Whether the file published before is there, under no other name."""
    try:
        return spare_of(path).stat().st_nlink == 1
    except OSError:
        return False


def take_spare(path: Path, temporary: Path) -> bool:
    """Make the spare the file to work in, if nobody in any process has it open.

    Who opened it while it was published keeps seeing that. A lease to write is granted only where
    a file is open nowhere else, here or in another process; where there is none, the old file is
    copied.
    """
    spare = spare_of(path)
    try:
        descriptor = os.open(spare, os.O_RDWR)
    except OSError:
        return False
    try:
        # Who opens it at this very moment sends a signal, which by default ends the process.
        fcntl.fcntl(descriptor, fcntl.F_SETSIG, signal.SIGURG)
        fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_WRLCK)
        fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_UNLCK)
    except (AttributeError, OSError):  # not Linux, or not on this file system
        return False
    finally:
        os.close(descriptor)
    os.rename(spare, temporary)
    return True


def _keep_spare(path: Path) -> None:
    """Keep what is published beside, before another file takes its place."""
    spare = spare_of(path)
    _remove(spare)
    with suppress(OSError):  # a file system without links: the next refresh copies
        if path.stat().st_size >= SPARE_FROM_BYTES:
            spare.hardlink_to(path)


@contextmanager
def exclusive(path: Path) -> Iterator[None]:
    """This process's turn among all that publish the file."""
    from filelock import FileLock  # what only reads takes no turn

    path.parent.mkdir(parents=True, exist_ok=True)
    lock = path.with_name(f".{path.name}.lock")
    if lock.is_dir():
        _set_aside(lock)
    try:
        turn = FileLock(lock)
        turn.acquire()
    except NotImplementedError as exc:  # filelock's, where flock is not to be had
        raise OSError(errno.ENOTSUP, "this file system has no file locks", str(lock)) from exc
    try:
        yield
    finally:
        turn.release()


@contextmanager
def temporary_beside(path: Path) -> Iterator[Path]:
    """Where the next file is built: in the same folder, and nothing of it is left."""
    temporary = path.with_name(f".{path.name}.tmp")
    _remove_all(temporary)
    try:
        yield temporary
    finally:
        _remove_all(temporary)


def quoted(path: Path) -> str:
    """A path in SQL, between single quotes: DuckDB takes the bytes of its UTF-8 as the name."""
    try:
        text = os.fsencode(path).decode("utf-8")
    except UnicodeError:
        raise HistoryUnreachableError(
            f"database {path}: DuckDB opens no path that is not UTF-8; set LOCOMO_HOME elsewhere"
        ) from None
    return text.replace("'", "''")


def one_line(exc: BaseException) -> str:
    """An error's text in one line."""
    return " ".join(str(exc).split())


def is_disk_full(exc: OSError | duckdb.Error) -> bool:
    """Whether that is why a file could not be written."""
    full = (errno.ENOSPC, errno.EDQUOT)
    return getattr(exc, "errno", None) in full or any(os.strerror(no) in str(exc) for no in full)


def _who_holds(exc: duckdb.Error) -> str | None:
    """Who has the file open to write, in words; None if the error is another one."""
    text = one_line(exc)
    if "already attached" in text or "different configuration" in text:
        return "this process"
    if "Could not set lock" not in text and "Conflicting lock" not in text:
        return None
    found = _holder.search(text)
    if found is None:
        return "another program"
    program = Path(found["program"]).name if found["program"] else "a program"
    return f"{program} (process {found['pid']})"


def _lock_shared(descriptor: int) -> bool:
    try:
        fcntl.lockf(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError as exc:
        # Where nothing can be locked, DuckDB locks nothing either.
        return exc.errno not in (errno.EAGAIN, errno.EACCES)
    return True


def _remove_logs(path: Path) -> bool:
    """Whether there were any."""
    found = logs_beside(path)
    for log in found:
        _remove(log)
    return bool(found)


def _remove_all(temporary: Path) -> None:
    for suffix in ("", *_LOGS, ".spill"):
        _remove(temporary.with_name(f"{temporary.name}{suffix}"))


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _set_aside(folder: Path) -> None:
    """An empty folder goes; what is in another one is kept under a name of its own."""
    try:
        folder.rmdir()
    except OSError as exc:
        if exc.errno not in (errno.ENOTEMPTY, errno.EEXIST):
            raise
        folder.rename(folder.with_name(f"{folder.name}.set-aside-{secrets.token_hex(4)}"))


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
