"""Token F1 and exact match, against values worked out by hand from the paper's rules."""

import pytest

from locomo_assets.locomo.text_scores import exact_match, token_f1

SINGLE_HOP, MULTI_HOP, OPEN_DOMAIN, ADVERSARIAL = 4, 1, 3, 5


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
