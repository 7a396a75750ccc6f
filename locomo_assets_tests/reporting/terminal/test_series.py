"""Tables, lines and JSON on a terminal: whatever a service said, it obeys nothing of it."""

import io
import json
import sys
from pathlib import Path

import pytest

from locomo_assets.analysis.accuracy import by_release
from locomo_assets.analysis.panel import read_panels
from locomo_assets.history.database import refresh
from locomo_assets.redaction import printable
from locomo_assets.reporting.terminal.series import (
    print_accuracy,
    print_gold_faults,
    print_panel,
)
from locomo_assets.reporting.terminal.table import Screen, print_json, print_table
from locomo_assets_tests.analysis.factories import HistoryBuilder, audited_history
from locomo_assets_tests.reporting.terminal.screens import pipe, terminal, text_of

CLIPBOARD = "\x1b]52;c;cm0gLXJmIH4=\x07"
TITLE = "\x9d0;owned\x9c"
COLOUR = "\x1b[31mred\x1b[0m"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("sent", [CLIPBOARD, TITLE, COLOUR, "\x7f\x00\x08\r"])
def test_no_escape_sequence_reaches_a_terminal(sent: str, monkeypatch: pytest.MonkeyPatch) -> None:
    out = Terminal()
    console = Screen(file=out, width=100, force_terminal=False)
    print_table(console, ("answer",), [(f"It is {sent} so.",)])
    monkeypatch.setattr(sys, "stdout", out)
    print_json([{"answer": sent}])
    written = out.getvalue()
    assert "It is" in written
    assert not {"\x1b", "\x9d", "\x9c", "\x07", "\x7f", "\x00", "\x08", "\r"} & set(written)


@pytest.mark.parametrize(("silent", "shown"), [(False, False), (True, True)])
def test_bounds_are_a_column_where_a_verdict_is_missing(
    tmp_path: Path, silent: bool, shown: bool
) -> None:
    history = HistoryBuilder(tmp_path)
    history.dataset(["conv-1"], 10)
    history.measure("r1", {"conv-1": "+!+-+-+-++" if silent else "+++-+-+-++"})
    refresh(history.store, history.database_path)
    out = io.StringIO()
    console = Screen(file=out, width=200)
    print_accuracy(console, history.database_path, "r1", max_error_percent=50)
    text = out.getvalue()
    assert ("bounds" in text) is shown
    # of the eight questions of categories 1-4 one has no verdict, and four are correct
    assert ("50.0 – 62.5" in text) is shown


def test_what_people_write_stays() -> None:
    text = "Grüße, \t東京 🙂\n– “so”"
    assert printable(text) == text


def test_a_pipe_gets_json_without_loss(monkeypatch: pytest.MonkeyPatch) -> None:
    out = io.StringIO()
    monkeypatch.setattr(sys, "stdout", out)
    print_json([{"answer": CLIPBOARD + TITLE}])
    assert json.loads(out.getvalue()) == [{"answer": CLIPBOARD + TITLE}]


def test_more_than_the_ceiling_is_a_warning(tmp_path: Path) -> None:
    history = audited_history(tmp_path)
    history.measure("r3", {"conv-1": "++++"})
    refresh(history.store, history.database_path)
    out = io.StringIO()
    for release in ("r1", "r3"):
        wholes = by_release(history.database_path, release, max_error_percent=2.0)
        print_gold_faults(Screen(file=out, width=200), history.database_path, wholes, None)
    below, above = out.getvalue().split("release r3")
    assert "1 of 1, 100 %" in above
    assert "warning: all scored: 100.00 % is above the ceiling of 75.00 %" in above
    assert "warning" not in below
    assert "only for a judge that keeps to the gold answers" in " ".join(below.split())


def test_judges_with_long_names_stand_in_a_table(tmp_path: Path) -> None:
    history = HistoryBuilder(tmp_path)
    history.dataset(["conv-1"], 5)
    history.measure("r1", {"conv-1": "++++-"}, judge="standin:gpt-4.1/generous@07c4c4a6")
    history.judge_again("r1", "conv-1", "++---", "standin:gpt-4.1/strict@b436048c", votes=3)
    refresh(history.store, history.database_path)
    (panel,) = read_panels(history.database_path, "r1")
    labels = {one.judge: "the judge" for one in panel.judges}
    for width in (80, 100):
        screen = terminal(width)
        print_panel(screen, panel, labels)
        assert "\nA  the judge" in text_of(screen)
        assert list(screen.left_out) == ["correct", "n", "split votes"]
    piped = pipe()
    print_panel(piped, panel, labels)
    assert "correct  n  above A  split votes" in text_of(piped)
