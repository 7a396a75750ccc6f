"""Dates and spans of time in English text, read as first and last day.

Read are absolute dates (`7 May 2023`, `May 7th`, `2023-05-07`, `October 2-8, 2023`, `early August
2023`, `summer of 2022`) and times relative to one (`the week before 9 June 2023`, `two days after
…`), but no time without a date (`last week`).
"""

import re
from calendar import monthrange
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from locomo_assets.judging.text_normalization import normalized


@dataclass(frozen=True, slots=True)
class Span:
    """First and last day, both included. `start` and `end` are its place in the text."""

    first: date
    last: date
    start: int
    end: int

    @property
    def days(self) -> int:
        return (self.last - self.first).days + 1

    def overlaps(self, other: "Span") -> bool:
        return self.first <= other.last and other.first <= self.last


_MONTHS = {
    name: number
    for number, names in enumerate(
        (
            "january januarty janury jan",
            "february feb",
            "march mar",
            "april apr",
            "may",
            "june jun",
            "july jul",
            "august aug",
            "september sept sep",
            "october oct",
            "november nov",
            "december dec",
        ),
        1,
    )
    for name in names.split()
}
_M = r"(?P<month>" + "|".join(sorted(_MONTHS, key=len, reverse=True)) + r")\b\.?"
# LoCoMo's gold answers also write `14September` and ``3` July``.
_D = r"(?P<day>[0-3]?\d)(?:st|nd|rd|th)?(?!\d)[`']?"
_D2 = r"(?:\s*(?:-|to|and|through)\s*(?P<day2>[0-3]?\d)(?:st|nd|rd|th)?\b)?"
_Y = r"(?P<year>(?:19|20)\d\d)\b"
_GAP = r"[\s,.]*(?:of\s+)?"
_BASES = [
    re.compile(pattern)
    for pattern in (
        rf"\b{_Y}-(?P<monthnumber>[01]\d)-{_D}",
        rf"\b{_D}{_D2}{_GAP}{_M}(?:[\s,]*{_Y})?",
        rf"\b{_M}\s*{_D}{_D2}(?:[\s,]*{_Y})?",
        rf"\b{_M}{_GAP}{_Y}",
        rf"\b(?P<season>spring|summer|autumn|fall|winter){_GAP}{_Y}",
        rf"\b(?:(?<=in )|(?<=of )|(?<=early )|(?<=late )|(?<=since )|(?<=by )|^){_M}(?!\w)",
        rf"\b{_Y}",
    )
]
_SEASONS = {"spring": 3, "summer": 6, "autumn": 9, "fall": 9, "winter": 12}
_WEEKDAYS = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
_COUNTS = {
    word: number
    for number, word in enumerate(
        ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"], 1
    )
} | {"a": 1, "an": 1, "couple of": 2, "a couple of": 2, "few": 3, "a few": 3, "several": 4}
_COUNT = r"(?P<count>" + "|".join(sorted(_COUNTS, key=len, reverse=True)) + r"|\d{1,2})"
_UNIT = r"(?P<unit>day|night|evening|morning|week|weekend|month|year|" + "|".join(_WEEKDAYS) + ")s?"
_RELATIVE = re.compile(
    rf"(?:\b{_COUNT}\s+)?\b{_UNIT}\s+(?P<way>before|prior to|preceding|after|following)\s+"
    r"(?:the\s+)?$"
)
_BOUND = re.compile(r"\b(?:on or )?(?:before|by|prior to)\s+$")
_NTH = re.compile(
    r"\b(?P<nth>first|1st|second|2nd|third|3rd|fourth|4th|last)\s+(?P<unit>week|weekend)\s+"
    r"(?:of|in)\s+(?:the\s+)?$"
)
_PART = re.compile(
    r"\b(?P<part>early|beginning of|start of|mid|middle of|late|end of)[\s-]+(?:in\s+)?$"
)
_WEEK_OF = re.compile(r"\b(?P<unit>week|weekend)\s+(?:of|around)\s+(?:the\s+)?$")


def spans(text: str, years: Sequence[int] = ()) -> list[Span]:
    """The spans in the order of the text. A date without a year is read in each of `years`."""
    text = normalized(text)
    taken = [False] * len(text)
    found: list[Span] = []
    for base in _BASES:
        for match in base.finditer(text):
            if any(taken[match.start() : match.end()]):
                continue
            parts = match.groupdict()
            of_years = [int(parts["year"])] if parts.get("year") else years
            new = [span for year in of_years if (span := _span(text, match, year)) is not None]
            if new:
                taken[new[0].start : match.end()] = [True] * (match.end() - new[0].start)
                found += new
    return sorted(found, key=lambda span: span.start)


def years_in(text: str) -> list[int]:
    """The years a text names, each once."""
    return list(dict.fromkeys(int(year) for year in re.findall(r"\b(?:19|20)\d\d\b", text)))


def _span(text: str, match: re.Match[str], year: int) -> Span | None:
    try:
        first, last = _base_days(match.groupdict(), year)
        before = text[max(0, match.start() - 50) : match.start()]
        for pattern, read in _MODIFIERS:
            modifier = pattern.search(before)
            if modifier is not None:
                changed = read(modifier.groupdict(), first, last)
                if changed is not None:
                    start = match.start() - (len(before) - modifier.start())
                    return Span(*changed, start, match.end())
        return Span(first, last, match.start(), match.end())
    except (ValueError, OverflowError):  # no such day, or none so far away
        return None


