"""Text of a turn by the published measurement's rules; a whole conversation as one message."""

from pathlib import Path

import pytest

import locomo_assets
from locomo_assets.backboard.messages import (
    conversation_text,
    message_text,
    same_text,
    session_texts,
    with_conversation,
)
from locomo_assets.locomo.model import Conversation
from locomo_assets.locomo.parsing import read_dataset
from locomo_assets_tests.backboard.factories import turn
from locomo_assets_tests.locomo.factories import encoded, small_file

REAL = Path(locomo_assets.__file__).parents[2] / "shared" / "data" / "locomo10.json"


@pytest.mark.parametrize(
    ("image", "ending"),
    [
        ({}, ""),
        ({"url": True}, ""),
        (
            {"url": True, "query": "dog", "caption": "a dog on grass"},
            " [Sharing image - query: dog. The image shows: a dog on grass]",
        ),
        ({"url": True, "query": "dog"}, " [Sharing image - query for: dog]"),
        ({"url": True, "caption": "a dog"}, " [Sharing image that shows: a dog]"),
        ({"url": True, "query": "", "caption": "a dog"}, " [Sharing image that shows: a dog]"),
        ({"query": "dog", "caption": "a dog on grass"}, ""),
    ],
)
def test_the_words_of_an_image(image: dict[str, object], ending: str) -> None:
    assert message_text(turn(1, 0, "Look!", **image)) == f"Ann: Look!{ending}"


def test_white_space_makes_no_other_message() -> None:
    assert same_text("Ann: so \n what ", "Ann: so what")
    assert not same_text("Ann: so what", "Ann: so what?")


@pytest.mark.real_data
@pytest.mark.skipif(not REAL.exists(), reason="the real data set is not here")
def test_the_real_data_set_has_910_images_and_no_other_caption() -> None:
    dataset = read_dataset(str(REAL))
    turns = [turn for conversation in dataset.conversations for turn in conversation.turns]
    texts = [
        text
        for conversation in dataset.conversations
        for session in conversation.sessions
        for text in session_texts(session)
    ]
    assert len(texts) == len(turns) == 5882
    assert sum(text.endswith("]") and " [Sharing image" in text for text in texts) == 910
    assert sum(turn.image_caption is not None for turn in turns) == 1226


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
