"""The data set as frozen values: conversations, sessions, turns, questions, and their categories.

Also its errors, and resolving evidence ids to turns.
"""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from locomo_assets.errors import LocomoError


class DatasetError(LocomoError):
    """The data set can't be used; the message names the file, the place and the way out."""


class AuditError(LocomoError):
    """The audit can't be used, or not with this data set; the message says where and why."""


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
    """One session. `started_at` is the file's date read as UTC; `date_text` is as written."""

    session_index: int
    started_at: datetime
    date_text: str
    turns: tuple[Turn, ...]


@dataclass(frozen=True, slots=True)
class Question:
    """One question with its gold answer.

    `gold_answer` is text even if the file has a number, and None for adversarial questions without
    one; `adversarial_answer` is their trap. `evidence_as_written` is from the file, `evidence` the
    dia_ids of existing turns found in it, and `evidence_unresolved` the rest.
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
    """A conversation of two people, with its sessions in order and its questions in file order."""

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
    """A data set file. `source` is its path or URL, without credentials."""

    sha256: str
    source: str
    size_bytes: int
    conversations: tuple[Conversation, ...]


ADVERSARIAL = 5
"""Questions with a false premise: asked only on request, never averaged with the rest."""

OFFICIAL_NAMES: dict[int, str] = {
    1: "multi-hop",
    2: "temporal",
    3: "open-domain",
    4: "single-hop",
    ADVERSARIAL: "adversarial",
}
"""The paper's names of the categories."""

VENDOR_NAMES: dict[int, str] = {
    1: "single-hop",
    2: "temporal",
    3: "multi-hop",
    4: "open-domain",
    ADVERSARIAL: "adversarial",
}
"""The names that vendors print for the categories."""

SCORED_CATEGORIES: tuple[int, ...] = (1, 2, 3, 4)
"""The categories that published scores average."""

_SEPARATORS = re.compile(r"[;,\s]+")
_TURN_ID = re.compile(r"D:?0*(\d+):0*(\d+)", re.ASCII)


def resolve_evidence(
    as_written: Sequence[str], dia_ids: Collection[str]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the ids of existing turns, and the rest as written, in order and without repeats.

    Accepts several ids in one string (`D8:6; D9:17`, `D9:1 D4:4`), padded numbers (`D30:05`) and
    a stray colon (`D:11:26`).
    """
    found: dict[str, None] = {}
    rest: dict[str, None] = {}
    for written in as_written:
        if written in dia_ids:
            found[written] = None
            continue
        for piece in filter(None, _SEPARATORS.split(written)):
            dia_id = _existing(piece, dia_ids)
            if dia_id is None:
                rest[piece] = None
            else:
                found[dia_id] = None
    return tuple(found), tuple(rest)


def _existing(piece: str, dia_ids: Collection[str]) -> str | None:
    if piece in dia_ids:
        return piece
    match = _TURN_ID.fullmatch(piece)
    if match is None:
        return None
    dia_id = f"D{match[1]}:{match[2]}"
    return dia_id if dia_id in dia_ids else None