_Parts = dict[str, str | None]
_Days = tuple[date, date]


def _base_days(parts: _Parts, year: int) -> _Days:
    season, day = parts.get("season"), parts.get("day")
    if season:
        month = _SEASONS[season]
        return date(year, month, 1), _month_end(*_shifted(year, month, 2))
    if parts.get("monthnumber"):
        month = int(parts["monthnumber"] or 0)
    elif parts.get("month"):
        month = _MONTHS[parts["month"] or ""]
    else:
        return date(year, 1, 1), date(year, 12, 31)
    if not day:
        return date(year, month, 1), _month_end(year, month)
    first = date(year, month, int(day))
    if not parts.get("day2"):
        return first, first
    last = date(year, month, int(parts["day2"] or 0))
    return (first, last) if first <= last else (first, first)


def _relative(parts: _Parts, first: date, last: date) -> _Days | None:
    unit, word = parts["unit"] or "", parts["count"]
    count = 1 if word is None else _COUNTS.get(word) or int(word)
    back = parts["way"] not in ("after", "following")
    edge = first if back else last
    signed = -count if back else count
    if unit in _WEEKDAYS:
        return _weekday(edge, _WEEKDAYS.index(unit), back)
    if unit == "weekend":
        saturday = _weekday(edge, 5, back)[0] + timedelta(
            days=7 * (count - 1) * (-1 if back else 1)
        )
        return saturday - timedelta(days=1), saturday + timedelta(days=1)
    if unit == "week":
        return _next_week(edge, back) if count == 1 else _around(edge, 7 * signed, 3)
    if unit in ("month", "year"):
        return _months_away(first, last, signed, unit)
    if word is not None and word.split()[-1] in ("few", "several", "of"):
        return _around(edge, -3 if back else 3, 2)
    return _around(edge, signed, 0)


def _next_week(edge: date, back: bool) -> _Days:
    """The calendar week before or after the day's own, and the days in between."""
    monday = edge - timedelta(days=edge.weekday())
    if back:
        return monday - timedelta(days=7), edge - timedelta(days=1)
    return edge + timedelta(days=1), monday + timedelta(days=13)


def _months_away(first: date, last: date, signed: int, unit: str) -> _Days:
    """The month so far away; or the year, if it is counted from more than a single day."""
    year, month = _shifted(first.year, first.month, (12 if unit == "year" else 1) * signed)
    if unit == "year" and first != last:
        return date(year, 1, 1), date(year, 12, 31)
    return date(year, month, 1), _month_end(year, month)


def _bound(_parts: _Parts, first: date, last: date) -> _Days | None:
    """`before 10 August` is read as the 30 days before."""
    return first - timedelta(days=30), last


def _weekday(day: date, weekday: int, back: bool) -> _Days:
    """The nearest such weekday strictly before or after `day`."""
    if back:
        found = day - timedelta(days=(day.weekday() - weekday - 1) % 7 + 1)
    else:
        found = day + timedelta(days=(weekday - day.weekday() - 1) % 7 + 1)
    return found, found


def _around(day: date, shift: int, slack: int) -> _Days:
    return day + timedelta(days=shift - slack), day + timedelta(days=shift + slack)


def _nth(parts: _Parts, first: date, last: date) -> _Days | None:
    if (last - first).days < 27:
        return None
    nth, unit = parts["nth"] or "", parts["unit"]
    if nth == "last":
        end = last if unit == "week" else _weekday(last + timedelta(days=1), 6, True)[0]
        return end - timedelta(days=6 if unit == "week" else 2), end
    index = ("first", "second", "third", "fourth").index(_ORDINALS.get(nth, nth))
    if unit == "week":
        return first + timedelta(days=7 * index), first + timedelta(days=7 * index + 6)
    saturday = _weekday(first - timedelta(days=1), 5, False)[0] + timedelta(days=7 * index)
    return saturday - timedelta(days=1), saturday + timedelta(days=1)


_ORDINALS = {"1st": "first", "2nd": "second", "3rd": "third", "4th": "fourth"}


def _part(parts: _Parts, first: date, last: date) -> _Days | None:
    days = (last - first).days + 1
    if days < 28:
        return None
    third = timedelta(days=days // 3)
    part = parts["part"] or ""
    if part.startswith("mid"):
        return first + third, last - third
    if part.startswith(("late", "end")):
        return last - third, last
    return first, first + third


def _week_of(parts: _Parts, first: date, last: date) -> _Days | None:
    if first != last:
        return None
    monday = first - timedelta(days=first.weekday())
    if parts["unit"] == "weekend":
        monday += timedelta(days=4)
    return monday, monday + timedelta(days=6 if parts["unit"] == "week" else 2)


_MODIFIERS: tuple[tuple[re.Pattern[str], Callable[[_Parts, date, date], _Days | None]], ...] = (
    (_RELATIVE, _relative),
    (_BOUND, _bound),
    (_NTH, _nth),
    (_PART, _part),
    (_WEEK_OF, _week_of),
)


def _shifted(year: int, month: int, months: int) -> tuple[int, int]:
    index = year * 12 + month - 1 + months
    return index // 12, index % 12 + 1


def _month_end(year: int, month: int) -> date:
    return date(year, month, monthrange(year, month)[1])
