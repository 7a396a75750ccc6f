"""JSON whose faults can be told by their line: where a value stands, and which keys repeat.

Lines are looked for only once a fault is found, as most files have none.
"""

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any

Step = str | int
"""A key of an object, or a position in a list."""

_DECODER = json.JSONDecoder()
_SPACE = re.compile(r"[ \t\r\n]*")


class RepeatingObject(dict[str, Any]):
    """An object with a key that occurs again, which hides the earlier value."""

    repeated_key: str


def parse_json(data: bytes) -> tuple[Any, str]:
    """The content, and the text that lines are counted in. Raises ValueError, RecursionError."""
    text = data.decode(json.detect_encoding(data), "surrogatepass")
    return json.loads(text, object_pairs_hook=_object), text


def line_of(text: str, path: Sequence[Step]) -> int:
    """The line, from 1, of the value at a path, or of the innermost value on the way to it.

    Of a key that repeats, the last counts, as it does for the value.
    """
    start = _after_space(text, 0)
    for step in path:
        found = [position for key, position in _members(text, start) if key == step]
        if not found:
            break
        start = found[-1]
    return text.count("\n", 0, start) + 1


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) == len(pairs):
        return found
    keys = [key for key, _ in pairs]
    repeating = RepeatingObject(found)
    repeating.repeated_key = next(key for key in keys if keys.count(key) > 1)
    return repeating


def _members(text: str, start: int) -> Iterator[tuple[Step, int]]:
    """Key or position, and place in the text, of each member of the value that starts there."""
    is_object = text[start] == "{"
    if not is_object and text[start] != "[":
        return
    place, index = _after_space(text, start + 1), 0
    while text[place] not in "}]":
        key: Step = index
        if is_object:
            key, place = _DECODER.raw_decode(text, place)
            place = _after_space(text, _after_space(text, place) + 1)  # behind the colon
        yield key, place
        _, place = _DECODER.raw_decode(text, place)
        place = _after_space(text, place)
        if text[place] == ",":
            place = _after_space(text, place + 1)
        index += 1


def _after_space(text: str, place: int) -> int:
    match = _SPACE.match(text, place)
    return match.end() if match else place
