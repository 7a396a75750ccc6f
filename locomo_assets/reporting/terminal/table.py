"""Tables, lines and JSON on standard output.

On a terminal a table is short, and its rows are printed one below the other where they don't fit:
no heading and no number is broken. On a pipe everything is printed.
"""

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from locomo_assets.redaction import printable
from locomo_assets.reporting.terminal.values import for_people, is_cut, says_nothing

SHOWN_ROWS = 40
"""As many rows a terminal shows of a table that can be long."""
_SHOWN_LINES = 200
_PIPE_WIDTH = 200
_GAP = 2
_LONGEST_NUMBER = 24
"""Wider cells with spaces are texts, which may be wrapped at words; intervals are narrower."""
_NARROWEST_TEXT = 20


class Screen(Console):
    """Standard output: `wide` where tables are to show all; `left_out`: what they did not show.

    A pipe gets all, except as `console` says.
    """

    def __init__(self, *, wide: bool = False, all_on_a_pipe: bool = True, **options: Any) -> None:
        super().__init__(**options)
        self.wide = wide or (all_on_a_pipe and not self.is_terminal)
        self.left_out: dict[str, None] = {}


@dataclass(frozen=True, slots=True)
class Short:
    """The columns that a terminal shows with --wide alone, or only where they say something.

    `if_any`: unless all rows have 0 or nothing there. `if_varied`: unless all rows say the same,
    which then stands above the table.
    """

    only_wide: Sequence[str] = ()
    if_any: Sequence[str] = ()
    if_varied: Sequence[str] = ()


def console(*, wide: bool = False, pipe_width: int | None = None) -> Screen:
    """Standard output. A pipe is so wide that few texts wrap.

    With `pipe_width` it is so wide, and tables leave out what has no room, unless they are `wide`.
    """
    found = Screen(wide=wide)
    if found.is_terminal:
        return found
    return Screen(wide=wide, all_on_a_pipe=pipe_width is None, width=pipe_width or _PIPE_WIDTH)


def prints_unicode() -> bool:
    """Whether the encoding of standard output has every sign."""
    return (getattr(sys.stdout, "encoding", None) or "utf-8").lower().startswith("utf")


def print_json(value: object) -> None:
    """Prints JSON; what is no JSON value as its text."""
    text = json.dumps(value, default=str, ensure_ascii=not prints_unicode(), indent=1)
    print(printable(text) if sys.stdout.isatty() else text)  # noqa: T201  # rich would wrap it


def print_line(out: Console, line: str, *, unwrapped_on_a_pipe: bool = False) -> None:
    """Prints a line as it is, wrapped at words."""
    text = printable(line)
    if not out.is_terminal and all(_fits(piece, out.width) for piece in text.split("\n")):
        # As in `_plain`; to look for words takes rich longer than to read them took the database.
        out.out(text, highlight=False)
        return
    out.print(Text(text), soft_wrap=unwrapped_on_a_pipe and not out.is_terminal)


def print_table(
    out: Screen,
    headings: Sequence[str],
    rows: Sequence[Sequence[object]],
    short: Short | None = None,
    *,
    right: Sequence[str] = (),
    all_rows: bool = True,
) -> None:
    """Prints rows under headings; None as NULL. `right`: the columns that stand to the right."""
    texts = [["NULL" if cell is None else printable(str(cell)) for cell in row] for row in rows]
    columns = _columns(headings, texts)
    if out.is_terminal:
        shown = columns if out.wide or short is None else _short(out, columns, short)
        _print_fitting(out, shown, right, all_rows=all_rows)
        return
    if short is None:
        _plain(out, columns, right, out.width)
    elif out.wide:
        _plain(out, columns, right, None)
    else:
        _plain(out, _with_room(out, columns, short), right, out.width)


def print_rows(
    out: Screen,
    headings: Sequence[str],
    rows: Sequence[Sequence[object]],
    *,
    all_rows: bool,
) -> None:
    """Prints a query's rows: on a terminal rounded, and the first of them unless `all_rows`."""
    if out.is_terminal:
        texts = [[printable(for_people(cell)) for cell in row] for row in rows]
        _print_fitting(out, _columns(headings, texts), (), all_rows=all_rows)
        if any(is_cut(cell) for row in rows[: None if all_rows else SHOWN_ROWS] for cell in row):
            print_line(out, "… in a list: it is longer; --format json shows it whole.")
        return
    texts = [["NULL" if cell is None else printable(str(cell)) for cell in row] for row in rows]
    columns = _columns(headings, texts)
    if not rows or sum(cell_len(name) + _GAP for name in headings) - _GAP <= out.width:
        _plain(out, columns, (), out.width)
    else:
        _print_below(out, columns, len(rows))


