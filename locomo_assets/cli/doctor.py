"""`doctor`: what a deployer wants to know before the first paid run. Free of cost.

Layout and exit code; what is checked is in `locomo_assets.doctor`.
"""

import json
from dataclasses import asdict
from enum import StrEnum
from typing import Annotated

import typer


class Format(StrEnum):
    """How the lines are printed."""

    text = "text"
    json = "json"


def register(app: typer.Typer) -> None:
    """Adds the command of this module."""
    app.command()(doctor)


def doctor(
    format: Annotated[Format, typer.Option(help="json: a list of objects.")] = Format.text,
) -> None:
    """Would a first paid run find all that it needs? A line each; asks only what costs nothing.

    The exit code is 1 where a line says fail, and 0 where lines say warn at worst: so a service
    that is merely slow keeps no pod from starting.
    """
    from locomo_assets.doctor import DoctorError, Level, examine

    lines = examine()
    if format is Format.json:
        print(json.dumps([asdict(line) for line in lines], ensure_ascii=False, indent=1))
    else:
        width = max(len(line.subject) for line in lines)
        for line in lines:
            way_out = f"; {line.way_out}" if line.way_out else ""
            print(f"{line.level:<4}  {line.subject:<{width}}  {line.found}{way_out}")
    failed = [line.subject for line in lines if line.level is Level.FAIL]
    if failed:
        raise DoctorError(f"{len(failed)} of {len(lines)} fail: {', '.join(failed)}")
