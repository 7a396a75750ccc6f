"""Rows for the history and back, through the history's real Arrow schema."""

from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from locomo_assets.history.schema import LINEAGE, TABLES
from locomo_assets.locomo.model import (
    Conversation,
    Dataset,
    DatasetError,
    Question,
    Session,
    Turn,
    from_rows,
    to_rows,
)
from locomo_assets.locomo.parsing import parse_dataset, read_dataset
from locomo_assets.locomo.sample import packaged_sample
from locomo_assets_tests.locomo.factories import encoded, small_file

_TEXT = st.text(st.characters(codec="utf-8"), max_size=12)
_MAYBE = st.none() | _TEXT
_TEXTS = st.lists(_TEXT, max_size=2).map(tuple)
_DATES = st.datetimes(min_value=datetime(1970, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001  # hypothesis wants naive bounds


@st.composite
def _conversations(draw: st.DrawFn, key: str) -> Conversation:
    sessions = []
    for number in sorted(draw(st.sets(st.integers(1, 40), min_size=1, max_size=3))):
        turns = tuple(
            Turn(number, index, draw(_TEXT), draw(_TEXT), text, draw(_TEXTS), draw(_MAYBE), None)
            for index, text in enumerate(draw(st.lists(_TEXT, max_size=3)))
        )
        sessions.append(Session(number, draw(_DATES), draw(_TEXT), turns))
    questions = tuple(
        Question(
            index,
            draw(st.integers(1, 5)),
            text,
            draw(_MAYBE),
            draw(_MAYBE),
            draw(_TEXTS),
            draw(_TEXTS),
            draw(_TEXTS),
        )
        for index, text in enumerate(draw(st.lists(_TEXT, max_size=3)))
    )
    return Conversation(key, draw(_TEXT), draw(_TEXT), tuple(sessions), questions)


def _through_arrow(rows: dict[str, list[dict[str, Any]]]) -> dict[str, list[dict[str, Any]]]:
    kept = {}
    for table, content in rows.items():
        assert all(set(row) <= set(TABLES[table].names) for row in content)
        kept[table] = pa.Table.from_pylist(content, schema=TABLES[table]).to_pylist()
    return kept


@settings(max_examples=60, deadline=None)
@given(_conversations("a"), _conversations("b"), st.randoms())
def test_what_is_written_is_read_back(first: Conversation, second: Conversation, dice: Any) -> None:
    rows = _through_arrow(to_rows(Dataset("0" * 64, "x", 1, (first, second))))
    for content in rows.values():
        dice.shuffle(content)
    assert from_rows(rows, "a") == first
    assert from_rows(rows, "b") == second


def test_every_own_column_is_filled_for_the_sample() -> None:
    rows = to_rows(read_dataset(packaged_sample()))
    lineage = {name for name, _ in LINEAGE}
    for table, content in rows.items():
        assert set(content[0]) - {"conversation"} == set(TABLES[table].names) - lineage
    assert rows["conversations"][0]["turns"] == 73


def test_missing_rows_are_noticed() -> None:
    rows = to_rows(parse_dataset(encoded(small_file()), "x"))
    with pytest.raises(DatasetError, match="data set 0 times"):
        from_rows(rows, "talk-2")
    rows["turns"].pop()
    with pytest.raises(DatasetError, match="should have 3 turns but the history holds 2"):
        from_rows(rows, "talk-1")
