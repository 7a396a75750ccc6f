"""Declines: terse and wordy ones, what only looks like one, and real answers with labels."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.simulations import declines as measured
from bench.simulations.shared_data import DATASET, PUBLISHED
from locomo_assets.locomo.declines import _DECLINES, declines, may_decline

DECLINES = """
No tall ship mentioned.
No recipe mentioned for Owen.
No relevant information found.
None mentioned
No specific date is given.
Nothing about that was mentioned.
Nobody mentioned it.
Information not found.
N/A
Unknown.
Not sure.
I have no idea.
I don't recall that.
I don't have that information.
I could not find any mention of it.
I'm unable to answer this.
It cannot be determined.
It doesn't say.
The memories don't say who came.
The conversation never says where.
That was never brought up.
There is no record of a canoe.
Insufficient information.
"""
ANSWERS = """
She bought a canoe.
No, he mentioned a canoe.
No more than two.
He has no injuries.
He never gave up, and has not given up.
He did not specifically take his family.
She was not sure about it at first.
She was unable to handle it.
Owen doesn't have a pet.
The town is not primarily known for its harbour.
They don't have fur, which causes her allergy.
Some friends were not there.
"""


@pytest.mark.parametrize("text", DECLINES.strip().splitlines())
def test_a_text_that_declines(text: str) -> None:
    assert declines(text.lower())


@pytest.mark.parametrize("text", ANSWERS.strip().splitlines())
def test_a_text_that_answers(text: str) -> None:
    assert not declines(text.lower())


@pytest.mark.real_data
@pytest.mark.skipif(not PUBLISHED.exists(), reason="../shared/data is not on this machine")
def test_labelled_answers() -> None:
    tuned, held_out = measured.measure_answers()
    # With wide margins: docs/statistics.md has the figures.
    assert held_out.declines == 30
    assert held_out.found / held_out.declines > 0.9
    assert held_out.found / held_out.flagged > 0.55
    assert tuned.found / tuned.declines > 0.9
    assert tuned.unread_flagged == held_out.unread_flagged == 0


@pytest.mark.real_data
@pytest.mark.skipif(not DATASET.exists(), reason="../shared/data is not on this machine")
def test_short_texts_of_the_data_set_are_no_declines() -> None:
    short = measured.measure_short_texts()
    assert (short.texts, short.declines) == (1988, 2)
    assert short.flagged == short.found == 2


@given(st.from_regex(_DECLINES))
def test_the_quick_look_leaves_out_nothing_that_declines(text: str) -> None:
    assert may_decline(text)
