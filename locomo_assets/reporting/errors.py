"""What can't be reported, for people.

Here: the tree. ::

    ReportingError
    ├── UnknownReleaseError      a release the history has no verdicts of
    └── NotComparableError       two releases that were not measured alike

`comparison` and `series` raise them.
"""

from locomo_assets.errors import LocomoError


class ReportingError(LocomoError):
    """Something that can't be reported."""


class UnknownReleaseError(ReportingError):
    """The history has no verdicts of the release."""


class NotComparableError(ReportingError):
    """Judge, question protocol, data set or questions of two releases differ."""
