"""A question with the whole conversation before it, as one message.

Here: the text of the `full-context` protocol. Turns read as they are ingested (`turns`), and each
session has its date, so that the model is told just what the memory would have been told.
"""

from collections.abc import Callable

from locomo_assets.backboard.turns import session_texts
from locomo_assets.locomo.model import Conversation, Question


def with_conversation(conversation: Conversation) -> Callable[[Question], str]:
    """Question → message. A change of its words needs a new `AskProtocol.version`."""
    told = conversation_text(conversation)

    def message(question: Question) -> str:
        return f"{told}\n\nAnswer this question about the conversation above:\n{question.question}"

    return message


def conversation_text(conversation: Conversation) -> str:
    """All sessions in order, each under its date (UTC), a line a turn."""
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
