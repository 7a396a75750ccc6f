"""What a reply without words is; in doubt a judge decides."""

import pytest

from locomo_assets.locomo.wordless import has_words


@pytest.mark.parametrize(
    "reply",
    [
        "", " \n\t", "\u200b", "\ufeff", "\u3164", "\ufffd", "***", "---", "…", "?", '""', "{}",
        "[]", "```\n```", "<br>", "<br/>", "<p></p>", "<b> </b>", "&nbsp;", "<think>\n</think>\n",
        '<a href="https://here.example">', "───", "• \n• ",
    ],
)  # fmt: skip
def test_white_space_punctuation_and_tags_say_nothing(reply: str) -> None:
    assert not has_words(reply)


@pytest.mark.parametrize(
    "reply",
    [
        "No.", "7", "½", "是", "é", "**Yes**", "<b>yes</b>", "👍", "✓", "<unknown>", "<3", "a<b",
        "<i don't know>", "<a dog>", "<answer unknown>", "null", "N/A", "```json\n```",
    ],
)  # fmt: skip
def test_a_letter_a_digit_or_a_picture_says_something(reply: str) -> None:
    assert has_words(reply)


def test_a_hostile_reply_is_read_in_no_time() -> None:
    assert has_words("<a" + " x=1" * 50_000)
    assert not has_words("<" * 100_000)
