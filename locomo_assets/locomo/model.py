"""The data set as frozen values: conversations, sessions, turns, questions, their categories.

Also its errors, and the values as rows of the history's four tables, there and back.
"""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from locomo_assets.errors import IMPOSSIBLE, LocomoError


class DatasetError(LocomoError):
    """The data set can't be used; the message names the file, the place and the way out."""

    exit_code = IMPOSSIBLE


class AuditError(LocomoError):
    """The audit can't be used, or not with this data set; the message says where and why."""

    exit_code = IMPOSSIBLE


def named_categories(numbers: Iterable[int]) -> str:
    """`categories 1–4`, `categories 1, 4`, `category 2`; `no category` where there is none."""
    present = sorted(set(numbers))
    if len(present) < 2:
        return f"category {present[0]}" if present else "no category"
    whole = present == list(range(present[0], present[-1] + 1)) and len(present) > 2
    text = f"{present[0]}–{present[-1]}" if whole else ", ".join(map(str, present))
    return f"categories {text}"


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


Row = dict[str, Any]


def to_rows(dataset: Dataset) -> dict[str, list[Row]]:
    """Table name → rows, for `conversations`, `sessions`, `turns` and `questions`."""
    rows: dict[str, list[Row]] = {"conversations": [], "sessions": [], "turns": [], "questions": []}
    for conversation in dataset.conversations:
        key = {"conversation": conversation.conversation}
        rows["conversations"].append(
            key
            | {
                "speaker_a": conversation.speaker_a,
                "speaker_b": conversation.speaker_b,
                "sessions": len(conversation.sessions),
                "turns": len(conversation.turns),
                "questions": len(conversation.questions),
                "source": dataset.source,
            }
        )
        rows["sessions"].extend(key | _session_row(session) for session in conversation.sessions)
        rows["turns"].extend(key | _turn_row(turn) for turn in conversation.turns)
        rows["questions"].extend(
            key | _question_row(question) for question in conversation.questions
        )
    return rows


def from_rows(rows: Mapping[str, Sequence[Mapping[str, Any]]], conversation: str) -> Conversation:
    """The inverse of `to_rows` for one conversation; ignores rows of others.

    `rows` maps the four table names to rows in any order. Raises DatasetError unless they hold
    the conversation once, with as many sessions, turns and questions as it states.
    """
    mine = {
        table: [row for row in rows.get(table, ()) if row["conversation"] == conversation]
        for table in ("conversations", "sessions", "turns", "questions")
    }
    if len(mine["conversations"]) != 1:
        raise DatasetError(
            f"conversation {conversation!r} is in the history's current data set "
            f"{len(mine['conversations'])} times, not once; materialize locomo_dataset again"
        )
    head = mine["conversations"][0]
    for table in ("sessions", "turns", "questions"):
        if len(mine[table]) != head[table]:
            raise DatasetError(
                f"conversation {conversation!r} should have {head[table]} {table} but the history "
                f"holds {len(mine[table])}; materialize locomo_dataset again"
            )
    turns: dict[int, list[Turn]] = {}
    for row in sorted(mine["turns"], key=lambda row: (row["session_index"], row["turn_index"])):
        turns.setdefault(row["session_index"], []).append(_turn(row))
    return Conversation(
        conversation=conversation,
        speaker_a=head["speaker_a"],
        speaker_b=head["speaker_b"],
        sessions=tuple(
            Session(
                session_index=row["session_index"],
                started_at=row["started_at"].astimezone(UTC),
                date_text=row["date_text"],
                turns=tuple(turns.get(row["session_index"], ())),
            )
            for row in sorted(mine["sessions"], key=lambda row: int(row["session_index"]))
        ),
        questions=tuple(
            _question(row)
            for row in sorted(mine["questions"], key=lambda row: int(row["question_index"]))
        ),
    )


def _session_row(session: Session) -> Row:
    return {
        "session_index": session.session_index,
        "started_at": session.started_at,
        "date_text": session.date_text,
        "turns": len(session.turns),
    }


def _turn_row(turn: Turn) -> Row:
    return {
        "session_index": turn.session_index,
        "turn_index": turn.turn_index,
        "dia_id": turn.dia_id,
        "speaker": turn.speaker,
        "text": turn.text,
        "image_urls": list(turn.image_urls),
        "image_query": turn.image_query,
        "image_caption": turn.image_caption,
    }


def _turn(row: Mapping[str, Any]) -> Turn:
    return Turn(
        session_index=row["session_index"],
        turn_index=row["turn_index"],
        dia_id=row["dia_id"],
        speaker=row["speaker"],
        text=row["text"],
        image_urls=tuple(row["image_urls"]),
        image_query=row["image_query"],
        image_caption=row["image_caption"],
    )


def _question_row(question: Question) -> Row:
    return {
        "question_index": question.question_index,
        "category": question.category,
        "question": question.question,
        "gold_answer": question.gold_answer,
        "adversarial_answer": question.adversarial_answer,
        "evidence_as_written": list(question.evidence_as_written),
        "evidence": list(question.evidence),
        "evidence_unresolved": list(question.evidence_unresolved),
    }


def _question(row: Mapping[str, Any]) -> Question:
    return Question(
        question_index=row["question_index"],
        category=row["category"],
        question=row["question"],
        gold_answer=row["gold_answer"],
        adversarial_answer=row["adversarial_answer"],
        evidence_as_written=tuple(row["evidence_as_written"]),
        evidence=tuple(row["evidence"]),
        evidence_unresolved=tuple(row["evidence_unresolved"]),
    )
