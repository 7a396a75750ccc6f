"""What is said for a turn, by the published measurement's rules."""

from pathlib import Path

import pytest

import locomo_assets
from locomo_assets.backboard.messages import message_text, same_text, session_texts
from locomo_assets.locomo.parsing import read_dataset
from locomo_assets_tests.backboard.conversations import turn

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
