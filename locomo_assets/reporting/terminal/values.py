"""A query's values as a person reads them; whoever needs them exactly reads a pipe."""

import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal

_DIGITS = 4
_LONGEST_LIST = 60
_NOTHING = ("", "–", "NULL")


def for_people(value: object) -> str:
    """NULL, a number of four digits, a time in UTC to the second, a list in short, or the text."""
    if isinstance(value, list | tuple | Mapping):
        text = _whole(value)
        return text if len(text) <= _LONGEST_LIST else f"{text[: _LONGEST_LIST - 1]}…"
    return _one(value)


def is_cut(value: object) -> bool:
    """Whether `for_people` shows only the beginning."""
    is_list = isinstance(value, list | tuple | Mapping)
    return is_list and len(_whole(value)) > _LONGEST_LIST


def says_nothing(cell: str) -> bool:
    """Whether a cell is empty, unknown or zero."""
    if cell in _NOTHING:
        return True
    try:
        return float(cell) == 0
    except ValueError:
        return False


def _whole(value: object) -> str:
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key}: {_whole(one)}" for key, one in value.items()) + "}"
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return "[" + ", ".join(_whole(one) for one in value) + "]"
    return _one(value)


def _one(value: object) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, float | Decimal):
        return _rounded(float(value))
    if isinstance(value, datetime):
        in_utc = value.astimezone(UTC) if value.tzinfo else value
        return f"{in_utc:%Y-%m-%d %H:%M:%S}"
    return str(value)


def _rounded(value: float) -> str:
    if not math.isfinite(value) or value == 0 or abs(value) >= 1e15:
        return str(value)
    decimals = _DIGITS - 1 - math.floor(math.log10(abs(value)))
    if decimals > 2 * _DIGITS:
        return f"{value:.{_DIGITS - 1}e}"
    return f"{value:.{decimals}f}".rstrip("0").rstrip(".") if decimals > 0 else f"{value:.0f}"
