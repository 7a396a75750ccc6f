"""What an import brings in, as frozen values that every format is read into.

Here: the values and the one error. The formats are `backboard_published` and `jsonl`, storing is
`saving`.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from locomo_assets.errors import LocomoError
from locomo_assets.judging.verdict import Verdict
from locomo_assets.locomo.model import Question


class ImportRefusedError(LocomoError):
    """The files are not results on this data set; names file, place and cause. Nothing is kept."""

    exit_code = 2


@dataclass(frozen=True, slots=True)
class ImportedFile:
    """A file that results came from. `conversation` is None where it may hold several."""

    file: str
    sha256: str
    size_bytes: int
    questions: int
    conversation: str | None

    @classmethod
    def of(
        cls, file: str, data: bytes, questions: int, conversation: str | None = None
    ) -> "ImportedFile":
        """The file of these bytes."""
        return cls(file, hashlib.sha256(data).hexdigest(), len(data), questions, conversation)


@dataclass(frozen=True, slots=True)
class ImportedVerdict:
    """A verdict as its file states it.

    `judge` holds the columns of `judgements` that say who judged, as far as stated. `votes` were
    given; `agreement` is the share of them that gave this verdict, None where it is unscored.
    """

    judge: Mapping[str, Any]
    verdict: Verdict
    reasoning: str | None = None
    reason: str | None = None
    votes: int = 1
    agreement: float | None = None


@dataclass(frozen=True, slots=True)
class ImportedAnswer:
    """A question's answer (None: unanswered, for `reason`) and its verdicts, a judge each.

    What the file does not state is None: tokens, times in ms, and `retrieved`, the texts of the
    memories retrieved for it by rank.
    """

    conversation: str
    question: Question
    answer: str | None
    reason: str | None
    llm_model: str
    llm_provider: str | None = None
    memory_mode: str | None = None
    latency_ms: float | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    retrieved: tuple[str, ...] | None = None
    verdicts: tuple[ImportedVerdict, ...] = field(default=())


@dataclass(frozen=True, slots=True)
class ImportedResults:
    """All that the files of one import hold. `format` is the importer's name and version."""

    format: str
    system: str
    question_protocol: str
    files: tuple[ImportedFile, ...]
    answers: tuple[ImportedAnswer, ...]
