"""The two namings of the five categories."""

import pytest

from locomo_assets.locomo.model import (
    OFFICIAL_NAMES,
    SCORED_CATEGORIES,
    VENDOR_NAMES,
    official_name,
    vendor_name,
)


def test_the_vendors_print_three_categories_under_other_names() -> None:
    differing = {c for c in OFFICIAL_NAMES if official_name(c) != vendor_name(c)}
    assert differing == {1, 3, 4}
    assert set(OFFICIAL_NAMES.values()) == set(VENDOR_NAMES.values())
    assert 5 not in SCORED_CATEGORIES


def test_an_unknown_number_has_no_name() -> None:
    with pytest.raises(KeyError):
        official_name(6)
