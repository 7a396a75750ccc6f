"""The command line, a thin layer over the functions that the assets call.

The application belongs here; each module holds the commands of one noun, and `shell` what all of
them share.
"""

import os
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Annotated

import typer

from locomo_assets import __version__
from locomo_assets.cli.shell.ending import exit_code_of
from locomo_assets.cli.shell.typed import NAME
from locomo_assets.errors import DONE, EXIT_CODES

# `--help` lists the commands in this order.
MODULES: dict[str, tuple[str, ...]] = {
    "run": ("run",),
    "plan": ("plan",),
    "ladders": ("ladder",),
    "sql": ("sql",),
    "report": ("report",),
    "releases": ("releases",),
    "compare": ("compare", "judge-agreement"),
    "imports": ("import", "judge-labels", "export", "verify-export"),
    "judges": ("judge", "judge-panel"),
    "operations": ("history", "alert-test", "exporter", "backup", "verify", "restore", "remote",
                   "doctor"),
    "settings": ("settings",),
    "standin": ("standin",),
}  # fmt: skip
"""The modules of this room, and which commands each one registers."""


def main() -> None:
    """Runs the command line. An expected error ends as one line and an exit code."""
    sys.exit(exit_code_of(_call))


def _call() -> object:
    words = _words()
    return application(words[0] if words else None)(prog_name=NAME, standalone_mode=False)


def application(command: str | None = None) -> typer.Typer:
    """All commands, or those of one's module alone: the others' libraries take a second to load."""
    codes = ", ".join(f"{code} {meaning}" for code, meaning in EXIT_CODES.items())
    app = typer.Typer(
        name=NAME,
        help="Does this release of a memory service remember better than the last? Without keys "
        "everything runs against the packaged stand-in and costs nothing.",
        epilog=f"Exit codes: {codes} (docs/commands.md).",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_options)
    wanted = [module for module, commands in MODULES.items() if command in commands]
    for module in wanted or MODULES:
        import_module(f"{__name__}.{module}").register(app)
    return app


def _words() -> Sequence[str]:
    """What follows the program's name: as typed, or as a shell asks to complete it."""
    # Of typer's own scripts: bash has the words in one variable, other shells in the other.
    asked = os.environ.get("COMP_WORDS") or os.environ.get("_TYPER_COMPLETE_ARGS")
    if "_LOCOMO_ASSETS_COMPLETE" in os.environ and asked:
        words = asked.split()[1:]
        # The first word may not be whole yet.
        return words if len(words) > 1 or asked[-1].isspace() else ()
    return sys.argv[1:]


def _print_version(wanted: bool) -> None:
    if wanted:
        python = ".".join(map(str, sys.version_info[:3]))
        print(f"{NAME} {__version__} (Python {python}, {Path(__file__).parents[1]})")
        raise typer.Exit(DONE)


def _options(
    version: Annotated[  # its callback prints it
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version and end."
        ),
    ] = False,
) -> None:
    pass