def print_pairs(out: Screen, pairs: Sequence[tuple[str, str]]) -> None:
    """Prints names and, beside them, texts, which are wrapped at words.

    On a terminal a text of words too long for its place stands below its name.
    """
    pairs = [(printable(name), printable(text)) for name, text in pairs]
    names = max((cell_len(name) for name, _ in pairs), default=0) + _GAP
    if not out.is_terminal:
        grid = Table.grid(padding=(0, _GAP))
        grid.add_column(no_wrap=True)
        grid.add_column(overflow="fold")
        for name, text in pairs:
            grid.add_row(Text(name), Text(text))
        out.print(grid)
        return
    for name, text in pairs:
        beside = _longest_word([text]) <= out.width - names
        indent = names if beside else _GAP
        wrapped = Text(text).wrap(out, max(out.width - indent, 1)) if text else [Text()]
        first = Text.assemble((name, "bold"))
        if beside:
            first.append(" " * (names - cell_len(name)))
        else:
            first.append("\n" + " " * indent)
        out.print(first + Text("\n" + " " * indent).join(wrapped))


def print_left_out(out: Screen) -> None:
    """Says which columns the tables so far did not show, and the option that shows them."""
    if out.left_out:
        # A heading such as `not judged` is not wrapped in its middle.
        lines = ["--wide also shows:"]
        for name in ", \0".join(out.left_out).split("\0"):
            if cell_len(f"{lines[-1]} {name}.") > out.width:
                lines.append("")
            lines[-1] = f"{lines[-1]} {name}".strip()
        before = "\n" if out.is_terminal else ""
        print_line(out, before + "\n".join(lines) + ".")
    out.left_out.clear()


_Column = tuple[str, Sequence[str]]


def _columns(headings: Sequence[str], texts: Sequence[Sequence[str]]) -> list[_Column]:
    return [(name, [row[at] for row in texts]) for at, name in enumerate(headings)]


def _short(out: Screen, columns: Sequence[_Column], short: Short) -> list[_Column]:
    """The columns that say something; those left out are noted."""
    shown, said = [], []
    for name, cells in columns:
        if name in short.only_wide or (name in short.if_any and all(map(says_nothing, cells))):
            out.left_out[name] = None
        elif name in short.if_varied and len(set(cells)) == 1:
            said.append(f"{name} {cells[0]}")
        else:
            shown.append((name, cells))
    if said:
        print_line(out, " · ".join(said))
    return shown


