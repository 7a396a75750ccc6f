"""Token F1 and exact match against values computed by hand from the paper's rules; abstention."""

import pytest

from locomo_assets.locomo.text_scores import abstention, exact_match, token_f1

SINGLE_HOP, MULTI_HOP, OPEN_DOMAIN, ADVERSARIAL = 4, 1, 3, 5
QUESTION, TRAP = "What is Nadia allergic to?", "Walnuts"


@pytest.mark.parametrize(
    ("gold", "answer", "f1"),
    [
        ("A cedar canoe", "the CEDAR, canoe!", 1.0),
        ("running shoes", "he runs in a shoe", 2 * (2 / 4) * 1 / (2 / 4 + 1)),
        ("7", "She turned 7.", 2 * (1 / 3) * 1 / (1 / 3 + 1)),
        ("tea tea", "tea", 2 * 1 * 0.5 / 1.5),
        ("Bath", "Wells", 0.0),
        ("Bath", "", 0.0),
        ("rock – and roll", "rock – roll", 1.0),
    ],
)
def test_token_f1(gold: str, answer: str, f1: float) -> None:
    assert token_f1(SINGLE_HOP, gold, answer) == pytest.approx(f1)


def test_multi_hop_is_the_mean_of_the_best_parts() -> None:
    # `pottery` is met whole, `baking bread` by half of two words each way, `tiling` not at all
    value = token_f1(MULTI_HOP, "Pottery, baking bread, tiling", "Baking cakes, pottery")
    assert value == pytest.approx((1.0 + 0.5 + 0.0) / 3)
    assert token_f1(SINGLE_HOP, "Pottery, baking", "Pottery") == pytest.approx(2 / 3)
    assert token_f1(MULTI_HOP, "Pottery, baking", "Pottery") == pytest.approx(1 / 2)


def test_open_domain_counts_what_stands_before_the_semicolon() -> None:
    gold = "Likely no; he is afraid of balloons"
    assert token_f1(OPEN_DOMAIN, gold, "Likely no") == 1.0
    assert exact_match(OPEN_DOMAIN, gold, "No, likely") is True
    assert token_f1(SINGLE_HOP, gold, "Likely no") < 1.0  # type: ignore[operator]


def test_exact_match_is_of_sets_of_words_not_of_stems() -> None:
    assert exact_match(SINGLE_HOP, "Owen and Elsie", "elsie, owen") is True
    assert exact_match(SINGLE_HOP, "canoe", "canoes") is False


def test_adversarial_f1_is_the_papers_two_phrases() -> None:
    assert token_f1(ADVERSARIAL, None, "That is not mentioned.") == 1.0
    assert token_f1(ADVERSARIAL, None, "I cannot know that.") == 0.0
    assert exact_match(ADVERSARIAL, "Not mentioned", "Not mentioned") is None


def test_without_a_gold_answer_nothing_is_scored() -> None:
    assert token_f1(SINGLE_HOP, None, "Bath") is None
    assert exact_match(SINGLE_HOP, None, "Bath") is None


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
        ("Nadia is allergic to walnuts, though it is not mentioned since when.", "trapped"),
        ("No allergy mentioned for Nadia.", "abstained"),
        ("She doesn't have an allergy.", "abstained"),
        ("Nadia is allergic to pollen.", "other"),
        ("", "other"),
    ],
)
def test_abstention(answer: str, outcome: str) -> None:
    assert abstention(ADVERSARIAL, QUESTION, TRAP, answer) == outcome


def test_a_trap_of_several_words_is_given_by_most_of_them() -> None:
    question, trap = "When did Nadia ride the bike race?", "23 April 2023"
    assert abstention(ADVERSARIAL, question, trap, "On April 23, 2023") == "trapped"
    assert abstention(ADVERSARIAL, question, trap, "In May 2023") == "other"


def test_words_of_the_question_do_not_count_as_the_trap() -> None:
    question, trap = "What breed is Owen's dog?", "Owen's dog is a greyhound"
    assert abstention(ADVERSARIAL, question, trap, "Owen's dog is a spaniel") == "other"
    assert abstention(ADVERSARIAL, question, trap, "A greyhound") == "trapped"
    assert abstention(ADVERSARIAL, question, "Owen's dog", "Owen's dog") == "trapped"


def test_without_a_trap_no_answer_is_trapped() -> None:
    assert abstention(ADVERSARIAL, QUESTION, None, "Walnuts") == "other"


def test_abstention_is_only_for_adversarial_questions() -> None:
    assert abstention(SINGLE_HOP, QUESTION, TRAP, "Walnuts") is None
