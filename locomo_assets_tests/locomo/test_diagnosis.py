"""Why an answer is wrong, told from how far its evidence came."""

import pytest

from locomo_assets.locomo.diagnosis import Piece, contains, diagnose, furthest, says_unknown

HERE = Piece("D1:1", "completed", True, True, 2)
MISSED = Piece("D1:2", "completed", True, False, None)
FAILED = Piece("D1:3", "error", False, False, None)
UNKNOWN = Piece("D1:4", None, None, None, None)


@pytest.mark.parametrize(
    ("pieces", "stage"),
    [
        ([HERE], "retrieved"),
        ([HERE, MISSED], "not_retrieved"),
        ([HERE, MISSED, FAILED], "never_stored"),
        ([HERE, UNKNOWN], "unknown"),
        ([MISSED, UNKNOWN], "not_retrieved"),
        ([], "unknown"),
    ],
)
def test_the_first_stage_at_which_a_piece_was_lost(pieces: list[Piece], stage: str) -> None:
    assert furthest(pieces) == stage


@pytest.mark.parametrize(
    ("category", "answer", "pieces", "reason", "detail"),
    [
        (1, "In Rome.", [FAILED], "never_stored", "D1:3 is in no memory: its operation failed"),
        (
            1,
            "In Rome.",
            [HERE, MISSED],
            "not_retrieved",
            "D1:2 is stored and was not retrieved; 1 of 2 evidence turns retrieved",
        ),
        (
            1,
            "In Rome.",
            [HERE],
            "retrieved_not_used",
            "wrong with the evidence D1:1 (rank 2) at hand",
        ),
        (1, "I don't know.", [MISSED], "not_retrieved", "D1:2 is stored and was not retrieved"),
        (
            1,
            "I don't know.",
            [HERE],
            "declined",
            "it says that it does not know, with the evidence D1:1 (rank 2) at hand",
        ),
        (1, "I don't know.", [UNKNOWN], "declined", "it says that it does not know"),
        (1, "In Rome.", [UNKNOWN], "unknown", "its memories can't be traced to the evidence"),
        (1, "In Rome.", [], "unknown", "the question names no evidence"),
        (
            5,
            "In Rome.",
            [HERE],
            "not_declined",
            "it answers a question that has no answer in the conversation",
        ),
    ],
)  # fmt: skip
def test_reasons(category: int, answer: str, pieces: list[Piece], reason: str, detail: str) -> None:
    found = diagnose(category, "In Paris", answer, pieces, memory_is_off=False)
    assert (found.reason, found.detail) == (reason, detail)


@pytest.mark.parametrize(
    ("status", "why"),
    [
        ("completed", "though its operation completed"),
        ("timed_out", "its operation timed out"),
        ("error", "its operation failed"),
        (None, "it has no memory operation"),
    ],
)
def test_what_became_of_the_memory_operation(status: str | None, why: str) -> None:
    piece = Piece("D1:3", status, False, False, None)
    assert why in diagnose(4, "x", "y", [piece], memory_is_off=False).detail


def test_memory_that_was_off_is_not_called_untraceable() -> None:
    assert diagnose(4, "x", "y", [UNKNOWN], memory_is_off=True).detail == "memory was off"


@pytest.mark.parametrize(
    ("gold", "answer", "whether"),
    [
        ("Oslo", "They met in Oslo, in the rain.", True),
        ("a red bicycle", "She rides her red bicycles to work.", True),
        ("red bicycle", "The bicycle is red.", False),
        ("2022", "In June 2022.", True),
        ("2", "On 2 May.", False),
        ("Yes", "Yes, she did.", False),
        ("likely no", "Likely no, she would not.", True),
        (None, "anything", False),
        ("", "anything", False),
    ],
)
def test_an_answer_that_contains_the_gold_answer(
    gold: str | None, answer: str, whether: bool
) -> None:
    assert contains(gold, answer) is whether


@pytest.mark.parametrize(
    ("answer", "whether"),
    [
        ("I don’t know: nothing I remember speaks of that.", True),
        ("\n\nThere is no mention of a dog. They have a cat.", True),
        ("They have a cat. Its name is not mentioned.", False),
        ("", False),
    ],
)
def test_an_answer_declines_where_its_first_sentence_does(answer: str, whether: bool) -> None:
    assert says_unknown(answer) is whether
