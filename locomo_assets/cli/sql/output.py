"""How `sql` prints: a statement's rows, the list of tables, and a table's columns."""

import csv
import sys
from collections.abc import Sequence
from enum import StrEnum
from itertools import groupby

from rich.text import Text

from locomo_assets.cli.shell.typed import typed_name
from locomo_assets.history.catalog import FUNCTIONS, Description, Entry
from locomo_assets.history.statements import Rows
from locomo_assets.redaction import printable
from locomo_assets.reporting.terminal.table import (
    Screen,
    console,
    print_json,
    print_line,
    print_rows,
    print_table,
)

EXAMPLES = (
    "SELECT release, judge, scored, accuracy FROM accuracy_by_release",
    "SELECT question, gold_answer, answer FROM current_judgements WHERE verdict = 'wrong' LIMIT 5",
)
"""Queries that any history answers."""

_NAME_WIDTH = 24


class Format(StrEnum):
    """How rows are printed."""

    table = "table"
    csv = "csv"
    json = "json"


def print_result(result: Rows, format: Format, *, all_rows: bool) -> None:
    """Prints the rows of a statement."""
    if format is Format.table:
        print_rows(console(), result.columns, result.rows, all_rows=all_rows)
    elif format is Format.csv:
        # A pipe gets the texts as they are, and lines that a shell can read.
        shown = printable if sys.stdout.isatty() else str
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerow(result.columns)
        writer.writerows(
            [shown(c) if isinstance(c, str) else c for c in row] for row in result.rows
        )
    else:
        print_json([dict(zip(result.columns, row, strict=True)) for row in result.rows])


def print_listing(
    entries: Sequence[Entry], format: Format, *, all_tables: bool, in_prompt: bool = False
) -> None:
    """Prints the tables and views for people, or all of them, group by group."""
    shown = [entry for entry in entries if all_tables or entry.for_people]
    if format is not Format.table:
        rows = [(entry.group, entry.name, entry.kind, entry.comment) for entry in shown]
        print_result(Rows(["group", "name", "kind", "comment"], rows), format, all_rows=True)
        return
    out = console()
    for group, members in groupby(shown, key=lambda entry: entry.group):
        out.print(Text(group, style="bold"))
        for entry in members:
            _print_entry(out, entry)
        out.print()
    hidden = len(entries) - len(shown)
    option = "`.tables all`" if in_prompt else "--all"
    if hidden:
        print_line(out, f"{hidden} more tables hold what these are made from: {option} lists them.")
    print_line(out, f"{'.' if in_prompt else '--'}describe NAME shows the columns of one.")
    if not in_prompt:
        print_line(out, "\nFor example:")
        for query in EXAMPLES:
            out.print(Text(f'{typed_name()} sql "{query}"'), soft_wrap=True)


def print_description(found: Description, format: Format) -> None:
    """Prints what a table or view holds, and its columns."""
    entry = found.entry
    rows = [(column.name, column.type, column.comment) for column in found.columns]
    headings = ["column", "type", "comment"]
    if format is not Format.table:
        print_result(Rows(headings, rows), format, all_rows=True)
        return
    out = console()
    counted = "" if found.row_count is None else f", {_counted(found.row_count)}"
    out.print(Text.assemble((entry.call, "bold"), f" ({entry.kind}{counted})"))
    print_line(out, entry.comment)
    if entry.group != FUNCTIONS:
        out.print()
        print_table(out, headings, rows)


def _counted(rows: int) -> str:
    return "1 row" if rows == 1 else f"{rows:,} rows"


def _print_entry(out: Screen, entry: Entry) -> None:
    name = f"  {entry.call:<{_NAME_WIDTH}}"
    line = Text(f"{name}  {entry.line}")
    if len(entry.call) > _NAME_WIDTH:
        out.print(Text(name), soft_wrap=True)
        line = Text(" " * (_NAME_WIDTH + 4) + entry.line)
    out.print(line, soft_wrap=not out.is_terminal)