def _print_fitting(
    out: Screen, columns: Sequence[_Column], right: Sequence[str], *, all_rows: bool
) -> None:
    """Prints a table, or its rows one below the other where it is wider than the terminal."""
    count = len(columns[0][1]) if columns else 0
    most = count if all_rows else min(count, SHOWN_ROWS)
    shown = [(name, cells[:most]) for name, cells in columns]
    widths = _widths(shown, out.width)
    if widths is not None:
        table = _table(shown, right)
        for column, width in zip(table.columns, widths, strict=True):
            column.width = width
        out.print(table)
    else:
        if not all_rows:
            most = min(most, max(3, _SHOWN_LINES // len(columns)))
        _print_below(out, [(name, cells[:most]) for name, cells in columns], count)
    if not count:
        print_line(out, "no rows")
    if most < count:
        print_line(out, f"{count:,} rows, {most} shown; --all")


def _widths(columns: Sequence[_Column], width: int) -> list[int] | None:
    """Each column's width so that only texts are wrapped, and at words; None if there is none."""
    natural = [_natural(column) for column in columns]
    least = [
        max(cell_len(column[0]), _longest_word(column[1]), min(_NARROWEST_TEXT, full))
        if _is_text(column) else full
        for column, full in zip(columns, natural, strict=True)
    ]  # fmt: skip
    room = width - sum(least) - _GAP * (len(columns) - 1)
    if room < 0:
        return None
    while room and (growing := [at for at, full in enumerate(natural) if least[at] < full]):
        at = min(growing, key=lambda one: least[one])
        least[at], room = least[at] + 1, room - 1
    return least


def _with_room(out: Screen, columns: Sequence[_Column], short: Short) -> list[_Column]:
    """The columns without those of --wide that there is no room for, in their order."""
    shown = list(columns)
    for name in short.only_wide:
        if _full_width(shown) <= out.width:
            break
        shown = [column for column in shown if column[0] != name]
        out.left_out[name] = None
    return shown


def _full_width(columns: Sequence[_Column]) -> int:
    return _together([_natural(column) for column in columns])


def _together(widths: Sequence[int]) -> int:
    return sum(width + _GAP for width in widths) - _GAP


def _natural(column: _Column) -> int:
    return max(cell_len(line) for cell in (column[0], *column[1]) for line in cell.split("\n"))


def _longest_word(cells: Sequence[str]) -> int:
    return max((cell_len(word) for cell in cells for word in cell.split()), default=0)


def _is_text(column: _Column) -> bool:
    return _natural(column) > _LONGEST_NUMBER and any(" " in cell.strip() for cell in column[1])


def _table(columns: Sequence[_Column], right: Sequence[str]) -> Table:
    table = Table(box=None, header_style="bold", pad_edge=False)
    for name, _ in columns:
        table.add_column(
            Text(name), justify="right" if name in right else "left", overflow="fold"
        )  # fmt: skip
    for row in zip(*(cells for _, cells in columns), strict=True):
        table.add_row(*map(Text, row))
    return table


def _plain(
    out: Console, columns: Sequence[_Column], right: Sequence[str], width: int | None
) -> None:
    """Prints a table whose cells are folded where it is wider than that; None: nowhere."""
    natural = [_natural(column) for column in columns]
    full = _together(natural)
    width = max(out.width, full) if width is None else width
    if full <= width and all(map(_is_simple, columns)):
        # rich takes a hundred times as long, and a report has hundreds of tables.
        cells = [
            _padded(column, its_width, to_the_right=column[0] in right)
            for column, its_width in zip(columns, natural, strict=True)
        ]
        lines = (" " * _GAP).join
        out.out("\n".join(map(lines, zip(*cells, strict=True))), highlight=False)
        return
    before = out.width
    out.width = width
    try:
        out.print(_table(columns, right))
    finally:
        out.width = before


def _is_simple(column: _Column) -> bool:
    """Whether its texts stand on one line each, as they are."""
    texts = (column[0], *column[1])
    return any(texts) and all(map(_is_plain, texts))


def _is_plain(text: str) -> bool:
    # Of a text that ends with spaces rich moves the rest to the right.
    return text.isprintable() and text[-1:] != " "


def _fits(line: str, width: int) -> bool:
    return _is_plain(line) and cell_len(line) <= width


def _padded(column: _Column, width: int, *, to_the_right: bool) -> list[str]:
    texts = (column[0], *column[1])
    spaces = (" " * (width - cell_len(text)) for text in texts)
    pairs = zip(texts, spaces, strict=True)
    return [space + text if to_the_right else text + space for text, space in pairs]


def _print_below(out: Screen, columns: Sequence[_Column], count: int) -> None:
    """Prints each row as lines of name and value."""
    for number, row in enumerate(zip(*(cells for _, cells in columns), strict=True), start=1):
        cells = [(name, cell) for (name, _), cell in zip(columns, row, strict=True)]
        if out.is_terminal:
            before = "\n" if number > 1 else ""
            # A column without a heading, such as a judge's letter, is the row's name.
            named = "".join(f": {cell}" for name, cell in cells if cell and not name)
            out.print(Text(f"{before}row {number:,} of {count:,}{named}", "italic"))
            print_pairs(out, [(name, cell) for name, cell in cells if cell and name])
            continue
        title = f"row {number} of {count}"
        table = Table(
            box=None, title=title, title_justify="left", show_header=False, pad_edge=False
        )
        table.add_column(no_wrap=True)
        table.add_column(overflow="fold")
        for name, cell in cells:
            table.add_row(Text(name), Text(cell))
        out.print(table, highlight=False)
