"""How a command ends: one line for what went wrong, and an exit code of `errors.EXIT_CODES`."""

import io
import logging
import os
import re
import signal
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress

from typer.exceptions import Abort, TyperException

from locomo_assets.cli.shell.typed import NAME, as_typed, same_command
from locomo_assets.errors import DONE, FAILED, STOPPED, UNFORESEEN, UNREAD, LocomoError
from locomo_assets.redaction import printable

_possible = re.compile(r" \(Possible options: ([^)]*)\)")
_QUERY_STOPPED = "Query interrupted"
"""What DuckDB makes of a Ctrl-C that comes while the main thread waits for a query."""
_SAVED = "what was done is saved, and the same command goes on: {command}"
_AGAIN = "nothing is left half done; the same command does it: {command}"
_GOES_ON = {
    "run": _SAVED,
    "ladder": _SAVED,
    "judge": _SAVED,
    "judge-panel": _SAVED,
    "backup": _SAVED,
    "import": _AGAIN,
    "judge-labels": _AGAIN,
    "export": _AGAIN,
    "restore": "the copy is not whole; empty that place, then: {command}",
}


def exit_code_of(command: Callable[[], object], *, sets_up_logs: bool = True) -> int:
    """Runs a command and says in one line how it failed, if it did; its exit code.

    With LOCOMO_TRACEBACK errors are raised. Logs that are not set up are if there is a line to say.
    """
    as_json = False
    _degrade_output()
    try:
        as_json = sets_up_logs and _configure_logs()
        code = command()
        if sys.stdout is not None:
            # Here, since at the end of the process nobody could catch what goes wrong.
            sys.stdout.flush()
        line = stopped_line(sys.argv[1:]) if code == STOPPED else ""
    except (Exception, KeyboardInterrupt, SystemExit) as error:
        code, line = _told(error)
    if code == STOPPED:
        # A further Ctrl-C, while the process ends, is no reason for a traceback.
        with suppress(ValueError):  # not the main thread
            signal.signal(signal.SIGINT, signal.SIG_DFL)
    if line:
        _print_error(as_typed(line), as_json if sets_up_logs else _configure_logs())
    return code if isinstance(code, int) else DONE


def _told(error: BaseException) -> tuple[int, str]:
    """The exit code of what a command ended with, and the line to print; raises what is neither."""
    of = error.__context__
    if isinstance(error, BrokenPipeError) or isinstance(of, BrokenPipeError):
        # rich and typer make a SystemExit of it.
        _forget_output()
        return UNREAD, ""
    is_stop = (
        isinstance(error, KeyboardInterrupt)
        or getattr(error, "exit_code", 0) == STOPPED
        or (isinstance(error, RuntimeError) and str(error) == _QUERY_STOPPED)
    )
    if is_stop or (isinstance(error, Abort) and isinstance(of, KeyboardInterrupt)):
        return STOPPED, stopped_line(sys.argv[1:])
    if isinstance(error, Abort):
        return FAILED, "aborted: nothing was done"
    if isinstance(error, TyperException):
        return error.exit_code, _misuse(error)
    if isinstance(error, Exception):
        return _failure(error)
    raise error


def _failure(error: Exception) -> tuple[int, str]:
    from locomo_assets.settings import shows_traceback

    if shows_traceback():
        raise error
    if isinstance(error, LocomoError):
        return error.exit_code, f"{error.prefix}: {error}"
    if isinstance(error, OSError):
        _forget_output()  # it may be standard output that can't be written
        return FAILED, f"{LocomoError.prefix}: {error}"
    text = " ".join(str(error).split())[:300]
    kind = type(error).__name__
    return UNFORESEEN, f"error: {kind}: {text} (unexpected; LOCOMO_TRACEBACK=1 shows where)"


def stopped_line(words: Sequence[str]) -> str:
    """What to say when a command was stopped: whether and how it goes on."""
    noun = next((word for word in words if not word.startswith("-")), "")
    more = None if "--dry-run" in words else _GOES_ON.get(noun)
    return "stopped" if more is None else f"stopped: {more.format(command=same_command())}"


def _misuse(error: TyperException) -> str:
    """What to say of words or options that a command has not."""
    if type(error).__name__ == "NoArgsIsHelpError":
        return ""  # the help is printed already
    context = getattr(error, "ctx", None)
    path = [] if context is None else context.command_path.split()[1:]
    text = " ".join(error.format_message().split()).rstrip(".")
    text = text.replace("Value error, ", "")
    text = _possible.sub(r"; did you mean \1?", text[:1].lower() + text[1:])
    of = f"{' '.join(path)}: " if path else ""
    return f"error: {of}{text}; see `{' '.join([NAME, *path])} --help`"


def _degrade_output() -> None:
    """From now on a sign that the output's encoding lacks is printed as another, not an error.

    A pipe gets an escape, from which the sign can be read again.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace" if stream.isatty() else "backslashreplace")


def _forget_output() -> None:
    """Lets what is still unwritten go where it can be written, at the end of the process."""
    with suppress(OSError, ValueError, AttributeError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)


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
        # At Ctrl-C it tells of each connection that was just being closed, with a traceback.
        logging.getLogger("sqlalchemy.pool").setLevel(logging.CRITICAL)
    return as_json


def _print_error(line: str, as_json: bool) -> None:
    if as_json:
        logging.getLogger("locomo_assets.cli").error(line)
    elif sys.stderr is not None:
        with suppress(OSError):
            print(printable(line), file=sys.stderr)
