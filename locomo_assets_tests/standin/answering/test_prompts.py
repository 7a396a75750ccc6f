"""Reading answerers' prompts."""

from datetime import UTC, datetime

import pytest

from locomo_assets.standin.answering.prompts import read_prompt

NUMBERED = """Answer from the memories. Rules:
1. Be brief.
2. Do not guess.

Memories:
1. [8 May 2023] Ann: I adopted a dog.
Her name is Biscuit.
2. 2023-06-09T10:00:00Z: Ben: My bike is red.
10. Ann: I sing.

Question: Whose dog
is Biscuit?

Answer:"""

TWO_BLOCKS = """# Memories of Ann:

Ann: I adopted a dog.

# Memories of Ben:

Ben: My bike is red.

**Question:** Who cycles?"""

AFTERWARDS = """Question: Who cycles?

Memories:
- Ann: I sing.
* Ben: My bike is red."""

NO_LABELS = """What you know:
[8 May 2023] Ann: I adopted a dog.
Who has a dog?"""


@pytest.mark.parametrize(
    ("text", "question", "memories"),
    [
        (
            NUMBERED,
            "Whose dog is Biscuit?",
            ["Ann: I adopted a dog.\nHer name is Biscuit.", "Ben: My bike is red.", "Ann: I sing."],
        ),
        (TWO_BLOCKS, "Who cycles?", ["Ann: I adopted a dog.", "Ben: My bike is red."]),
        (AFTERWARDS, "Who cycles?", ["Ann: I sing.", "Ben: My bike is red."]),
        ("Question: Who?", "Who?", []),
        ("Memories:\n\nQuestion: Who?", "Who?", []),
    ],
)
def test_question_and_memories(text: str, question: str, memories: list[str]) -> None:
    prompt = read_prompt(text)
    assert prompt is not None
    assert prompt.question == question
    assert [memory.text for memory in prompt.memories] == memories


def test_dates_of_memories() -> None:
    prompt = read_prompt(NUMBERED)
    assert prompt is not None
    first, second, undated = (memory.said_at for memory in prompt.memories)
    assert (first, second) == (datetime(2023, 5, 8, tzinfo=UTC), datetime(2023, 6, 9, tzinfo=UTC))
    assert abs((datetime.now(UTC) - undated).total_seconds()) < 60


def test_a_day_that_does_not_exist_is_part_of_the_text() -> None:
    prompt = read_prompt("- [31 June 2023] Ann: I sing.\nQuestion: Who?")
    assert prompt is not None
    assert [memory.text for memory in prompt.memories] == ["[31 June 2023] Ann: I sing."]


def test_without_a_label_the_last_line_asks() -> None:
    prompt = read_prompt(NO_LABELS)
    assert prompt is not None
    assert prompt.question == "Who has a dog?"
    assert [memory.text for memory in prompt.memories] == ["Ann: I adopted a dog."]


@pytest.mark.parametrize("text", ["", "Hello!", "How are\nyou?", "Question:"])
def test_what_is_no_answerers_prompt(text: str) -> None:
    assert read_prompt(text) is None
