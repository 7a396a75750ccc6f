"""The command as the user typed it, for hints that can be copied."""

import os
import re
import shlex
import shutil
import sys
from pathlib import Path

NAME = "locomo-assets"

_quoted_command = re.compile(rf"`{NAME}(?=[ `])")
_named: dict[str, str] = {}


def typed_name() -> str:
    """How this program was called: `locomo-assets`, `.venv/bin/locomo-assets`, `python -m …`."""
    called = Path(sys.argv[0])
    if called == Path(__file__).parents[1] / "__main__.py":
        return f"{_shortest(Path(sys.executable))} -m {__package__.rpartition('.')[0]}"
    # A test's or another program's own name would be no command of ours.
    return _shortest(called) if called.name == NAME else NAME


def as_typed(text: str) -> str:
    """A text that quotes commands, with the name by which this program was called."""
    name = typed_name()
    return _quoted_command.sub(lambda _: f"`{name}", text)


def name_option(option: str, value: str) -> None:
    """Notes what the command chose itself, so that `same_command` names it."""
    _named[option] = value


def same_command() -> str:
    """The command line as it was typed, with the options that the command chose itself."""
    words = sys.argv[1:]
    given = {word.partition("=")[0] for word in words}
    chosen = [word for name, value in _named.items() if name not in given for word in (name, value)]
    return " ".join([typed_name(), shlex.join([*words, *chosen])]).rstrip()


def _shortest(program: Path) -> str:
    """Its bare name where the PATH finds it, else its path from here if it lies below."""
    found = shutil.which(program.name)
    if found is not None and os.path.abspath(found) == os.path.abspath(program):
        return program.name
    from_here = os.path.relpath(program)
    return str(program) if from_here.startswith(os.pardir) else from_here
