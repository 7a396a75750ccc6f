"""Extractive answers: the sentence that fits, and a date for "when"."""

from datetime import UTC, datetime

import pytest

from locomo_assets.standin import retrieval
from locomo_assets.standin.records import Memory
from locomo_assets.standin.retrieval import Found, Words

WORDS = Words()


def found(*texts: str, day: int = 8) -> list[Found]:
    said_at = datetime(2023, 5, day, tzinfo=UTC)
    return [
        Found(Memory(str(number), text, said_at, "thread", "message", 0.0), 3.0 / (number + 1))
        for number, text in enumerate(texts)
    ]


def test_nothing_found_is_said_so() -> None:
    assert retrieval.answer("Where is Ada?", [], WORDS) == retrieval.UNKNOWN


def test_the_sentence_that_fits_stands_first() -> None:
    hits = found("Ada: Hi Bob! I moved here from Sweden four years ago. Nice weather.")
    answer = retrieval.answer("Where did Ada move from?", hits, WORDS)
    assert answer.startswith("Ada: I moved here from Sweden four years ago.")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Ada: I went to the support group yesterday and it was powerful.", "7 May 2023"),
        ("Ada: I joined the support group last Friday.", "5 May 2023"),
        ("Ada: I went to the support group last week.", "The week before 8 May 2023"),
        ("Ada: The support group was great.", "8 May 2023"),
    ],
)
def test_when_is_answered_by_a_date(text: str, expected: str) -> None:
    answer = retrieval.answer("When did Ada go to the support group?", found(text), WORDS)
    assert answer.startswith(expected)
    assert "support group" in answer


def test_the_date_of_the_fitting_sentence_counts() -> None:
    text = "Ada: Last year I sang. Yesterday I ran a charity race."
    answer = retrieval.answer("When did Ada run the charity race?", found(text), WORDS)
    assert answer.startswith("7 May 2023")


def test_questions_are_no_answers_while_there_are_statements() -> None:
    hits = found("When did Ada adopt the dog?", "Ada: We adopted the dog yesterday.")
    answer = retrieval.answer("When did Ada adopt the dog?", hits, WORDS)
    assert answer.startswith("7 May 2023: Ada: We adopted the dog")
    only_questions = found("Bob: Did you adopt the dog yesterday?")
    assert retrieval.answer("When did Ada adopt the dog?", only_questions, WORDS).startswith(
        "7 May"
    )


def test_it_is_deterministic() -> None:
    hits = found("Ada: I paint. I sing. I dance. I read.", "Bob: I paint too.")
    answers = {retrieval.answer("What does Ada paint?", hits, WORDS) for _ in range(5)}
    assert len(answers) == 1
