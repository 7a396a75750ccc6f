"""What a batch is, to whoever wants verdicts by one.

Here: the shapes alone, free of the `openai` package, which takes long to import. The judge that is
asked by batches is `batch`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from locomo_assets.judging.judge import Judgement

GONE = "gone"
"""The status of a batch that its server does not know, with this key."""

_OVER = ("completed", "failed", "expired", "cancelled", GONE)


@dataclass(frozen=True, slots=True)
class Case:
    """What a verdict is asked about."""

    question: str
    gold_answer: str
    answer: str


@dataclass(frozen=True, slots=True)
class BatchState:
    """How far a batch is: requests `done`, well or not, of `total`; times are UTC.

    `why` says what is wrong with a batch that failed as a whole.
    """

    batch_id: str
    status: str
    created_at: datetime | None = None
    done: int = 0
    total: int = 0
    files: tuple[str, ...] = ()
    why: str | None = None

    @property
    def is_over(self) -> bool:
        """Whether nothing more will come of it."""
        return self.status in _OVER


@dataclass(frozen=True, slots=True)
class Collected:
    """By fingerprint, and what all the requests took."""

    judgements: Mapping[str, Judgement]
    input_tokens: int
    output_tokens: int
