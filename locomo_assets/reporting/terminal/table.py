"""A table on a terminal, with rich: what fits, what is left out, and rows line by line."""

import json
import sys
from collections.abc import Sequence

from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from locomo_assets.redaction import printable


def console() -> Console:
    """Standard output. Where it is not a terminal, it is wide enough that no row wraps."""
    plain = Console()
    return plain if plain.is_terminal else Console(width=200)


def print_json(value: object) -> None:
    """Prints JSON; what is no JSON value as its text."""
    text = json.dumps(value, default=str, ensure_ascii=False, indent=1)
    print(printable(text) if sys.stdout.isatty() else text)  # noqa: T201  # rich would wrap it


def print_table(
    out: Console,
    headings: Sequence[str],
    rows: Sequence[Sequence[object]],
    may_go: Sequence[str] = (),
) -> None:
    """Prints rows under headings; None as NULL.

    Where they are wider than the terminal, columns of `may_go` are left out: those that say
    nothing first, then in this order.
    """
    texts = [["NULL" if cell is None else printable(str(cell)) for cell in row] for row in rows]
    columns = [(name, [row[at] for row in texts]) for at, name in enumerate(headings)]
    shown = fitting(columns, may_go, out.width)
    table = Table(box=None, header_style="bold", pad_edge=False)
    for name, _ in shown:
        table.add_column(name, overflow="fold")
    for at in range(len(rows)):
        table.add_row(*(cells[at] for _, cells in shown))
    out.print(table, markup=False)
    left_out = [column[0] for column in columns if column not in shown]
    if any(left_out):
        print_line(out, wider_shows(left_out))


def print_rows(out: Console, headings: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Prints a table; where not even its headings fit, each row as lines of name and value."""
    if not rows or sum(cell_len(name) + 2 for name in headings) - 2 <= out.width:
        print_table(out, headings, rows)
        return
    for number, row in enumerate(rows, start=1):
        table = Table(box=None, title=f"row {number} of {len(rows)}", title_justify="left",
                      show_header=False, pad_edge=False)  # fmt: skip
        table.add_column(style="bold", no_wrap=True)
        table.add_column(overflow="fold")
        for name, cell in zip(headings, row, strict=True):
            table.add_row(Text(name), Text("NULL" if cell is None else printable(str(cell))))
        out.print(table, highlight=False)


def wider_shows(left_out: Sequence[str]) -> str:
    """The line beneath a table that says which columns there was no room for."""
    return f"A wider terminal also shows: {', '.join(filter(None, left_out))}."


_Column = tuple[str, Sequence[str]]


def fitting(columns: Sequence[_Column], may_go: Sequence[str], width: int) -> list[_Column]:
    """The columns without those of `may_go` that a width has no room for."""

    def says_something(column: _Column) -> bool:
        return any(cell not in ("–", "0", "0.00") for cell in column[1])

    order = sorted(
        (column for column in columns if column[0] in may_go),
        key=lambda column: (says_something(column), may_go.index(column[0])),
    )
    shown = list(columns)
    while order and sum(max(map(cell_len, (n, *cells))) + 2 for n, cells in shown) - 2 > width:
        shown.remove(order.pop(0))
    return shown


def print_line(out: Console, line: str) -> None:
    """Prints a line as it is, wrapped to the terminal."""
    out.print(printable(line), markup=False, highlight=False)
