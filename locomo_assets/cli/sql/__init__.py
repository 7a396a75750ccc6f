"""`sql`: questions to the history in SQL, and what there is to ask."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from locomo_assets.cli.shell.place import history_settings
from locomo_assets.cli.sql.output import Format, print_description, print_listing, print_result
from locomo_assets.history import catalog, database
from locomo_assets.history.statements import Rows
from locomo_assets.settings import SettingsError


def register(app: typer.Typer) -> None:
    """Adds the commands of this module."""
    app.command()(sql)


def sql(
    query: Annotated[
        str | None,
        typer.Argument(help="One SELECT over the history. Without it: lists what there is."),
    ] = None,
    describe: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Show a table's or view's columns and what they hold."),
    ] = None,
    file: Annotated[
        str | None,
        typer.Option(metavar="PATH", help="Run a file's statements; `-` reads standard input."),
    ] = None,
    interactive: Annotated[
        bool, typer.Option("-i", "--interactive", help="Open a prompt with history and completion.")
    ] = False,
    format: Annotated[Format, typer.Option(help="How to print the rows.")] = Format.table,
    all_rows: Annotated[
        bool,
        typer.Option(
            "--all",
            help="Show all rows on a terminal, not the first 40; without a query, list all tables.",
        ),
    ] = False,
) -> None:
    """Query the history, read-only. Costs nothing.

    Without a query it lists the tables and views. A terminal shows the first rows, and numbers
    rounded; a pipe, csv and json get everything.
    """
    wanted = {"a query": query, "--describe": describe, "--file": file, "-i": interactive or None}
    given = [name for name, value in wanted.items() if value is not None]
    if len(given) > 1:
        raise SettingsError(f"{' and '.join(given)} can't be given together")
    if interactive and not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise SettingsError("-i needs a terminal; `--file -` reads statements from a pipe")
    text = None if file is None else _read(file)
    settings = history_settings()
    path = settings.database_path
    if query is not None:
        print_result(Rows(*database.query(path, query)), format, all_rows=all_rows)
    elif text is not None:
        source = _name(str(file))
        number = 0
        for number, result in enumerate(database.query_all(path, text, source), start=1):
            if number > 1 and format is not Format.json:
                print()
            print_result(result, format, all_rows=all_rows)
        if not number:
            raise SettingsError(f"{source} holds no statement")
    elif describe is not None:
        print_description(catalog.describe(path, describe), format)
    elif interactive:
        from locomo_assets.cli.sql.prompt import Prompt

        Prompt(path, settings.home, format, all_rows=all_rows).run()
    else:
        print_listing(catalog.entries(path), format, all_tables=all_rows)


def _read(file: str) -> str:
    try:
        raw = sys.stdin.buffer.read() if file == "-" else Path(file).expanduser().read_bytes()
        return raw.decode("utf-8-sig")
    except OSError as error:
        raise SettingsError(f"--file {file}: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise SettingsError(f"--file: {_name(file)} is not text in UTF-8") from error


def _name(file: str) -> str:
    return "standard input" if file == "-" else file
