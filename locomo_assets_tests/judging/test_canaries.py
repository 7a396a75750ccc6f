"""The packaged canaries: as many of each kind, none of the data set's own."""

from collections import Counter

from locomo_assets.judging.canaries import KINDS, packaged_canaries
from locomo_assets.judging.lexical import compare
from locomo_assets.locomo.model import OFFICIAL_NAMES


def test_as_many_of_each_kind_and_every_category() -> None:
    found = packaged_canaries().canaries
    assert len(found) == 36
    assert set(Counter(one.kind for one in found).values()) == {12}
    assert {one.kind for one in found} == set(KINDS)
    assert len({one.canary_id for one in found}) == len({one.answer for one in found}) == 36
    assert {one.category for one in found} == set(OFFICIAL_NAMES) - {5}


def test_lexical_judge_tells_right_from_wrong_ones() -> None:
    accepted = Counter(
        one.kind
        for one in packaged_canaries().canaries
        if compare(one.question, one.gold_answer, one.answer)[0]
    )
    assert accepted["right"] >= 10
    assert accepted["wrong"] <= 2
