"""Category 5: which answer is the trap, wherever it stands, and where it can't be told."""

import json

import pytest

from locomo_assets.judging.lexical import compare
from locomo_assets.locomo.adversarial import UnknownTrapError, right_and_trap
from locomo_assets.locomo.model import DatasetError
from locomo_assets.locomo.parsing import parse_dataset
from locomo_assets.locomo.text_scores import abstention
from locomo_assets.runs.verdicts import Gold
from locomo_assets_tests.locomo.factories import small_file


@pytest.mark.parametrize(
    ("answer", "adversarial_answer", "right", "trap"),
    [
        (None, "a kite", None, "a kite"),
        (None, "Not mentioned", None, "Not mentioned"),
        ("a kite", None, None, "a kite"),
        ("Yes", None, None, "Yes"),
        ("Nobel prize", None, None, "Nobel prize"),
        ("by not quitting", None, None, "by not quitting"),
        ("A kite", "a kite ", None, "a kite "),
        ("A kite", "a kite.", None, "a kite."),
        ("No", "Yes", "No", "Yes"),
        ("It was Ada", "a kite", "It was Ada", "a kite"),
        ("Not mentioned", "a kite", None, "a kite"),
        ("No information available", "a kite", None, "a kite"),
        ("The conversation doesn’t mention it.", None, None, None),
        ("Unanswerable", None, None, None),
        ("N/A", None, None, None),
        ("a kite", "Not mentioned in the conversation", None, "a kite"),
    ],
)
def test_the_trap_is_the_trap_wherever_it_stands(
    answer: str | None, adversarial_answer: str | None, right: str | None, trap: str | None
) -> None:
    assert right_and_trap("What did Bo buy?", answer, adversarial_answer) == (right, trap)


@pytest.mark.parametrize(
    ("answer", "adversarial_answer"),
    [
        (None, None),
        ("No", None),
        ("no.", None),
        ("No, Ada did", None),
        ("Nothing", None),
        ("Nobody", None),
        ("No", "Not mentioned"),
    ],
)
def test_where_it_cannot_be_told_it_is_refused(
    answer: str | None, adversarial_answer: str | None
) -> None:
    with pytest.raises(UnknownTrapError, match="write the trap under 'adversarial_answer'"):
        right_and_trap("Did Bo buy a kite?", answer, adversarial_answer)


def test_the_refusal_names_file_line_conversation_and_question() -> None:
    content = small_file()
    content[0]["qa"][1] = {"question": "Did Bo buy a kite?", "answer": "No", "category": 5}
    text = json.dumps(content, indent=1)
    line = text[: text.index('"answer": "No"')].count("\n") + 1
    where = rf"^data set copy.json, line {line}: conversation 0 \(talk-1\), question 1: .*'No' may"
    with pytest.raises(DatasetError, match=where):
        parse_dataset(text.encode(), "copy.json")


def test_giving_the_trap_is_wrong_and_declining_right_in_both_forms() -> None:
    copied = small_file()
    trapping = copied[0]["qa"][1]
    trapping["answer"] = trapping.pop("adversarial_answer")
    for content in (small_file(), copied):
        dataset = parse_dataset(json.dumps(content).encode(), "x")
        question = dataset.conversations[0].questions[1]
        for answer, right, what in (
            ("A kite.", False, "trapped"),
            ("That was not mentioned.", True, "abstained"),
        ):
            assert compare(question.question, Gold().answer(question), answer)[0] is right
            trap = question.adversarial_answer
            assert abstention(question.category, question.question, trap, answer) == what
