"""Dates and spans of time in text."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from locomo_assets.judging.time_spans import spans, years_in


@pytest.mark.parametrize(
    ("text", "first", "last"),
    [
        ("7 May 2023", "2023-05-07", "2023-05-07"),
        ("May 7th, 2023", "2023-05-07", "2023-05-07"),
        ("the 7th of May 2023", "2023-05-07", "2023-05-07"),
        ("2023-05-07", "2023-05-07", "2023-05-07"),
        ("14September, 2022", "2022-09-14", "2022-09-14"),
        ("3` July 2023", "2023-07-03", "2023-07-03"),
        ("April.2023", "2023-04-01", "2023-04-30"),
        ("February 2024", "2024-02-01", "2024-02-29"),
        ("2022", "2022-01-01", "2022-12-31"),
        ("October 2-8, 2023", "2023-10-02", "2023-10-08"),
        ("30 to 31 October 2022", "2022-10-30", "2022-10-31"),
        ("early August 2023", "2023-08-01", "2023-08-11"),
        ("mid-August 2023", "2023-08-11", "2023-08-21"),
        ("end of October 2023", "2023-10-21", "2023-10-31"),
        ("summer of 2022", "2022-06-01", "2022-08-31"),
        ("winter 2022", "2022-12-01", "2023-02-28"),
        ("first week of June 2023", "2023-06-01", "2023-06-07"),
        ("last week of May 2023", "2023-05-25", "2023-05-31"),
        ("first weekend of August 2023", "2023-08-04", "2023-08-06"),
        ("last weekend of August 2023", "2023-08-25", "2023-08-27"),
        ("the week of 23 August 2023", "2023-08-21", "2023-08-27"),
        ("the weekend of 24 June 2022", "2022-06-24", "2022-06-26"),
        ("The week before 9 June 2023", "2023-05-29", "2023-06-08"),
        ("the week after 9 June 2023", "2023-06-10", "2023-06-18"),
        ("two weeks before 11 August 2023", "2023-07-25", "2023-07-31"),
        ("The sunday before 25 May 2023", "2023-05-21", "2023-05-21"),
        ("the Friday before 14 July 2023", "2023-07-07", "2023-07-07"),
        ("Saturday after 11 September, 2023", "2023-09-16", "2023-09-16"),
        ("The weekend before 17 July 2023", "2023-07-14", "2023-07-16"),
        ("two weekends before 17 July 2023", "2023-07-07", "2023-07-09"),
        ("the day before 1 March 2024", "2024-02-29", "2024-02-29"),
        ("3 days after December 30, 2023", "2024-01-02", "2024-01-02"),
        ("a few days before May 24, 2023", "2023-05-19", "2023-05-23"),
        ("a month before 15 January 2023", "2022-12-01", "2022-12-31"),
        ("a year before August 3, 2023", "2022-08-01", "2022-08-31"),
        ("two years before 2023", "2021-01-01", "2021-12-31"),
        ("before August 10, 2022", "2022-07-11", "2022-08-10"),
    ],
)
def test_one_span_is_read(text: str, first: str, last: str) -> None:
    (span,) = spans(f"It was {text}.")
    assert (span.first, span.last) == (date.fromisoformat(first), date.fromisoformat(last))


def test_a_date_without_year_is_read_in_the_given_years() -> None:
    assert [span.first for span in spans("on 13 August", [2022, 2023])] == [
        date(2022, 8, 13),
        date(2023, 8, 13),
    ]
    assert spans("on 13 August") == []
    assert [span.first for span in spans("in May", [2023])] == [date(2023, 5, 1)]


@pytest.mark.parametrize(
    "text", ["last week", "31 June", "four years", "we may go", "a march of 20", "in 20233"]
)
def test_what_is_no_date_is_not_read(text: str) -> None:
    assert spans(text, [2023]) == []


def test_several_spans_stand_in_the_order_of_the_text() -> None:
    found = spans("Between July 3, 2022 and 2023, then in March 2021")
    assert [span.first.year for span in found] == [2022, 2023, 2021]
    assert years_in("2022, 2021 and 2022") == [2022, 2021]


_PIECES = st.sampled_from(
    [
        "may",
        "7",
        "31",
        "0",
        "2023",
        "9999",
        "the",
        "week",
        "before",
        "after",
        "few",
        "first",
        "last",
        "of",
        "two",
        "in",
        "days",
        "-",
        ",",
        ".",
        "to",
        "½",
        "İ",
    ]
)


@given(st.lists(_PIECES, max_size=12), st.lists(st.integers(1, 9999), max_size=2))
def test_no_text_breaks_it(pieces: list[str], years: list[int]) -> None:
    for span in spans(" ".join(pieces), years):
        assert span.first <= span.last
        assert span.days >= 1


@given(st.text(max_size=60))
def test_arbitrary_text_does_not_break_it(text: str) -> None:
    spans(text, [2023])
