"""The command line, a thin layer over the functions that the assets call.

The application belongs here; each module holds the commands of one noun, and `shell` what all of
them share.
"""

import os
import sys
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

from locomo_assets.cli.shell.ending import exit_code_of
from locomo_assets.cli.shell.typed import NAME
from locomo_assets.errors import DONE, EXIT_CODES

# In the order in which `--help` lists them.
COMMANDS: dict[str, tuple[str, str]] = {
    "run": ("run", "Measure a release: ingest, ask, judge, report."),
    "plan": (
        "plan",
        "What difference would a comparison see, and what to add to see less? Costs nothing.",
    ),
    "ladder": (
        "ladders.ladder",
        "What is each change of configuration worth? Measures one after another, and compares.",
    ),
    "sql": ("sql", "Query the history, read-only. Costs nothing."),
    "report": (
        "report",
        "Accuracy, F1, recall and more by category, of one release or of all. Costs nothing.",
    ),
    "compare": (
        "compare",
        "Is release B better than A, worse, equivalent, or can't one tell? Costs nothing.",
    ),
    "judge-agreement": (
        "compare",
        "How far two judges agree on the same answers, beyond chance. Costs nothing.",
    ),
    "export": (
        "imports",
        "Write releases as plain files that others can check and import. Costs nothing.",
    ),
    "verify-export": (
        "imports",
        "Check an export by its files alone, and count its results anew. Costs nothing.",
    ),
    "judge": (
        "judges.judge",
        "Judge a release's stored answers, imported ones too, by the judge of the settings.",
    ),
    "judge-panel": (
        "judges.panel",
        "Judge a release's stored answers by several judges: how far does the number hang on them?",
    ),
    "alert-test": (
        "operations.alerts",
        "Send a test message to every alert channel, and say which accepted it. Costs nothing.",
    ),
    "exporter": (
        "operations.exporter",
        "Serve the history's newest releases as Prometheus metrics, until stopped. Costs nothing.",
    ),
    "backup": (
        "operations.backup",
        "Copy what is new in the history to LOCOMO_BACKUP, then remove old backups. Costs nothing.",
    ),
    "verify": (
        "operations.backup",
        "Read a backup and compare every hash and count. Costs nothing; exit code 1 on damage.",
    ),
    "restore": (
        "operations.backup",
        "Verify a backup, then copy it to an empty place. Costs nothing.",
    ),
    "doctor": (
        "operations.doctor",
        "Check that a first paid run would find all it needs, a line each.",
    ),
    "settings": (
        "settings",
        "List every setting with its default and meaning; on a pipe as Markdown. Costs nothing.",
    ),
    "standin": (
        "standin",
        "Serve the stand-in: the same wire protocol, no key of yours, no cost.",
    ),
    "releases": (
        "releases",
        "List the releases that were measured or imported, newest first; pin one as the baseline.",
    ),
    "import": (
        "imports",
        "Bring in results that others measured, as releases of their own. Costs nothing.",
    ),
    "judge-labels": (
        "imports",
        "Labels of answers, right or wrong, by somebody who read them: they say what a judge lets "
        "pass. Costs nothing.",
    ),
    "history": ("operations.history", "Refresh, check and prune the history."),
    "remote": (
        "operations.remote",
        "Show and delete the assistants that runs made at the memory service. Costs nothing.",
    ),
}
"""Each command's module of this room, and the first paragraph of its own help."""


class _Listing(TyperGroup):
    """All commands by name and summary. A command's module is loaded once the command is called:
    together they take a second."""

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        listed = {name: TyperCommand(name, help=text) for name, (_, text) in COMMANDS.items()}
        self.commands = {**listed, **self.commands}

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        module, _ = COMMANDS.get(args[0], (None, ""))
        if module is not None:
            own = typer.Typer()
            import_module(f"{__name__}.{module}").register(own)
            self.commands.update(typer.main.get_group(own).commands)
        return super().resolve_command(ctx, args)


def main() -> None:
    """Runs the command line. An expected error ends as one line and an exit code."""
    sys.exit(exit_code_of(_call, sets_up_logs=not _tells_of_itself()))


def _call() -> object:
    return application()(prog_name=NAME, standalone_mode=False)


def application() -> typer.Typer:
    """All commands."""
    codes = ", ".join(f"{code} {meaning}" for code, meaning in EXIT_CODES.items())
    app = typer.Typer(
        name=NAME,
        cls=_Listing,
        help="Does this release of a memory service remember better than the last? Without keys "
        "everything runs against the packaged stand-in and costs nothing.",
        epilog=f"Exit codes: {codes} (docs/commands.md).",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_options)
    return app


def _tells_of_itself() -> bool:
    """Whether no command runs: help, version, completion. Logs need the settings, which take as
    long to load as all of these."""
    first = sys.argv[1:2]
    return "_LOCOMO_ASSETS_COMPLETE" in os.environ or first in (
        [],
        ["-h"],
        ["--help"],
        ["--version"],
    )


def _print_version(wanted: bool) -> None:
    if wanted:
        from locomo_assets import __version__

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
