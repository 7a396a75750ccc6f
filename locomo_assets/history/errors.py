"""The history's errors. Each message is for people. ::

HistoryError
├── HistoryUnreachableError   the folder, disk or bucket can't be read or written
│   ├── NothingMeasuredError  there is no history here, or nothing in it yet
│   └── DatabaseLockedError   another program has `history.duckdb` open to write
├── HistoryVersionError       written by a newer version of this program
├── HistoryDamagedError       a data file or manifest is missing, torn or changed
├── HistoryRowError           rows do not fit the schema
├── HistoryQueryError         SQL is wrong, or tries to do more than read
├── LeaseTakenError           another run is at work on the partition
└── LeaseLostError            another run took the partition over from this one
"""

from locomo_assets.errors import IMPOSSIBLE, LocomoError


class HistoryError(LocomoError):
    """The base of the history's errors."""


class HistoryUnreachableError(HistoryError):
    """The history's folder, disk or bucket can't be read or written."""


class NothingMeasuredError(HistoryUnreachableError):
    """There is no history where one was to be read, or nothing in it yet."""

    exit_code = IMPOSSIBLE


class DatabaseLockedError(HistoryUnreachableError):
    """Another program has `history.duckdb` open to write. The attempts do not depend on it."""


class HistoryVersionError(HistoryError):
    """The history was written by a newer version."""


class HistoryDamagedError(HistoryError):
    """A data file or manifest is missing, torn or changed."""


class HistoryRowError(HistoryError):
    """Rows that do not fit the schema."""


class HistoryQueryError(HistoryError):
    """SQL that the database can't or must not run."""


class LeaseTakenError(HistoryError):
    """Another run is at work on the partition."""


class LeaseLostError(HistoryError):
    """Another run took the partition over from this one."""
