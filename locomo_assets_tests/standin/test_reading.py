"""What the stand-in takes from a message that tells something before it asks."""

from datetime import UTC, datetime

from locomo_assets.standin import retrieval
from locomo_assets.standin.retrieval import Words
from locomo_assets.standin.service import Reader

TOLD = """The conversation of Ann and Ben:

Session 1, 2023-05-08 13:56 UTC
Ann: I adopted a dog called Biscuit yesterday.
Ben: My new bike is red.

Session 2, 2023-06-09 10:00 UTC
Ben: I went to the opera last Friday."""


def test_a_single_line_is_its_question_and_tells_nothing() -> None:
    assert Reader(Words()).read("What is Ann's dog called?\n", 10) == (
        "What is Ann's dog called?\n",
        [],
    )


def test_lines_before_the_last_are_found_and_dated_by_their_heading() -> None:
    reader = Reader(Words())
    for _ in range(2):
        question, found = reader.read(f"{TOLD}\n\nAnswer this:\nWho went to the opera?", 10)
        assert question == "Who went to the opera?"
        assert found[0].memory.text == "Ben: I went to the opera last Friday."
        assert found[0].memory.said_at == datetime(2023, 6, 9, 10, tzinfo=UTC)


def test_the_answer_is_extracted_from_them() -> None:
    question, found = Reader(Words()).read(f"{TOLD}\nWhen did Ann adopt a dog?", 10)
    assert "7 May 2023" in retrieval.answer(question, found, Words())


def test_text_that_cannot_be_read_is_no_failure() -> None:
    reader = Reader(Words())
    for told in ("2023-99-99", ":\n:", "\n \n", "Ann: ?"):
        assert reader.read(f"{told}\nWho?", 10)[1] == []
