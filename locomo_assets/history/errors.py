"""What can go wrong with the history, for people.

Here: the tree. ::

    HistoryError
    ├── HistoryUnreachableError   the place can't be read or written (folder, disk, bucket)
    ├── HistoryVersionError       made by a newer version of this program
    ├── HistoryDamagedError       a data file or manifest is missing, torn or changed
    ├── HistoryRowError           rows that do not fit the schema
    ├── HistoryQueryError         SQL that is wrong, or wants more than reading
    ├── LeaseTakenError           another run is at work on the partition
    └── LeaseLostError            another run took the partition over from this one

The codes that raise them are `storage`, `store`, `database`, `care` and `lease`.
"""

from locomo_assets.errors import LocomoError


class HistoryError(LocomoError):
    """Something about the history."""


class HistoryUnreachableError(HistoryError):
    """The history's place can't be read or written."""


class HistoryVersionError(HistoryError):
    """The history was written by a newer version."""


class HistoryDamagedError(HistoryError):
    """What a manifest promises is not what lies there."""


class HistoryRowError(HistoryError):
    """Rows that do not fit the schema."""


class HistoryQueryError(HistoryError):
    """SQL that can't be run on the database."""


class LeaseTakenError(HistoryError):
    """Another run is at work on the partition."""


class LeaseLostError(HistoryError):
    """Another run took the partition over from this one."""
