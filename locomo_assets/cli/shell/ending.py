"""How a command ends: one line for what went wrong, and an exit code of `errors.EXIT_CODES`."""

import logging
import os
import re
import signal
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress

from typer.exceptions import Abort, TyperException

from locomo_assets.cli.shell.typed import as_typed, same_command, typed_name
from locomo_assets.errors import DONE, FAILED, STOPPED, UNFORESEEN, UNREAD, LocomoError
from locomo_assets.redaction import printable

_possible = re.compile(r" \(Possible options: ([^)]*)\)")
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


def exit_code_of(command: Callable[[], object]) -> int:
    """Runs a command and says in one line how it failed, if it did; its exit code.

    With LOCOMO_TRACEBACK errors are raised.
    """
    as_json = False

    def say(line: str) -> None:
        _print_error(as_typed(line), as_json)

    try:
        as_json = _configure_logs()
        code = command()
        if sys.stdout is not None:
            # Here, since at the end of the process nobody could catch what goes wrong.
            sys.stdout.flush()
        if code == STOPPED:
            raise KeyboardInterrupt
        return code if isinstance(code, int) else DONE
    except BrokenPipeError:
        return _unread()
    except SystemExit as end:
        # rich and typer end so where nobody reads what they print.
        if isinstance(end.__context__, BrokenPipeError):
            return _unread()
        raise
    except KeyboardInterrupt:
        return _stopped(say)
    except Abort as error:
        if isinstance(error.__context__, KeyboardInterrupt):
            return _stopped(say)
        say("aborted: nothing was done")
        return FAILED
    except TyperException as error:
        return _misused(error, say)
    except Exception as error:
        return _failed(error, say)


def _failed(error: Exception, say: Callable[[str], None]) -> int:
    from locomo_assets.settings import shows_traceback

    if shows_traceback():
        raise error
    if isinstance(error, OSError):
        _forget_output()
        say(f"{LocomoError.prefix}: {error}")
        return FAILED
    if not isinstance(error, LocomoError):
        text = " ".join(str(error).split())[:300]
        say(f"error: {type(error).__name__}: {text} (unexpected; LOCOMO_TRACEBACK=1 shows where)")
        return UNFORESEEN
    if error.exit_code == STOPPED:
        return _stopped(say)
    say(f"{error.prefix}: {error}")
    return error.exit_code


def _stopped(say: Callable[[str], None]) -> int:
    # A further Ctrl-C, while the process ends, is no reason for a traceback.
    with suppress(ValueError):  # not the main thread
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    say(stopped_line(sys.argv[1:]))
    return STOPPED


def stopped_line(words: Sequence[str]) -> str:
    """What to say when a command was stopped: whether and how it goes on."""
    noun = next((word for word in words if not word.startswith("-")), "")
    more = None if "--dry-run" in words else _GOES_ON.get(noun)
    return "stopped" if more is None else f"stopped: {more.format(command=same_command())}"


def _misused(error: TyperException, say: Callable[[str], None]) -> int:
    """Words or options that the command has not."""
    context = getattr(error, "ctx", None)
    text = " ".join(error.format_message().split()).rstrip(".")
    if type(error).__name__ == "NoArgsIsHelpError":
        return error.exit_code  # the help is printed already
    path = [] if context is None else context.command_path.split()[1:]
    text = _possible.sub(r"; did you mean \1?", text[:1].lower() + text[1:])
    of = f"{' '.join(path)}: " if path else ""
    say(f"error: {of}{text}; see `{' '.join([typed_name(), *path])} --help`")
    return error.exit_code


def _unread() -> int:
    _forget_output()
    return UNREAD


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
    return as_json


def _print_error(line: str, as_json: bool) -> None:
    if as_json:
        logging.getLogger(__name__).error(line)
    elif sys.stderr is not None:
        with suppress(OSError):
            print(printable(line), file=sys.stderr)
