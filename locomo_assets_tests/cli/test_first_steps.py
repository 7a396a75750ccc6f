"""docs/first-steps.md: its commands, run one after another on a terminal, print what it shows."""

import doctest
import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from pathlib import Path

from locomo_assets_tests.conftest import REPOSITORY

PAGE = (REPOSITORY / "docs" / "first-steps.md").read_text()
COLUMNS = 80
SESSION = re.findall(r"^```console\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
_CHECKER = doctest.OutputChecker()


def steps() -> list[tuple[str, str]]:
    """Each command of the page with the output that the page shows."""
    found = []
    for block in SESSION:
        first, *rest = re.split(r"^\$ (.*)\n", block, flags=re.MULTILINE)
        assert not first.strip(), first
        found += list(zip(rest[::2], rest[1::2], strict=True))
    return found


def on_a_terminal(command: str, folder: Path) -> tuple[int, str]:
    """The exit code and what a terminal of `COLUMNS` columns shows, without its escapes."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, COLUMNS, 0, 0))
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    # A dumb terminal draws no progress bars over each other.
    process = subprocess.Popen(
        ["bash", "-euo", "pipefail", "-c", command],
        env={"PATH": path, "TERM": "dumb", "HOME": str(folder)},
        cwd=folder,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    )
    os.close(theirs)
    shown = b""
    while True:
        try:
            read = os.read(ours, 65536)
        except OSError:  # EIO: the other side is closed
            break
        if not read:
            break
        shown += read
    os.close(ours)
    return process.wait(60), shown.decode().replace("\r\n", "\n")


def test_the_session(tmp_path: Path) -> None:
    """In a folder of its own, which has the clone's .venv and a Makefile that runs the command."""
    session = steps()
    assert len(session) == 10
    (tmp_path / ".venv").symlink_to(sys.prefix)
    made = subprocess.run(
        ["make", "--no-print-directory", "-n", "run"],
        cwd=REPOSITORY, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert made.stdout.splitlines()[-1] == ".venv/bin/locomo-assets run"
    for command, shown in session:
        typed = command.replace("make run", ".venv/bin/locomo-assets run")
        code, output = on_a_terminal(typed, tmp_path)
        lines = "".join(f"{line.rstrip()}\n" for line in output.splitlines())
        assert code == 0, f"$ {command}\n{output}"
        example = doctest.Example(command, shown)
        difference = _CHECKER.output_difference(example, lines, doctest.ELLIPSIS)
        assert _CHECKER.check_output(shown, lines, doctest.ELLIPSIS), f"$ {command}\n{difference}"
