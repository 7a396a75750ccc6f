"""The data set as rows of its four tables in the history, and back.

Rows have the tables' own columns and `conversation`; other lineage columns are ignored on reading.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC
from typing import Any

from locomo_assets.locomo.model import Conversation, Dataset, DatasetError, Question, Session, Turn

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
