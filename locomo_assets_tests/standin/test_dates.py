"""Phrases about time, seen from Thursday 25 May 2023."""

from datetime import date

import pytest

from locomo_assets.standin import dates

THURSDAY = date(2023, 5, 25)


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("I went there yesterday.", "24 May 2023"),
        ("It was the day before yesterday", "23 May 2023"),
        ("We danced last night!", "24 May 2023"),
        ("I saw her today", "25 May 2023"),
        ("See you tomorrow", "26 May 2023"),
        ("It happened two days ago", "23 May 2023"),
        ("It happened 10 years ago", "2013"),
        ("three weeks ago we moved", "3 weeks before 25 May 2023"),
        ("two weekends ago we camped", "two weekends before 25 May 2023"),
        ("a month ago", "April 2023"),
        ("in two months", "July 2023"),
        ("last week I ran", "the week before 25 May 2023"),
        ("this week I run", "the week of 25 May 2023"),
        ("next weekend", "the weekend after 25 May 2023"),
        ("We go camping next month", "June 2023"),
        ("I read it last year", "2022"),
        ("later this year", "2023"),
        ("last Friday I sang", "19 May 2023 (the Friday before 25 May 2023)"),
        ("last Thursday", "18 May 2023 (the Thursday before 25 May 2023)"),
        ("last thurs", "18 May 2023 (the Thursday before 25 May 2023)"),
        ("next Monday", "29 May 2023 (the Monday after 25 May 2023)"),
        ("on Tuesday I joined", "23 May 2023 (the Tuesday before 25 May 2023)"),
        ("on 3 July", "3 July 2023"),
        ("on the 3rd of July, 2021", "3 July 2021"),
        ("on August 14th", "14 August 2023"),
        ("Sept 5, 2020", "5 September 2020"),
        ("since 2016", "2016"),
        ("31 February 2023", "February 2023"),
        ("in March", "March 2023"),
        ("last July", "July 2022"),
        ("last August 2019", "August 2019"),
    ],
)
def test_phrases(said: str, meant: str) -> None:
    assert dates.resolve(said, THURSDAY) == meant


@pytest.mark.parametrize(
    "said",
    [
        "I may go",
        "We march for pride",
        "June is my friend",
        "It costs 2016 dollars",
        "the sun shines",
        "31 February",
        "in the long run",
    ],
)
def test_text_without_a_time_gives_none(said: str) -> None:
    assert dates.resolve(said, THURSDAY) is None


def test_the_more_telling_phrase_counts() -> None:
    said = "This year I was busy, and yesterday I finished."
    assert dates.resolve(said, THURSDAY) == "24 May 2023"


def test_a_month_ago_from_the_31st_is_still_the_month_before() -> None:
    assert dates.resolve("a month ago", date(2023, 3, 31)) == "February 2023"


def test_a_date_beyond_the_calendar_is_none() -> None:
    assert dates.resolve("999 weeks ago and 999 days ago", date(1, 1, 3)) is not None
    assert dates.resolve("999 days ago", date(1, 1, 3)) is None
