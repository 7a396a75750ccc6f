"""Tables on a terminal and on a pipe: what fits, what is left out, rows below each other."""

from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from locomo_assets.reporting.terminal.table import (
    Screen,
    Short,
    print_left_out,
    print_line,
    print_pairs,
    print_rows,
    print_table,
)
from locomo_assets_tests.reporting.terminal.screens import lines_of, pipe, terminal, text_of

WORDS = st.text("abc123.–", min_size=1, max_size=15)
TEXTS = st.lists(WORDS, min_size=1, max_size=12).map(" ".join)


def tokens(screen: Screen) -> set[str]:
    return set(text_of(screen).split())


@given(
    headings=st.lists(WORDS, min_size=1, max_size=6, unique=True),
    cells=st.lists(TEXTS, min_size=12, max_size=12),
    width=st.integers(20, 120),
)
def test_no_word_and_no_number_is_broken(headings: list[str], cells: list[str], width: int) -> None:
    count = len(headings)
    rows = [tuple(cells[:count]), tuple(cells[count : 2 * count])]
    screen = terminal(width)
    print_table(screen, headings, rows)
    known = {word for text in (*headings, *rows[0], *rows[1]) for word in text.split()}
    assert max(map(len, lines_of(screen))) <= width
    assert tokens(screen) - {"row", "1", "2", "of"} <= known
    assert known <= tokens(screen)


def test_intervals_are_not_wrapped_and_texts_are() -> None:
    screen = terminal(50)
    rows = [("0.0 – 100.0", "a long text of several words that has to be wrapped")]
    print_table(screen, ("95 % interval", "why"), rows)
    assert text_of(screen) == (
        "95 % interval  why\n"
        "0.0 – 100.0    a long text of several words that\n"
        "               has to be wrapped"
    )


def test_columns_that_say_nothing_are_left_out() -> None:
    headings = ("release", "errors", "cost", "system", "ms")
    rows = [("r1", "0", "–", "standin", "12"), ("r2", "1", "0.00", "standin", "13")]
    short = Short(only_wide=("ms",), if_any=("errors", "cost"), if_varied=("system",))
    screen = terminal(80)
    print_table(screen, headings, rows, short)
    print_left_out(screen)
    print_left_out(screen)
    assert text_of(screen) == (
        "system standin\nrelease  errors\nr1       0\nr2       1\n\n--wide also shows: cost, ms."
    )
    for all_of_it in (terminal(80, wide=True), pipe()):
        print_table(all_of_it, headings, rows, short)
        print_left_out(all_of_it)
        assert text_of(all_of_it).startswith("release  errors  cost  system   ms\n")
        assert "--wide" not in text_of(all_of_it)


def test_a_pipe_loses_no_column_however_wide() -> None:
    screen = pipe()
    print_table(screen, ("name", "detail"), [("x" * 150, "y" * 150)], Short(only_wide=("detail",)))
    assert lines_of(screen)[1] == f"{'x' * 150}  {'y' * 150}"


def test_rows_with_more_columns_than_fit_are_told_line_by_line_on_a_pipe() -> None:
    rows = [("r1", None), ("[b]", {"a": 1})]
    screen, narrower = pipe(17), pipe(16)
    print_rows(screen, ("release", "evidence"), rows, all_rows=False)
    assert lines_of(screen)[0] == "release  evidence"
    print_rows(narrower, ("release", "evidence"), rows, all_rows=False)
    assert lines_of(narrower) == [
        "row 1 of 2", "release   r1", "evidence  NULL",
        "row 2 of 2", "release   [b]", "evidence  {'a':", "          1}",
    ]  # fmt: skip


def test_a_terminal_shows_the_first_rows_and_says_so() -> None:
    rows = [(number,) for number in range(219_068)]
    screen = terminal(80)
    print_rows(screen, ("n",), rows, all_rows=False)
    assert lines_of(screen) == ["n", *map(str, range(40)), "219,068 rows, 40 shown; --all"]
    every = terminal(80)
    print_rows(every, ("n",), rows[:50], all_rows=True)
    assert lines_of(every) == ["n", *map(str, range(50))]
    piped = pipe()
    print_rows(piped, ("n",), rows[:50], all_rows=False)
    assert lines_of(piped) == lines_of(every)


def test_rows_below_each_other_are_fewer() -> None:
    headings = [f"column {number}" for number in range(50)]
    screen = terminal(60)
    print_rows(screen, headings, [range(50)] * 40, all_rows=False)
    lines = lines_of(screen)
    assert lines[:3] == ["row 1 of 40", "column 0   0", "column 1   1"]
    assert lines[-1] == "40 rows, 4 shown; --all"


def test_a_column_without_a_heading_names_the_row() -> None:
    screen = terminal(60)
    print_table(screen, ("", "judge", "note"), [("A", "x" * 40, "y" * 40), ("B", "z" * 40, "")])
    assert lines_of(screen) == [
        "row 1 of 2: A",
        f"judge  {'x' * 40}",
        f"note   {'y' * 40}",
        "",
        "row 2 of 2: B",
        f"judge  {'z' * 40}",
    ]


def test_an_empty_result_is_said_on_a_terminal() -> None:
    screen, piped = terminal(80), pipe()
    print_rows(screen, ("release", "accuracy"), [], all_rows=False)
    print_rows(piped, ("release", "accuracy"), [], all_rows=False)
    assert text_of(screen) == "release  accuracy\nno rows"
    assert text_of(piped) == "release  accuracy"


def test_values_are_for_people_on_a_terminal_and_whole_on_a_pipe() -> None:
    at = datetime(2026, 11, 27, 9, 5, 1, 123456, timezone(timedelta(hours=2)))
    rows = [(0.123456789, at, None, ["a" * 100])]
    screen, piped = terminal(170), pipe()
    print_rows(screen, ("share", "at", "x", "list"), rows, all_rows=False)
    assert lines_of(screen)[1] == f"0.1235  2026-11-27 07:05:01  NULL  [{'a' * 58}…"
    assert lines_of(screen)[2] == "… in a list: it is longer; --format json shows it whole."
    print_rows(piped, ("share", "at", "x", "list"), rows, all_rows=False)
    assert lines_of(piped)[1].startswith(
        "0.123456789  2026-11-27 09:05:01.123456+02:00  NULL  ['aaa"
    )


def test_a_word_too_long_for_its_place_stands_below_its_name() -> None:
    screen = terminal(30)
    print_pairs(screen, [("a name", "short words go beside it, wrapped"), ("hash", "f" * 28)])
    assert lines_of(screen) == [
        "a name  short words go beside",
        "        it, wrapped",
        "hash",
        f"  {'f' * 28}",
    ]


@pytest.mark.parametrize("text", ["[b]:cat: 1,540 questions", "a \\[/] b"])
def test_lines_and_cells_are_printed_as_they_are(text: str) -> None:
    screen = pipe()
    print_line(screen, text)
    print_table(screen, ("text",), [(text,)])
    assert lines_of(screen) == [text, "text", text]
