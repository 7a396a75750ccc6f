"""A release as a feed names it, and the error of a feed that can't be read.

Here: those two, and how a label is made of a version. Reading is `parsing` and `fetching`.
"""

import re
from dataclasses import dataclass
from datetime import datetime

from locomo_assets.errors import LocomoError

_UNFIT = re.compile(r"[^\w.+@:~=-]+")
_LONGEST = 100


class FeedError(LocomoError):
    """A feed was not reached, or what it serves is not what its kind says.

    Never to be taken for "nothing new".
    """


@dataclass(frozen=True, slots=True)
class FeedRelease:
    """`label` is what the release is called here: its version, fit for a partition key.

    `published_at` (UTC) and `url` are None where the feed does not tell.
    """

    label: str
    published_at: datetime | None = None
    url: str | None = None


def label_of(version: str) -> str:
    """A version as a label, without what no label may hold; FeedError if nothing is left."""
    label = _UNFIT.sub("-", version.strip())[:_LONGEST].strip("-")
    if not label:
        raise FeedError(f"version {version!r:.80} can't be made a label")
    return label
