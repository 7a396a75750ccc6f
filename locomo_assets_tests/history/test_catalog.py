"""What is listed of the database: every table and view in one group, each with a line."""

from collections import Counter
from itertools import chain

from locomo_assets.history.catalog import FOR_PEOPLE, FUNCTIONS, OTHERS, entries
from locomo_assets_tests.history.factories import QueriedHistory

_LONGEST_LINE = 52
"""So much stands beside the names on a terminal of 80 columns."""


def test_every_table_and_view_is_in_exactly_one_group(history: QueriedHistory) -> None:
    found = history.rows("SELECT DISTINCT table_name FROM information_schema.tables")
    grouped = Counter(chain(*FOR_PEOPLE.values(), *OTHERS.values()))
    assert set(grouped) == {name for (name,) in found}
    assert set(grouped.values()) == {1}
    assert not FOR_PEOPLE.keys() & OTHERS.keys()


def test_every_one_has_a_line_that_fits(history: QueriedHistory) -> None:
    history.rows("SELECT 1")
    found = entries(history.path)
    assert {one.name for one in found if not one.line or len(one.line) > _LONGEST_LINE} == set()
    assert [one.name for one in found if one.group == FUNCTIONS] == [
        "flip_details",
        "flips",
        "wilson_high",
        "wilson_low",
    ]
