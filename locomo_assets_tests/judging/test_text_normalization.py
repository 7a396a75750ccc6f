"""Words and numbers made comparable."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from locomo_assets.judging.text_normalization import STOP_STEMS, is_number, stems


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("painting", "paintings"),
        ("café", "cafe"),
        ("Nadia’s", "nadia"),
        ("mom", "mother"),
        ("the United Kingdom", "the UK"),
        ("forty-two", "42"),
        ("three hundred", "300"),
        ("5,000 dollars", "5000 dollars"),
        ("3rd", "three"),
        ("a dozen", "a 12"),
        ("two million", "2000000"),
    ],
)
def test_equal_meanings_have_equal_stems(one: str, other: str) -> None:
    assert stems(one) == stems(other)


@pytest.mark.parametrize(("one", "other"), [("nine", "19"), ("ninety one", "90"), ("us", "usa")])
def test_other_meanings_have_other_stems(one: str, other: str) -> None:
    assert set(stems(one)) != set(stems(other))


def test_numbers_are_told_from_words() -> None:
    assert [is_number(stem) for stem in stems("seven dogs")] == [True, False]
    assert {"the", "and"} <= STOP_STEMS


@given(
    st.lists(st.sampled_from(["two", "ninety", "million", "hundred", "thousand", "and", "dozen"]))
)
def test_no_pile_of_numbers_breaks_it(words: list[str]) -> None:
    assert all(stems(" ".join(words * 20))) or not words


@given(st.text())
def test_arbitrary_text_gives_stems_that_are_not_empty(text: str) -> None:
    assert all(stems(text))
