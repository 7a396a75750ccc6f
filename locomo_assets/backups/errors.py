"""What can go wrong with a backup, for people.

Here: the tree, and the storage's errors told as those of the backup's place. ::

    BackupError
    ├── BackupRefusedError    a place that must not be written: not empty, or of another history
    ├── BackupDamagedError    a manifest or an object is missing, torn or changed
    └── BackupVersionError    made by a newer version of this program

A place that can't be read or written stays a `HistoryUnreachableError`, and a history that is
damaged itself a `HistoryDamagedError`.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from locomo_assets.errors import LocomoError
from locomo_assets.history.errors import HistoryUnreachableError
from locomo_assets.history.storage import Storage, open_storage


class BackupError(LocomoError):
    """Something about a backup."""


class BackupRefusedError(BackupError):
    """The place holds something else, which stays as it is."""

    exit_code = 2


class BackupDamagedError(BackupError):
    """What a manifest promises is not what lies there."""


class BackupVersionError(BackupError):
    """The backup was made by a newer version."""


@contextmanager
def told_of(what: str, setting: str) -> Iterator[None]:
    """Tell the storage's errors, which speak of the history, as those of another place."""
    try:
        yield
    except HistoryUnreachableError as exc:
        text = str(exc).replace("history ", f"{what} ", 1).replace("LOCOMO_HISTORY", setting)
        raise HistoryUnreachableError(text) from exc


def open_backups(url: str | None) -> Storage:
    """The place of backups; `BackupRefusedError` where none is set."""
    if url is None:
        raise BackupRefusedError(
            "no place for backups is set; set LOCOMO_BACKUP to a URL, like file:///folder or "
            "s3://bucket/folder"
        )
    with told_of("backup", "LOCOMO_BACKUP"):
        return open_storage(url)
