"""`doctor`: checks of an installation before its first paid run; the checks are in `doctor`."""

import sys
from dataclasses import asdict
from enum import StrEnum
from typing import Annotated

import typer

from locomo_assets.reporting.terminal.table import console, print_json, print_pairs


class Format(StrEnum):
    """How the lines are printed."""

    text = "text"
    json = "json"


def register(app: typer.Typer) -> None:
    """Adds the command of this module."""
    app.command()(doctor)


def doctor(
    format: Annotated[Format, typer.Option(help="json: a list of objects.")] = Format.text,
    prove: Annotated[
        bool,
        typer.Option(
            "--prove", help="Prove the keys by one saved turn and one verdict, which are paid."
        ),
    ] = False,
) -> None:
    """Check that a first paid run would find all it needs, a line each.

    Costs nothing, unless --prove is given. That says first what it costs, asks no question, and
    deletes its assistant again.

    The exit code is 1 where a line says fail. A warning does not change it, so a slow service
    does not keep a pod from starting.
    """
    from locomo_assets.doctor import DoctorError, Level, examine

    lines = examine(
        prove=prove, tell=lambda cost: print(f"--prove asks for {cost}", file=sys.stderr)
    )
    if format is Format.json:
        print_json([asdict(line) for line in lines])
    else:
        width = max(len(line.subject) for line in lines)
        told = [
            (
                f"{line.level:<4}  {line.subject:<{width}}",
                f"{line.found}; {line.way_out}" if line.way_out else line.found,
            )
            for line in lines
        ]
        if sys.stdout.isatty():
            print_pairs(console(), told)
        else:
            for name, text in told:
                print(f"{name}  {text}")
    failed = [line.subject for line in lines if line.level is Level.FAIL]
    if failed:
        raise DoctorError(f"{len(failed)} of {len(lines)} fail: {', '.join(failed)}")
