"""Processor time of the commands that people wait for, by the console script.

Here: seconds of user and system time of each process, the least of five, over a `synthetic` history
of 100 releases. Completion is asked as bash asks it.
"""

import os
import random
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from bench.figures import Figure
from bench.serving import Used, wait_used
from bench.synthetic import commit_dataset, commit_run
from locomo_assets.history import database
from locomo_assets.history.store import HistoryStore

PROGRAM = str(Path(sys.executable).with_name("locomo-assets"))
COMMANDS: dict[str, tuple[Sequence[str], float]] = {
    "--help": (["--help"], 0.25),
    "--version": (["--version"], 0.25),
    'sql "SELECT 1"': (["sql", "SELECT 1"], 0.5),
    "report": (["report"], 1.0),
    "compare r1 r2": (["compare", "r1", "r2"], 1.5),
}
"""Each command's words, and its goal in seconds."""
TABS = {"Tab for a command": "locomo-assets re", "Tab for a release": "locomo-assets compare r"}
GOAL_TAB_S = 0.25


def of_commands(releases: int, *, times: int = 5) -> list[Figure]:
    """A figure for each, over a history of so many releases."""
    python_s = processor_s([sys.executable, "-c", "pass"], {}, times)
    figures = [Figure("cli/python -c pass", python_s, "s", "Python's own start, part of all below")]
    with tempfile.TemporaryDirectory() as folder:
        _fill(Path(folder), releases)
        given = {"LOCOMO_HOME": folder}
        measured = f"of {releases:,} releases"
        for name, (words, goal_s) in COMMANDS.items():
            value = processor_s([PROGRAM, *words], given, times)
            note = f"goal ≤ {goal_s:g} s" + f", {measured}" * (name in ("report", "compare r1 r2"))
            figures.append(Figure(f"cli/{name}", value, "s", note))
        for name, typed in TABS.items():
            value = processor_s([PROGRAM], given | asked_by_bash(typed), times)
            figures.append(Figure(f"cli/{name}", value, "s", f"goal ≤ {GOAL_TAB_S:g} s"))
    return figures


def asked_by_bash(typed: str) -> dict[str, str]:
    """The variables by which bash asks to complete the last word of a line."""
    return {
        "_LOCOMO_ASSETS_COMPLETE": "complete_bash",
        "COMP_WORDS": typed,
        "COMP_CWORD": str(typed.count(" ")),
    }


def processor_s(command: Sequence[str], given: Mapping[str, str], times: int) -> float:
    """The least processor time of so many runs, after one that warms the disk's cache.

    Raises CalledProcessError where it fails.
    """
    return min([_once(command, given) for _ in range(times + 1)][1:])


def _once(command: Sequence[str], given: Mapping[str, str]) -> float:
    # Who measures may have Python write no bytecode, and then each run compiles the project anew.
    passed_by = ("LOCOMO_", "PYTHONDONTWRITEBYTECODE")
    others = {name: text for name, text in os.environ.items() if not name.startswith(passed_by)}
    with subprocess.Popen(
        command,
        env=others | dict(given),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        assert process.stdout is not None
        said = process.stdout.read()
        used = Used()
        if code := wait_used(process, used):
            raise subprocess.CalledProcessError(code, command, said)
    return used.cpu_s


def _fill(home: Path, releases: int) -> None:
    """A history in its place under a home."""
    store = HistoryStore.open((home / "history").as_uri())
    rng = random.Random(3)
    commit_dataset(store, rng)
    for number in range(releases):
        commit_run(store, rng, f"r{number}")
    database.rebuild(store, home / "history" / "history.duckdb")
