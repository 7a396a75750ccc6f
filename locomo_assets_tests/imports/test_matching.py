"""Questions are found by index or text; where a text occurs twice, the order settles it or none."""

from dataclasses import replace
from typing import Any

import pytest

from locomo_assets.imports.jsonl import parse_jsonl
from locomo_assets.imports.results import ImportRefusedError
from locomo_assets.locomo.model import Dataset
from locomo_assets_tests.imports.files import SAMPLE, encoded, lines

LETTERS = "abacbd"
"""The questions of a conversation by text: a and b occur twice."""


def dataset(*conversations: tuple[str, str], category: int = 4) -> Dataset:
    """Conversations by name, with a question for each letter."""
    first = SAMPLE.conversations[0]
    made = [
        replace(
            first,
            conversation=name,
            questions=tuple(
                replace(
                    first.questions[0],
                    question_index=at,
                    question=f"{letter}  ?",
                    category=category,
                    gold_answer="gold",
                )
                for at, letter in enumerate(letters)
            ),
        )
        for name, letters in conversations
    ]
    return replace(SAMPLE, conversations=tuple(made))


ONE = dataset(("conv-1", LETTERS))
TWO = dataset(("conv-1", "ab"), ("conv-2", "cb"))


def entry(letter: str, **fields: Any) -> dict[str, Any]:
    return {"question": f" {letter} ?", "grade": True, **fields}


def found(entries: Any, source: Dataset = ONE) -> list[tuple[str, int]]:
    results = parse_jsonl(
        "a.json", encoded(entries), source, system="memo", question_protocol="unknown"
    )
    return [(answer.conversation, answer.question.question_index) for answer in results.answers]


@pytest.mark.parametrize(
    ("letters", "indices"),
    [
        ("abacbd", [0, 1, 2, 3, 4, 5]),
        ("acbd", None),  # a may be 0 or 2
        ("aacd", [0, 2, 3, 5]),
        ("bacbd", [1, 2, 3, 4, 5]),
        ("cbd", [3, 4, 5]),
        ("dc", [5, 3]),
        ("dca", None),
        ("a", None),
        ("abab", [0, 1, 2, 4]),
    ],
)
def test_the_order_settles_which_or_it_is_refused(letters: str, indices: list[int] | None) -> None:
    entries = [entry(letter) for letter in letters]
    if indices is not None:
        assert found(entries) == [("conv-1", index) for index in indices]
        return
    with pytest.raises(ImportRefusedError, match=r"^a\.json: \[\d\]: the text '[ab]  \?' stands in "
                       r"conv-1 2 times, as the questions \d, \d, and the order"):  # fmt: skip
        found(entries)


def test_an_index_settles_it_also_for_its_neighbours() -> None:
    place = {"conversation": "conv-1", "question_index": 1}
    assert found([entry("a"), entry("b", **place)]) == [("conv-1", 0), ("conv-1", 1)]
    assert found([entry("a", conversation="conv-1", question_index=2)]) == [("conv-1", 2)]


def test_category_and_gold_answer_settle_it() -> None:
    first, *others = ONE.conversations[0].questions
    for change, stated in (({"category": 1}, {"category": "1"}),
                           ({"gold_answer": "2022"}, {"golden_answer": 2022})):  # fmt: skip
        changed = replace(first, **change)
        one = replace(ONE.conversations[0], questions=(changed, *others))
        source = replace(ONE, conversations=(one,))
        assert found([entry("a", **stated)], source) == [("conv-1", 0)]


def test_each_judge_has_an_order_of_its_own() -> None:
    data = lines(
        *[
            {"question": f"{letter} ?", "judge": judge, "verdict": "correct"}
            for judge in ("one", "two")
            for letter in LETTERS
        ]
    )
    results = parse_jsonl("a.jsonl", data, ONE, system="memo", question_protocol="unknown")
    assert [len(answer.verdicts) for answer in results.answers] == [2] * len(LETTERS)


def test_the_same_question_twice_is_refused() -> None:
    with pytest.raises(ImportRefusedError, match=r"^a.json: \[1\]: question 3 of conv-1 already "
                       r"has a verdict by unknown on \[0\]"):  # fmt: skip
        found([entry("c"), entry("c")])


@pytest.mark.parametrize("key", ["conv-2", "1", "group_1", "locomo_exp_user_1", "user 1", "who"])
def test_a_group_names_its_conversation_or_counts_it_from_0(key: str) -> None:
    assert found({key: [entry("c")]}, TWO) == [("conv-2", 0)]
    if key != "who":
        assert found({key: [entry("b")]}, TWO) == [("conv-2", 1)]
        with pytest.raises(ImportRefusedError, match=r"\[0\]: the question ' a \?' is not in conv"):
            found({key: [entry("a")]}, TWO)


def test_a_text_of_two_conversations_needs_one_of_them() -> None:
    with pytest.raises(ImportRefusedError, match=r"is in conv-1 and in conv-2; add `conversation`"):
        found([entry("b")], TWO)
    assert found([entry("b", sample_id="conv-2")], TWO) == [("conv-2", 1)]


def test_a_number_is_no_position_where_conversations_are_named_alike() -> None:
    with pytest.raises(ImportRefusedError, match="conversation 'conv-0' is not in the data set"):
        found([entry("a", conversation="conv-0")], TWO)
    with pytest.raises(ImportRefusedError, match="conversation 'user_2' is not in the data set"):
        found([entry("a", conversation="user_2")], TWO)


def test_an_index_counts_only_with_a_text_or_the_conversation_s_name() -> None:
    indexed = {"question_index": 1, "verdict": True}
    assert found({"conv-2": [indexed]}, TWO) == [("conv-2", 1)]
    assert found([{"question_id": "conv-2_qa1", "verdict": True}], TWO) == [("conv-2", 1)]
    with pytest.raises(ImportRefusedError, match=r"1\[0\]: needs `question`"):
        found({"1": [indexed]}, TWO)
    with pytest.raises(ImportRefusedError, match=r"\[0\]: needs `question`"):
        found([{"question_id": "locomo_1_qa1", "verdict": True}], TWO)


def test_an_id_names_conversation_and_question() -> None:
    ids = {"locomo_1_qa1": ("conv-2", 1), "conv-1_qa1": ("conv-1", 1), "17": ("conv-2", 1)}
    for question_id, expected in ids.items():
        group = {} if expected[0] == "conv-1" else {"conversation": "conv-2"}
        assert found([entry("b", question_id=question_id, **group)], TWO) == [expected]
    with pytest.raises(ImportRefusedError, match=r"question is ' a \?', not 'b  \?'"):
        found([entry("a", question_id="locomo_0_qa1")], TWO)


def test_what_others_say_of_adversarial_gold_answers_is_not_compared() -> None:
    source = dataset(("conv-1", "a"), category=5)
    assert found([entry("a", golden_answer="None")], source) == [("conv-1", 0)]
