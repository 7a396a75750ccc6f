"""A small conversation to ingest and to ask about."""

from datetime import UTC, datetime

from locomo_assets.locomo.model import Conversation, Question, Session, Turn


def turn(session_index: int, turn_index: int, text: str, **image: object) -> Turn:
    return Turn(
        session_index=session_index,
        turn_index=turn_index,
        dia_id=f"D{session_index}:{turn_index + 1}",
        speaker=("Ann", "Ben")[turn_index % 2],
        text=text,
        image_urls=("https://pictures.invalid/1.jpg",) if image.get("url") else (),
        image_query=str(image["query"]) if "query" in image else None,
        image_caption=str(image["caption"]) if "caption" in image else None,
    )


def session(session_index: int, *texts: str) -> Session:
    return Session(
        session_index=session_index,
        started_at=datetime(2023, 5, 7 + session_index, 13, 56, tzinfo=UTC),
        date_text="",
        turns=tuple(turn(session_index, index, text) for index, text in enumerate(texts)),
    )


def question(index: int, text: str) -> Question:
    return Question(
        question_index=index,
        category=4,
        question=text,
        gold_answer="",
        adversarial_answer=None,
        evidence_as_written=(),
        evidence=(),
        evidence_unresolved=(),
    )


# Sessions begin alike and a turn repeats, as in the data set: position counts, not text.
CONVERSATION = Conversation(
    conversation="conv-t",
    speaker_a="Ann",
    speaker_b="Ben",
    sessions=(
        session(1, "Hey Ben!", "Hey Ann!", "I adopted a dog called Rex.", "Great!"),
        session(2, "Hey Ben!", "Hey Ann!", "I moved to Lisbon yesterday.", "Great!", "Great!"),
        session(3, "I bought a cello."),
    ),
    questions=(
        question(0, "What is Ann's dog called?"),
        question(1, "Where did Ann move?"),
        question(2, "What did Ann buy?"),
        question(3, "What is Ann's dog called?"),
        question(4, "Who plays the cello?"),
    ),
)
TEXTS = [
    [f"{turn.speaker}: {turn.text}" for turn in session.turns] for session in CONVERSATION.sessions
]
