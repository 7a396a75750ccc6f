"""A plain table is written as rich would, at a fraction of its time."""

import io

import pytest

from locomo_assets.reporting.terminal import table
from locomo_assets.reporting.terminal.table import Screen, print_table

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
