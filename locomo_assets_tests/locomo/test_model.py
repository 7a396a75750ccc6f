"""Category names, and evidence ids as the file writes them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from locomo_assets.locomo.model import (
    OFFICIAL_NAMES,
    SCORED_CATEGORIES,
    VENDOR_NAMES,
    named_categories,
    resolve_evidence,
)

TURNS = {"D1:1", "D4:4", "D4:6", "D8:6", "D9:1", "D9:17", "D11:26", "D30:5"}


def test_the_vendors_print_three_categories_under_other_names() -> None:
    differing = {c for c, name in OFFICIAL_NAMES.items() if name != VENDOR_NAMES[c]}
    assert differing == {1, 3, 4}
    assert set(OFFICIAL_NAMES.values()) == set(VENDOR_NAMES.values())
    assert 5 not in SCORED_CATEGORIES


@pytest.mark.parametrize(
    ("written", "evidence", "rest"),
    [
        (["D8:6", "D9:17"], ("D8:6", "D9:17"), ()),
        (["D8:6; D9:17"], ("D8:6", "D9:17"), ()),
        (["D9:1 D4:4 D4:6"], ("D9:1", "D4:4", "D4:6"), ()),
        (["D30:05"], ("D30:5",), ()),
        (["D:11:26"], ("D11:26",), ()),
        (["D"], (), ("D",)),
        (["D10:19"], (), ("D10:19",)),
        (["D8:6, D10:19"], ("D8:6",), ("D10:19",)),
        (["D8:6", "D8:6; D08:06"], ("D8:6",), ()),
        (["D1:1x"], (), ("D1:1x",)),
        ([], (), ()),
    ],
)
def test_ids_resolve_where_they_can(
    written: list[str], evidence: tuple[str, ...], rest: tuple[str, ...]
) -> None:
    assert resolve_evidence(written, TURNS) == (evidence, rest)


def test_an_id_of_another_form_is_taken_as_it_stands() -> None:
    assert resolve_evidence(["part one, line 3"], {"part one, line 3"})[0] == ("part one, line 3",)


@given(st.lists(st.text(alphabet="D:0123456789;, x", max_size=12), max_size=4))
def test_only_existing_turns_are_ever_named(written: list[str]) -> None:
    evidence, _ = resolve_evidence(written, TURNS)
    assert set(evidence) <= TURNS


@pytest.mark.parametrize(
    ("numbers", "text"),
    [
        ([], "no category"),
        ([4], "category 4"),
        ([2, 1], "categories 1, 2"),
        ([1, 2, 3, 4], "categories 1–4"),
        ([1, 2, 4], "categories 1, 2, 4"),
    ],
)
def test_categories_that_are_there_are_named(numbers: list[int], text: str) -> None:
    assert named_categories(numbers) == text
