"""The command line: thin over the same functions that the assets call.

Here: the application and how errors end. One module per noun holds the commands.
"""

import os
import sys

import typer

from locomo_assets.errors import LocomoError

app = typer.Typer(
    name="locomo-assets",
    help="Does this release of a memory service remember better than the last? Without keys "
    "everything runs against the packaged stand-in and costs nothing.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)


def main() -> None:
    """Runs the command line; an error a person can put right ends as one line and its exit code."""
    from locomo_assets.cli import (
        backups,
        care,
        compare,
        doctor,
        history,
        imports,
        judges,
        remote,
        run,
        standin,
    )

    modules = (run, history, compare, judges, imports, care, backups, remote, doctor, standin)
    for module in modules:
        module.register(app)
    try:
        app()
    except (LocomoError, OSError) as error:
        if os.environ.get("LOCOMO_TRACEBACK"):
            raise
        known = error if isinstance(error, LocomoError) else LocomoError
        print(f"{known.prefix}: {error}", file=sys.stderr)
        sys.exit(known.exit_code)
    except Exception as error:
        if os.environ.get("LOCOMO_TRACEBACK"):
            raise
        text = " ".join(str(error).split())[:300]
        print(
            f"error: {type(error).__name__}: {text} (not foreseen; LOCOMO_TRACEBACK=1 shows where)",
            file=sys.stderr,
        )
        sys.exit(70)
