"""The bars: drawn at the first count, with what failed and what was sent again."""

import io
import os
import re
import sys
from pathlib import Path

import pytest

from locomo_assets.cli.shell.progress import note, showing_progress
from locomo_assets.runs.context import Counts
from locomo_assets.services import Services
from locomo_assets.settings import read_settings


@pytest.mark.parametrize(
    ("counts", "text"),
    [
        (Counts(), "errors 0  cost 0.0000 USD"),
        (Counts(retries=3), "errors 0  retries 3  cost 0.0000 USD"),
        (Counts(errors=1, retries=8, cost_usd=0.5), "errors 1  retries 8  cost 0.5000 USD"),
    ],
)
def test_what_stands_beside_the_bars(counts: Counts, text: str) -> None:
    assert note(counts) == text
    assert note(counts, "judge-a") == f"{text}  judge-a"


def test_nothing_is_drawn_before_the_first_count(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert home
    with (home / "shown").open("w+") as terminal:
        monkeypatch.setattr(sys, "__stderr__", terminal)
        services = Services(read_settings())
        with showing_progress(services):
            pass
        assert terminal.read() == ""
        with showing_progress(services):
            services.progress.add(turns_to_do=4, questions_to_do=2, verdicts_to_do=2)
            services.progress.add(turns=4, retries=1)
        terminal.seek(0, io.SEEK_SET)
        shown = " ".join(terminal.read().split())
    assert "4/4" in shown
    assert shown.endswith("errors 0 retries 1 cost 0.0000 USD")
    assert services.progress.listeners == []


@pytest.mark.parametrize(
    ("setting", "colour"), [("NO_COLOR=1", False), ("TERM=dumb", False), ("COLUMNS=80", True)]
)
def test_the_bars_have_no_colour_where_none_is_wanted(
    home: Path, monkeypatch: pytest.MonkeyPatch, setting: str, colour: bool
) -> None:
    assert home
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv(*setting.split("="))
    reads, writes = os.openpty()
    with os.fdopen(reads, "rb", buffering=0) as master, os.fdopen(writes, "w") as terminal:
        monkeypatch.setattr(sys, "__stderr__", terminal)
        services = Services(read_settings())
        with showing_progress(services):
            services.progress.add(turns_to_do=4, turns=2)
        shown = master.read(100_000).decode()
    assert "2/4" in shown
    assert bool(re.search(r"\x1b\[(?:\d+;)*(?:3|9)\d", shown)) == colour
