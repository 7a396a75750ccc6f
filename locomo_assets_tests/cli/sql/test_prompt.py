"""`sql -i` on a real terminal, and what it completes."""

import os
import pty
import select
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from prompt_toolkit.completion import CompleteEvent
from prompt_toolkit.document import Document

from locomo_assets.cli.sql.prompt import HISTORY_FILE, SqlCompleter, is_whole
from locomo_assets.history import catalog

PROMPT = "\x1b[?2004h"
"""What a new prompt begins with, however often it is drawn: pasting is told apart from typing."""

RUNS = "\x1b[?2004l"
"""What the end of a prompt is: what was typed runs."""


class Terminal:
    """A process on a terminal of its own."""

    def __init__(self, home: Path) -> None:
        command = [sys.executable, "-m", "locomo_assets.cli", "sql", "-i"]
        given = {"PATH": os.environ["PATH"], "LOCOMO_HOME": str(home), "TERM": "xterm",
                 "NO_COLOR": "1", "PROMPT_TOOLKIT_NO_CPR": "1", "COLUMNS": "100"}  # fmt: skip
        self.pid, self.descriptor = pty.fork()
        if not self.pid:
            os.execve(command[0], command, given)
        self.shown = ""

    def type(self, keys: str, then: str) -> str:
        """Sends keys; what is shown from then on until a text, which must come."""
        os.write(self.descriptor, keys.encode())
        begin, until = len(self.shown), time.monotonic() + 60
        while then not in self.shown[begin:]:
            assert time.monotonic() < until, self.shown[begin:]
            assert self._read(until - time.monotonic()), self.shown[begin:]
        return self.shown[begin:]

    def press(self, key: str, then: str) -> str:
        """Presses a key until a text comes: one that arrives too early does nothing."""
        begin, until = len(self.shown), time.monotonic() + 60
        while then not in self.shown[begin:]:
            assert time.monotonic() < until, self.shown[begin:]
            os.write(self.descriptor, key.encode())
            again = time.monotonic() + 1
            while then not in self.shown[begin:] and time.monotonic() < again:
                self._read(again - time.monotonic())
        return self.shown[begin:]

    def end(self) -> int:
        """The exit code, once it has ended by itself."""
        until = time.monotonic() + 60
        while self._read(until - time.monotonic()):
            assert time.monotonic() < until, self.shown
        _, status = os.waitpid(self.pid, 0)
        self.pid = 0
        return os.waitstatus_to_exitcode(status)

    def close(self) -> None:
        if self.pid:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        os.close(self.descriptor)

    def _read(self, seconds: float) -> bool:
        ready, _, _ = select.select([self.descriptor], [], [], max(seconds, 0))
        try:
            arrived = os.read(self.descriptor, 4096) if ready else b""
        except OSError:  # Linux's end of a terminal
            arrived = b""
        self.shown += arrived.decode(errors="replace")
        return bool(arrived)


@pytest.fixture
def terminal(measured: Path) -> Iterator[Terminal]:
    opened = Terminal(measured)
    yield opened
    opened.close()


def test_a_session(terminal: Terminal, measured: Path) -> None:
    terminal.type("", PROMPT)
    terminal.type("SELECT 40 + 2\r", "...>")
    assert "42" in terminal.type("AS sum;\r", PROMPT).partition(RUNS)[2]
    error = terminal.type("SELECT nope FROM answers;\r", PROMPT)
    assert error.count("error: ") == 1
    assert "Traceback" not in error
    # What Ctrl-C clears is not run.
    terminal.type("SELECT cleared\x03", PROMPT)
    terminal.type("SELECT max(judge) FROM accuracy_by_rel\t", "ease")
    assert "max(judge)" in terminal.type(";\r", PROMPT).partition(RUNS)[2]
    assert "The earlier release" in terminal.type(".describe flips\r", PROMPT)
    assert "`.tables all` lists them" in terminal.type(".tables\r", PROMPT)
    assert ".quit" in terminal.type(".help\r", PROMPT)
    assert "error: .nope: no command" in terminal.type(".nope\r", PROMPT)
    assert "only read" in terminal.type("DROP TABLE answers;\r", PROMPT)
    # The arrow key brings back what was typed, and so does another session.
    assert "DROP" in terminal.press("\x1b[A", "answers;")
    terminal.type("\x03", PROMPT)
    assert "Traceback" not in terminal.shown
    os.write(terminal.descriptor, b"\x04")
    assert terminal.end() == 0
    kept = (measured / HISTORY_FILE).read_text()
    assert "+SELECT 40 + 2\n+AS sum;\n" in kept
    assert "cleared" not in kept


