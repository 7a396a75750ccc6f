"""The whole conversation as one message: every session dated, every turn as it is ingested."""

from pathlib import Path

from locomo_assets.backboard.messages import conversation_text, message_text, with_conversation
from locomo_assets.locomo.model import Conversation
from locomo_assets.locomo.parsing import read_dataset
from locomo_assets_tests.locomo.factories import encoded, small_file

TOLD = """The conversation of Ada and Bo:

Session 1, 2023-05-08 13:56 UTC
Ada: I bought a kite.
Bo: Show me! [Sharing image - query: red kite. The image shows: a photo of a red kite]

Session 2, 2023-06-01 00:05 UTC
Ada: It flew away."""


def small(folder: Path) -> Conversation:
    path = folder / "small.json"
    path.write_bytes(encoded(small_file()))
    return read_dataset(str(path)).conversations[0]


def test_question_stands_on_the_last_line(tmp_path: Path) -> None:
    conversation = small(tmp_path)
    message = with_conversation(conversation)(conversation.questions[0])
    assert message == (
        f"{TOLD}\n\nAnswer this question about the conversation above:\nWhat did Ada buy?"
    )


def test_every_real_turn_is_told_once_a_line(real_dataset: Path) -> None:
    for conversation in read_dataset(str(real_dataset)).conversations:
        lines = conversation_text(conversation).split("\n")
        turns = [" ".join(message_text(turn).split()) for turn in conversation.turns]
        assert [line for line in lines if line in set(turns)] == turns
        assert len(lines) == 1 + 2 * len(conversation.sessions) + len(turns)
