"""Resolving dates and phrases such as "yesterday" or "two weeks ago", relative to a day.

The result is as precise as the phrase: "last year" gives a year, "next month" a month, and a week
is named by the day it is counted from, as in LoCoMo's gold answers ("the week before 9 June 2023").
"""

import re
from collections.abc import Callable
from datetime import date, timedelta

from dateutil.relativedelta import FR, MO, SA, SU, TH, TU, WE, relativedelta, weekday

_WEEKDAYS = {
    "monday": MO,
    "tuesday": TU,
    "wednesday": WE,
    "thursday": TH,
    "friday": FR,
    "saturday": SA,
    "sunday": SU,
}
_MONTHS = (
    "january", "february", "march", "april", "may", "june",
    "july", "august", "september", "october", "november", "december",
)  # fmt: skip
_NUMBERS = {
    "a": 1, "an": 1, "one": 1, "a couple of": 2, "two": 2, "three": 3, "a few": 3, "four": 4,
    "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9, "ten": 10, "eleven": 11, "twelve": 12,
}  # fmt: skip

_DAY = r"(?:" + "|".join(f"{name}|{name[:3]}s?|thurs?" for name in _WEEKDAYS) + r")"
_MONTH = r"(?:" + "|".join(f"{name}|{name[:3]}" for name in _MONTHS) + r"|sept)"
_NUMBER = r"(?:\d{1,3}|" + "|".join(sorted(_NUMBERS, key=len, reverse=True)) + r")"


def long_date(day: date) -> str:
    """A date as "9 June 2023"."""
    return f"{day.day} {day:%B %Y}"


def resolve(text: str, said_on: date) -> str | None:
    """When something happens according to the text, as a date, month, year or week.

    None if it has no phrase about time. Of several phrases the most specific counts, not the
    first.
    """
    found = find(text, said_on)
    return None if found is None else found[1]


def find(text: str, said_on: date) -> tuple[tuple[int, int], str] | None:
    """Where the phrase begins and ends that `resolve` goes by, and what it gives."""
    lowered = text.lower()
    for pattern, meaning in _PHRASES:
        for found in pattern.finditer(lowered):
            try:
                said = meaning(found, said_on)
            except (ValueError, OverflowError):
                continue
            if said:
                return found.span(), said
    return None


def _weekday(name: str) -> weekday:
    return next(day for full, day in _WEEKDAYS.items() if full.startswith(name[:3]))


def _month(name: str) -> int:
    return next(i for i, full in enumerate(_MONTHS, 1) if full.startswith(name[:3]))


def _count(text: str) -> int:
    return int(text) if text.isdigit() else _NUMBERS[text]


def _written(found: re.Match[str], said_on: date) -> str:
    year = found["year"]
    day = date(int(year) if year else said_on.year, _month(found["month"]), int(found["day"]))
    return long_date(day)


def _month_written(found: re.Match[str], said_on: date) -> str | None:
    # Alone it may be the verb "may", a march, or somebody called June.
    if not (found["lead"] or found["year"]):
        return None
    number = _month(found["month"])
    year = int(found["year"]) if found["year"] else said_on.year
    if not found["year"] and found["lead"] == "last " and number >= said_on.month:
        year -= 1
    if not found["year"] and found["lead"] == "next " and number <= said_on.month:
        year += 1
    return f"{date(year, number, 1):%B %Y}"


def _ago(found: re.Match[str], said_on: date) -> str:
    return _moved(-_count(found["count"]), found["unit"], said_on)


def _hence(found: re.Match[str], said_on: date) -> str:
    return _moved(_count(found["count"]), found["unit"], said_on)


def _moved(count: int, unit: str, said_on: date) -> str:
    if unit == "year":
        return str(said_on.year + count)
    if unit == "month":
        return f"{said_on + relativedelta(months=count):%B %Y}"
    if unit == "day":
        return long_date(said_on + timedelta(days=count))
    many = {1: "the ", 2: "two "}.get(abs(count), f"{abs(count)} ")
    plural = "" if abs(count) == 1 else "s"
    side = "before" if count < 0 else "after"
    return f"{many}{unit}{plural} {side} {long_date(said_on)}"


def _next_to(found: re.Match[str], said_on: date) -> str:
    side = {"last": -1, "past": -1, "previous": -1, "next": 1, "this": 0}[found["side"]]
    unit = found["unit"]
    if side:
        return _moved(side, unit, said_on)
    if unit == "year":
        return str(said_on.year)
    if unit == "month":
        return f"{said_on:%B %Y}"
    return f"the {unit} of {long_date(said_on)}"


def _weekday_before(found: re.Match[str], said_on: date) -> str:
    start = said_on - timedelta(days=1)
    day = start + relativedelta(weekday=_weekday(found["day"])(-1))
    return f"{long_date(day)} (the {day:%A} before {long_date(said_on)})"


def _weekday_after(found: re.Match[str], said_on: date) -> str:
    start = said_on + timedelta(days=1)
    day = start + relativedelta(weekday=_weekday(found["day"])(1))
    return f"{long_date(day)} (the {day:%A} after {long_date(said_on)})"


def _days(offset: int) -> Callable[[re.Match[str], date], str]:
    return lambda _found, said_on: long_date(said_on + timedelta(days=offset))


_PHRASES: tuple[tuple[re.Pattern[str], Callable[[re.Match[str], date], str | None]], ...] = tuple(
    (re.compile(pattern), meaning)
    for pattern, meaning in (
        (
            rf"\b(?P<day>\d{{1,2}})(?:st|nd|rd|th)?(?: of)? (?P<month>{_MONTH})\b"
            r"(?:,? (?P<year>(?:19|20)\d\d)\b)?",
            _written,
        ),
        (
            rf"\b(?P<month>{_MONTH})\.? (?P<day>\d{{1,2}})(?:st|nd|rd|th)?\b"
            r"(?:,? (?P<year>(?:19|20)\d\d)\b)?",
            _written,
        ),
        (r"\bthe day before yesterday\b", _days(-2)),
        (r"\byesterday\b|\blast night\b", _days(-1)),
        (rf"\b(?P<count>{_NUMBER}) (?P<unit>day|week|weekend|month|year)s? (?:ago|back)\b", _ago),
        (rf"\b(?:last|this past|past) (?P<day>{_DAY})\b", _weekday_before),
        (
            r"\b(?P<side>last|past|previous|next|this) (?P<unit>weekend|week|month|year)\b",
            _next_to,
        ),
        (
            rf"\bin (?P<count>{_NUMBER}) (?P<unit>day|week|weekend|month|year)s?\b(?! of)",
            _hence,
        ),
        (rf"\b(?:next|this coming|coming|this) (?P<day>{_DAY})\b", _weekday_after),
        (r"\btomorrow\b", _days(1)),
        (
            rf"\b(?P<lead>in |last |next |this |since |of )?(?P<month>{_MONTH})\b"
            r"(?:,? (?P<year>(?:19|20)\d\d)\b)?",
            _month_written,
        ),
        (r"\b(?:in|since|of|back in) (?P<year>(?:19|20)\d\d)\b", lambda found, _: found["year"]),
        (r"\btoday\b|\btonight\b|\bthis (?:morning|afternoon|evening)\b", _days(0)),
        (rf"\bon (?P<day>{_DAY})\b", _weekday_before),
    )
)
"""The most specific phrases come first."""
