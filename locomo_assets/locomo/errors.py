"""What can be wrong with a data set or an audit of it, as errors for people.

Here: the errors of this room. Where they are raised: `reading`, `parsing`, `rows` and `audit`.
"""

from locomo_assets.errors import LocomoError


class DatasetError(LocomoError):
    """The data set cannot be used as it is; the text names the file, the place and the way out."""


class AuditError(LocomoError):
    """The audit cannot be used as it is, or not with this data set; the text says where and why."""
