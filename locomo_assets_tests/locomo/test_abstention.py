"""What an answer to an adversarial question did."""

import pytest

from locomo_assets.locomo.text_scores import classify_abstention as abstention

QUESTION, TRAP = "What is Nadia allergic to?", "Walnuts"


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        ("I don't know: nothing I remember speaks of that.", "abstained"),
        ("The conversation does not mention any allergy of Nadia’s.", "abstained"),
        ("There is no information available.", "abstained"),
        ("Nadia isn't allergic to anything; Owen is allergic to walnuts.", "abstained"),
        ("It was Owen, not Nadia, who is allergic to walnuts.", "abstained"),
        ("It is not mentioned, but Owen is allergic to walnuts.", "abstained"),
        ("Nadia is allergic to walnuts.", "trapped"),
        ("Walnuts", "trapped"),
        ("Owen: nothing with walnuts please. I am still allergic to them.", "trapped"),
        ("It is not mentioned, but it is probably walnuts.", "trapped"),
        ("I'm not sure. Perhaps a walnut?", "trapped"),
        ("Nadia is allergic to pollen.", "other"),
        ("", "other"),
    ],
)
def test_outcome(answer: str, outcome: str) -> None:
    assert abstention(QUESTION, TRAP, answer) == outcome


def test_a_trap_of_several_words_is_given_by_most_of_them() -> None:
    question, trap = "When did Nadia ride the bike race?", "23 April 2023"
    assert abstention(question, trap, "On April 23, 2023") == "trapped"
    assert abstention(question, trap, "In May 2023") == "other"


def test_words_of_the_question_are_no_trap() -> None:
    question, trap = "What breed is Owen's dog?", "Owen's dog is a greyhound"
    assert abstention(question, trap, "Owen's dog is a spaniel") == "other"
    assert abstention(question, trap, "A greyhound") == "trapped"
    assert abstention(question, "Owen's dog", "Owen's dog") == "trapped"


def test_without_a_trap_nobody_falls_for_it() -> None:
    assert abstention(QUESTION, None, "Walnuts") == "other"
