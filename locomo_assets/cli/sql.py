"""`sql`: questions to the history in SQL."""

import csv
import sys
from enum import StrEnum
from typing import Annotated

import typer

from locomo_assets.cli.options import AllOption
from locomo_assets.history import database
from locomo_assets.redaction import printable
from locomo_assets.reporting.terminal.table import console, print_json, print_rows
from locomo_assets.settings import read_settings


class Format(StrEnum):
    """How rows are printed."""

    table = "table"
    csv = "csv"
    json = "json"


def register(app: typer.Typer) -> None:
    """Adds the commands of this module."""
    app.command()(sql)


def sql(
    query: Annotated[str, typer.Argument(help="One SELECT over the history.")],
    format: Annotated[Format, typer.Option(help="How to print the rows.")] = Format.table,
    all_rows: AllOption = False,
) -> None:
    """Query the history, read-only. Costs nothing.

    A terminal shows the first rows, and numbers rounded; a pipe, csv and json get everything.
    """
    columns, rows = database.query(read_settings().database_path, query)
    if format is Format.table:
        print_rows(console(), columns, rows, all_rows=all_rows)
    elif format is Format.csv:
        # A pipe gets the texts as they are, and lines that a shell can read.
        shown = printable if sys.stdout.isatty() else str
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows([shown(c) if isinstance(c, str) else c for c in row] for row in rows)
    else:
        records = [dict(zip(columns, row, strict=True)) for row in rows]
        print_json(records)
