"""What a LoCoMo data set is, as frozen values.

Here: the shapes that every other room shares. Reading and validating files is `reading`;
what category numbers mean is `categories`.

Identity (also in the history): a data set is the SHA-256 of its file; a conversation its
`sample_id`; a session its number in the file (from 1); a turn its `dia_id`; a question its
conversation and position in the conversation's list (from 0), never its text, because texts
repeat. Source: Maharana et al., ACL 2024, and github.com/snap-research/locomo.
"""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Turn:
    """One utterance. `turn_index` counts from 0 within its session."""

    session_index: int
    turn_index: int
    dia_id: str
    speaker: str
    text: str
    image_urls: tuple[str, ...]
    image_query: str | None
    image_caption: str | None


@dataclass(frozen=True, slots=True)
class Session:
    """One sitting. `started_at` is the file's date read as UTC; `date_text` is as written."""

    session_index: int
    started_at: datetime
    date_text: str
    turns: tuple[Turn, ...]


@dataclass(frozen=True, slots=True)
class Question:
    """One question with its gold answer.

    `gold_answer` is text even where the file has a number, and None for adversarial questions
    without one; `adversarial_answer` is their trap. `evidence_as_written` is what the file says,
    `evidence` the dia_ids of existing turns that could be read from it, `evidence_unresolved`
    the rest, as written.
    """

    question_index: int
    category: int
    question: str
    gold_answer: str | None
    adversarial_answer: str | None
    evidence_as_written: tuple[str, ...]
    evidence: tuple[str, ...]
    evidence_unresolved: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Conversation:
    """A long two-person conversation, its sessions in order, its questions in file order."""

    conversation: str
    speaker_a: str
    speaker_b: str
    sessions: tuple[Session, ...]
    questions: tuple[Question, ...]

    @property
    def turns(self) -> tuple[Turn, ...]:
        """All turns, in the order they were said."""
        return tuple(turn for session in self.sessions for turn in session.turns)


@dataclass(frozen=True, slots=True)
class Dataset:
    """A whole file. `source` is the path or URL it was read from (without credentials)."""

    sha256: str
    source: str
    size_bytes: int
    conversations: tuple[Conversation, ...]
