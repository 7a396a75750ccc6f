"""What is said to the service for a turn.

Here: the message's text and date, as the published measurement has them. Sending is `ingesting`.

Source: Backboard's published LoCoMo benchmark script. Only a turn with an image URL gets its
image's words: 316 captions of the data set stand on turns without one and are lost there, too.
"""

from locomo_assets.locomo.model import Session, Turn


def message_text(turn: Turn) -> str:
    """`speaker: text`, with the image's query and caption where the turn shares an image."""
    return f"{turn.speaker}: {turn.text}{_image(turn)}"


def session_texts(session: Session) -> tuple[str, ...]:
    """The messages of a session, in order."""
    return tuple(message_text(turn) for turn in session.turns)


def same_text(one: str, other: str) -> bool:
    """Whether two texts are one message; servers may trim or fold white space."""
    return one == other or one.split() == other.split()


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
