"""Values of a query as a person reads them."""

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from locomo_assets.reporting.terminal.values import for_people, is_cut, says_nothing


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, "NULL"),
        (0.41509433962264153, "0.4151"),
        (12.3, "12.3"),
        (1234567.891, "1234568"),
        (0.0, "0.0"),
        (0.00123456, "0.001235"),
        (0.00000000123456, "1.235e-09"),
        (-53.21888, "-53.22"),
        (float("nan"), "nan"),
        (Decimal("1.500000"), "1.5"),
        (219068, "219068"),
        (True, "True"),
        (datetime(2026, 11, 27, 16, 40, 22, 5, UTC), "2026-11-27 16:40:22"),
        (date(2026, 11, 27), "2026-11-27"),
        ([1.23456, "a"], "[1.235, a]"),
        ({"dia_id": "D1:3", "text": None}, "{dia_id: D1:3, text: NULL}"),
        ("a text stays " * 20, "a text stays " * 20),
    ],
)
def test_a_value_is_short_and_true(value: object, shown: str) -> None:
    assert for_people(value) == shown


def test_a_long_list_is_cut_and_a_long_text_is_not() -> None:
    assert (len(for_people(list(range(100)))), is_cut(list(range(100)))) == (60, True)
    assert not is_cut([1, 2])
    assert not is_cut("a" * 100)


@pytest.mark.parametrize(
    ("cell", "nothing"),
    [("", True), ("–", True), ("0", True), ("0.0000", True), ("0.01", False), ("no price", False)],
)
def test_nothing_is_empty_unknown_or_zero(cell: str, nothing: bool) -> None:
    assert says_nothing(cell) is nothing
