"""Lines of values, against where `json` itself wrote them."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from locomo_assets.locomo.json_lines import RepeatingObject, line_of, parse_json

TEXT = """{
  "a": [
    1, {"b":
      "x\\"]}"},
    [ ]
  ],
  "a b" :
    null
}"""


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ((), 1),
        (("a",), 2),
        (("a", 0), 3),
        (("a", 1), 3),
        (("a", 1, "b"), 4),
        (("a", 2), 5),
        (("a b",), 8),
        (("a", 2, 0), 5),
        (("none", 3), 1),
        (("a", 0, "deeper"), 3),
    ],
)
def test_a_value_or_the_innermost_on_its_way(path: tuple[str | int, ...], line: int) -> None:
    assert line_of(TEXT, path) == line


def test_a_key_that_repeats_is_known_and_the_last_counts() -> None:
    content, text = parse_json(b'{"a": 1,\n"b": 2,\n"a": 3}')
    assert isinstance(content, RepeatingObject)
    assert (content, content.repeated_key) == ({"a": 3, "b": 2}, "a")
    assert line_of(text, ["a"]) == 3
    assert type(parse_json(b'{"a": {"b": 1}, "b": 1}')[0]) is dict


_JSON = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=12,
)


@given(_JSON)
def test_each_value_of_any_content_is_found(content: Any) -> None:
    """With one value replaced by a mark, the line is the mark's."""
    for path in _paths(content):
        text = json.dumps(_marked(content, path), indent=1)
        assert line_of(text, path) == text[: text.index("MARK")].count("\n") + 1


def _paths(content: Any) -> list[tuple[str | int, ...]]:
    members = (
        content.items()
        if isinstance(content, dict)
        else enumerate(content)
        if isinstance(content, list)
        else ()
    )
    return [(), *((key, *rest) for key, value in members for rest in _paths(value))]


def _marked(content: Any, path: tuple[str | int, ...]) -> Any:
    if not path:
        return "MARK"
    copy = content.copy()
    copy[path[0]] = _marked(content[path[0]], path[1:])
    return copy
