"""The texts that are sent: for a turn, and for a question with its conversation or evidence.

Source: Backboard's published LoCoMo benchmark script. Only a turn with an image URL gets its
image's words: the script, too, loses the 316 captions of turns without one.
"""

from collections.abc import Callable
from dataclasses import replace

from locomo_assets.locomo.model import Conversation, Question, Session, Turn
from locomo_assets.redaction import hide_in_answer


def message_text(turn: Turn) -> str:
    """`speaker: text`, with the image's query and caption where the turn shares an image."""
    return f"{turn.speaker}: {turn.text}{_image(turn)}"


def session_texts(session: Session) -> tuple[str, ...]:
    """The messages of a session, in order."""
    return tuple(message_text(turn) for turn in session.turns)


def same_text(one: str, other: str) -> bool:
    """Whether two texts are one message: see `fold`."""
    return one == other or fold(one) == fold(other)


def fold(text: str) -> str:
    """What is equal of two texts that are one message: a server may trim or fold white space.

    A text of ours may hold a key; where it is read back, the key was taken out of it.
    """
    return " ".join(hide_in_answer(text).split())


def _image(turn: Turn) -> str:
    if not any(turn.image_urls):
        return ""
    query, caption = turn.image_query, turn.image_caption
    if query and caption:
        return f" [Sharing image - query: {query}. The image shows: {caption}]"
    if query:
        return f" [Sharing image - query for: {query}]"
    if caption:
        return f" [Sharing image that shows: {caption}]"
    return ""


def with_conversation(conversation: Conversation) -> Callable[[Question], str]:
    """From a question to its message. Other words here need a new `AskProtocol.version`."""
    context = conversation_text(conversation)

    def message(question: Question) -> str:
        return _about(context, question)

    return message


def with_evidence(conversation: Conversation) -> Callable[[Question], str]:
    """From a question to its message, with no turns but those that the data set names as evidence.

    A question without evidence is sent alone. Other words need a new `AskProtocol.version`.
    """

    def message(question: Question) -> str:
        evidence = frozenset(question.evidence)
        sessions = [
            replace(session, turns=tuple(t for t in session.turns if t.dia_id in evidence))
            for session in conversation.sessions
        ]
        told = replace(conversation, sessions=tuple(one for one in sessions if one.turns))
        return _about(conversation_text(told), question) if told.sessions else question.question

    return message


def conversation_text(conversation: Conversation) -> str:
    """All sessions in order, each under its date (UTC), with one line for each turn."""
    sessions = [
        "\n".join(
            (
                f"Session {session.session_index}, {session.started_at:%Y-%m-%d %H:%M} UTC",
                *(" ".join(text.split()) for text in session_texts(session)),
            )
        )
        for session in conversation.sessions
    ]
    head = f"The conversation of {conversation.speaker_a} and {conversation.speaker_b}:"
    return "\n\n".join((head, *sessions))


def _about(context: str, question: Question) -> str:
    return f"{context}\n\nAnswer this question about the conversation above:\n{question.question}"
