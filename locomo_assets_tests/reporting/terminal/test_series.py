"""Tables, lines and JSON on a terminal: whatever a service said, it obeys nothing of it."""

import io
import json
import re
import sys
from pathlib import Path

import pytest
from rich.console import Console

from locomo_assets.analysis.accuracy import by_release
from locomo_assets.history.database import refresh
from locomo_assets.redaction import printable
from locomo_assets.reporting.terminal.series import (
    print_accuracy,
    print_gold_faults,
    print_scores,
)
from locomo_assets.reporting.terminal.table import print_json, print_rows, print_table
from locomo_assets_tests.analysis.factories import HistoryBuilder, audited_history

CLIPBOARD = "\x1b]52;c;cm0gLXJmIH4=\x07"
TITLE = "\x9d0;owned\x9c"
COLOUR = "\x1b[31mred\x1b[0m"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("sent", [CLIPBOARD, TITLE, COLOUR, "\x7f\x00\x08\r"])
def test_no_escape_sequence_reaches_a_terminal(sent: str, monkeypatch: pytest.MonkeyPatch) -> None:
    out = Terminal()
    console = Console(file=out, width=100, force_terminal=False)
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
    console = Console(file=out, width=200)
    print_accuracy(console, history.database_path, "r1", max_error_percent=50)
    text = out.getvalue()
    assert ("bounds" in text) is shown
    # of the eight questions of categories 1-4 one has no verdict, and four are correct
    assert ("50.0 – 62.5" in text) is shown


def test_a_narrow_terminal_does_without_what_says_nothing_then_without_details() -> None:
    rows = [("r1", "120", "–", "a detail"), ("r2", "99", "–", "another")]
    headings = ("release", "ms", "cost", "detail")

    def lines(width: int) -> list[str]:
        out = io.StringIO()
        print_table(Console(file=out, width=width), headings, rows, ("detail", "cost", "ms"))
        return [line.rstrip() for line in out.getvalue().splitlines()]

    assert lines(28)[0].split() == ["release", "ms", "cost", "detail"]
    assert lines(27)[0].split() == ["release", "ms", "detail"]
    assert lines(27)[3].startswith("A wider terminal")
    assert lines(15)[:3] == ["release  ms", "r1       120", "r2       99"]
    assert lines(3)[0] == "rel"


def test_rows_with_more_columns_than_fit_are_told_line_by_line() -> None:
    def lines(width: int) -> list[str]:
        out = io.StringIO()
        rows = [("r1", None), ("[b]", {"a": 1})]
        print_rows(Console(file=out, width=width), ("release", "evidence"), rows)
        return [line.rstrip() for line in out.getvalue().splitlines()]

    assert lines(17)[0] == "release  evidence"
    assert lines(16) == [
        "row 1 of 2", "release   r1", "evidence  NULL",
        "row 2 of 2", "release   [b]", "evidence  {'a':", "          1}",
    ]  # fmt: skip


@pytest.mark.parametrize("width", [80, 100])
def test_accuracy_is_read_at_usual_widths(tmp_path: Path, width: int) -> None:
    history = HistoryBuilder(tmp_path)
    history.dataset(["conv-1", "conv-2"], 10)
    history.measure("r1", {"conv-1": "+!+-+-+-++", "conv-2": "++++-+-+-+"})
    refresh(history.store, history.database_path)
    out = io.StringIO()
    console = Console(file=out, width=width)
    print_accuracy(console, history.database_path, "r1", max_error_percent=1)
    lines = out.getvalue().splitlines()
    (headings,) = [line for line in lines if line.startswith("category")]
    assert {"accuracy %", "95 % interval", "bounds %"} <= set(
        re.split(r"\s{2,}", headings.rstrip())
    )
    (whole,) = [line for line in lines if line.startswith("all scored")]
    assert "invalid (" in whole


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
        print_gold_faults(Console(file=out, width=200), history.database_path, wholes, None)
    below, above = out.getvalue().split("release r3")
    assert "1 of 1, 100 %" in above
    assert "warning: all scored: 100.00 % is above the ceiling of 75.00 %" in above
    assert "warning" not in below
    assert "only for a judge that keeps to the gold answers" in " ".join(below.split())


@pytest.fixture(scope="module")
def database_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    history = HistoryBuilder(tmp_path_factory.mktemp("terminal"))
    history.dataset(["conv-1", "conv-2"], 20)
    history.measure("r1", {"conv-1": "+" * 9 + "-" * 11, "conv-2": "+" * 20})
    return refresh(history.store, history.database_path).path


@pytest.mark.parametrize("width", [80, 100])
def test_the_report_fits_a_narrow_terminal(database_path: Path, width: int) -> None:
    out = io.StringIO()
    console = Console(file=out, width=width)
    print_accuracy(console, database_path, None, max_error_percent=2.0)
    print_scores(console, database_path, None)
    lines = out.getvalue().splitlines()
    (accuracy,) = (line for line in lines if line.startswith("category") and "accuracy" in line)
    assert "95 % interval" in accuracy
    assert [line.split()[0] for line in lines[lines.index(accuracy) + 1 :][:6]] == [
        "1", "2", "3", "4", "5", "all",
    ]  # fmt: skip
    assert any(line.startswith("A wider terminal also shows") for line in lines)


def test_a_wide_one_shows_all(database_path: Path) -> None:
    out = io.StringIO()
    print_accuracy(Console(file=out, width=200), database_path, None, max_error_percent=2.0)
    assert "cost USD" in out.getvalue()
    assert "wider terminal" not in out.getvalue()
