"""This project's way of working: `locomo-assets run` as a user calls it.

Here: the process, what it used, and what its own `calls` table says of it.
"""

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.serving import Served, Used, wait_used
from locomo_assets.history import database

_TURNS = Path(__file__).with_name("sql") / "turns.sql"


@dataclass(frozen=True)
class Calls:
    """Requests of a run: how many, and their times in seconds since the epoch.

    `waiting_s`: while at least one was under way; `busy_s`: the sum of the durations of those that
    were not refused.
    """

    count: int
    first_at: float
    last_at: float
    waiting_s: float
    busy_s: float
    refused: int


@dataclass(frozen=True)
class Run:
    """One `locomo-assets run`: `started_at` in seconds since the epoch."""

    wall_s: float
    started_at: float
    used: Used
    database_path: Path


@dataclass(frozen=True)
class Turns:
    """Of all conversations' turns: from one message to the next, the memory of the first waited
    for; and how often that memory was asked for.
    """

    median_ms: float
    mean_ms: float
    looks: float


def run(
    home: Path, arguments: Sequence[str], *, server: Served | None = None, **settings: str
) -> Run:
    """Runs it to its end under `home`; `settings` are further variables.

    Raises CalledProcessError, with the command's own line, where it fails.
    """
    environment = {name: value for name, value in os.environ.items() if name != "DAGSTER_HOME"}
    environment |= {"LOCOMO_HOME": str(home)} | settings
    environment |= server.environment() if server else {}
    command = [sys.executable, "-m", "locomo_assets.cli", "run", *arguments]
    started_at, start = time.time(), time.perf_counter()
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        assert process.stdout is not None
        said = process.stdout.read()
        used = Used()
        code = wait_used(process, used)
    wall_s = time.perf_counter() - start
    if code:
        raise subprocess.CalledProcessError(code, command, said)
    return Run(wall_s, started_at, used, home / "history" / "history.duckdb")


def calls_of(database_path: Path, condition: str = "true") -> Calls:
    """The requests for which an SQL condition on `calls` holds."""
    _, rows = database.query(
        database_path,
        "SELECT epoch(started_at), latency_ms / 1000, coalesce(status, 0) = 429 FROM calls "
        f"WHERE {condition} ORDER BY started_at",
    )
    waiting_s, until = 0.0, 0.0
    for begun, duration_s, _ in rows:
        ended = begun + duration_s
        waiting_s += max(0.0, ended - max(begun, until))
        until = max(until, ended)
    return Calls(
        count=len(rows),
        first_at=rows[0][0],
        last_at=until,
        waiting_s=waiting_s,
        busy_s=sum(duration_s for _, duration_s, refused in rows if not refused),
        refused=sum(row[2] for row in rows),
    )


def turns_of(database_path: Path) -> Turns:
    """The times between messages of a conversation while it is told, and looks at operations."""
    _, rows = database.query(database_path, _TURNS.read_text())
    median_s, mean_s, sent, looks = rows[0]
    return Turns(1000 * median_s, 1000 * mean_s, looks / sent)