def test_ctrl_c_stops_a_query_and_the_prompt_goes_on(terminal: Terminal) -> None:
    terminal.type("", PROMPT)
    terminal.type("SELECT sum(range) FROM range(1000000000000);\r", RUNS)
    assert "error" not in terminal.press("\x03", PROMPT)
    # A Ctrl-C that was late brings a prompt of its own, so that is nothing to wait for.
    terminal.type("SELECT 42 + 1 AS x;\r", "43")
    os.write(terminal.descriptor, b".quit\r")
    assert terminal.end() == 0
    assert "Traceback" not in terminal.shown


def test_any_number_of_ctrl_c_is_one(terminal: Terminal) -> None:
    terminal.type("", PROMPT)
    terminal.type("SELECT sum(range) FROM range(1000000000000);\r", RUNS)
    for _ in range(20):
        os.write(terminal.descriptor, b"\x03")
        time.sleep(0.02)
    terminal.press("\x03", "sql>")
    assert "43" in terminal.type("SELECT 42 + 1 AS x;\r", "43")
    assert "Traceback" not in terminal.shown


def test_an_interrupt_while_a_prompt_begins_or_ends_is_nothing(terminal: Terminal) -> None:
    terminal.type("", PROMPT)
    for _ in range(20):
        os.write(terminal.descriptor, b"SELECT 42 + 1 AS x;\r")
        for _ in range(50):
            os.kill(terminal.pid, signal.SIGINT)
            time.sleep(0.001)
    terminal.press("\x03", "sql>")
    assert "43" in terminal.type("SELECT 42 + 1 AS x;\r", "43")
    assert "Traceback" not in terminal.shown


def completed(completer: SqlCompleter, text: str) -> list[str]:
    document = Document(text.replace("|", ""), text.index("|"))
    return [one.text for one in completer.get_completions(document, CompleteEvent())]


@pytest.fixture(scope="module")
def completer(measured: Path) -> SqlCompleter:
    entries = catalog.entries(measured / "history" / "history.duckdb")
    return SqlCompleter(entries, ["from", "group", "select"], [".describe", ".quit"])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("SELECT * FROM accuracy_by_c|", ["accuracy_by_category",
         "accuracy_by_category_and_conversation", "accuracy_by_conversation"]),
        ("select * from release_order join cat|", ["categories"]),
        ("SELECT pos| FROM release_order", ["position"]),
        ("SELECT flips.rel| FROM flips, answers", ["release_a", "release_b"]),
        ("SELECT question_protocol FROM answers GR|", ["GROUP"]),
        ("sel|", ["select"]),
        (".desc|", [".describe"]),
        (".describe lens|", ["lens_meta"]),
    ],
)  # fmt: skip
def test_names_are_completed_where_they_belong(
    completer: SqlCompleter, text: str, expected: list[str]
) -> None:
    assert completed(completer, text) == expected


@pytest.mark.parametrize(
    ("text", "whole"),
    [
        ("SELECT 1", False),
        ("SELECT 1;", True),
        ("SELECT 'ä' ;  ", True),
        ("SELECT 'a;", False),
        ("SELECT 1; -- don't;", True),
        ("SELECT 1 -- ;", False),
        ("/* ;", False),
        ("SELECT $$ ;", False),
        ("SELECT 1; SELECT", False),
        (".tables", True),
        ("", True),
    ],
)
def test_a_semicolon_ends_a_statement_outside_texts_and_comments(text: str, whole: bool) -> None:
    assert is_whole(text) is whole
