"""A plain table or line is written as rich would, at a fraction of its time."""

import io
from typing import Any

import pytest

from locomo_assets.reporting.terminal import table
from locomo_assets.reporting.terminal.table import Screen, print_line, print_table

TABLES = [
    (("release", "n", ""), [("r1", 7, ""), ("a longer one", 12345, "")]),
    (("wide", "signs"), [("記憶", "é"), ("ünï", "…")]),
    (("none",), []),
    (("empty", "filled"), [("", "x"), ("", "y")]),
    (("a", "b"), [("  two spaces", "trailing  "), ("[bold]no markup[/]", ":smile: {x} 'y' 1.5")]),
    (("lines", "b"), [("one\ntwo", "x")]),
    (("tab", "b"), [("a\tb", "x")]),
    (("too wide", "b"), [("x" * 200, "many words " * 20)]),
    (("", ""), [("", "")]),
    ((), []),
]


@pytest.mark.parametrize(("headings", "rows"), TABLES)
@pytest.mark.parametrize("right", [(), ("n", "b", "signs")])
def test_it_is_what_rich_prints(
    headings: tuple[str, ...],
    rows: list[tuple[object, ...]],
    right: tuple[str, ...],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    written, by_rich = io.StringIO(), io.StringIO()
    print_table(Screen(file=written, width=100), headings, rows, right=right)
    monkeypatch.setattr(table, "_is_simple", lambda _: False)
    print_table(Screen(file=by_rich, width=100), headings, rows, right=right)
    assert written.getvalue() == by_rich.getvalue()


LINES = [
    "",
    "\nrelease r1 · system standin · 3 of 4",
    "  two spaces before",
    "two spaces behind  ",
    "[bold]no markup[/] :smile: {x} 'y' 1.5 https://example.org",
    "a\ttab",
    "one\ntwo\n",
    "記憶 é ünï …",
    "many words " * 20,
    "x" * 200,
    "x" * 100,
    "x" * 101,
    "記" * 51,
    "escape \x1b[31m sequence",
]


@pytest.mark.parametrize("line", LINES)
@pytest.mark.parametrize("unwrapped", [False, True])
@pytest.mark.parametrize("is_terminal", [False, True])
def test_a_line_is_what_rich_prints(
    line: str, unwrapped: bool, is_terminal: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    written, by_rich = io.StringIO(), io.StringIO()
    how: dict[str, Any] = {"width": 100, "force_terminal": is_terminal}
    print_line(Screen(file=written, **how), line, unwrapped_on_a_pipe=unwrapped)
    monkeypatch.setattr(table, "_fits", lambda *_: False)
    print_line(Screen(file=by_rich, **how), line, unwrapped_on_a_pipe=unwrapped)
    assert written.getvalue() == by_rich.getvalue()
