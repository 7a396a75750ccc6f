"""The command line, a thin layer over the functions that the assets call.

The application and the handling of errors belong here; each module holds the commands of one noun.
"""

import logging
import sys

import typer

from locomo_assets.errors import LocomoError
from locomo_assets.redaction import printable

app = typer.Typer(
    name="locomo-assets",
    help="Does this release of a memory service remember better than the last? Without keys "
    "everything runs against the packaged stand-in and costs nothing.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)


def main() -> None:
    """Runs the command line. An expected error ends as one line and an exit code."""
    from locomo_assets.cli import (
        compare,
        imports,
        judges,
        ladders,
        operations,
        plan,
        releases,
        report,
        run,
        settings,
        sql,
        standin,
    )
    from locomo_assets.settings import shows_traceback

    as_json = _configure_logs()
    # `--help` lists the commands in this order.
    nouns = (run, plan, ladders, sql, report, releases, compare, imports, judges, operations)
    for module in (*nouns, settings, standin):
        module.register(app)
    try:
        app()
    except (LocomoError, OSError) as error:
        if shows_traceback():
            raise
        known = error if isinstance(error, LocomoError) else LocomoError
        _print_error(f"{known.prefix}: {error}", as_json)
        sys.exit(known.exit_code)
    except Exception as error:
        if shows_traceback():
            raise
        text = " ".join(str(error).split())[:300]
        _print_error(
            f"error: {type(error).__name__}: {text} (unexpected; LOCOMO_TRACEBACK=1 shows where)",
            as_json,
        )
        sys.exit(70)


def _configure_logs() -> bool:
    """Sets up logging; whether it is JSON. Invalid settings are left for the command to report."""
    from locomo_assets.settings import SettingsError, read_settings

    try:
        settings = read_settings()
    except SettingsError:
        return False
    as_json = settings.log_format == "json"
    if as_json or settings.log_level:
        from locomo_assets.logs import configure

        configure(settings.log_format, settings.log_level or "INFO")
    else:
        # A person sees progress and the last line; a line for each retry would drown them.
        logging.getLogger("locomo_assets").setLevel(logging.ERROR)
    return as_json


def _print_error(line: str, as_json: bool) -> None:
    if as_json:
        logging.getLogger(__name__).error(line)
    else:
        print(printable(line), file=sys.stderr)
