"""Homes with imported answers, and the commands over them; models judge over a real socket."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import typer
from typer.testing import CliRunner, Result

from locomo_assets.cli import imports, releases, report
from locomo_assets.cli import sql as sql_command
from locomo_assets.cli.judges import judge, panel
from locomo_assets_tests.imports.files import line, lines, scored

REPOSITORY = Path(__file__).parents[3]
RELEASE = "vendor"
ANSWERS = len(scored("sample-1")) + len(scored("sample-2"))


def invoke(*arguments: str) -> Result:
    """A command, whatever becomes of it."""
    app = typer.Typer()
    for module in (report, releases, sql_command, imports, judge, panel):
        module.register(app)
    # Progress goes to the log: its bars need a real stderr.
    return CliRunner(env={"LOCOMO_LOG_FORMAT": "json"}).invoke(app, arguments)


def command(*arguments: str) -> str:
    """What a command prints; it must succeed."""
    done = invoke(*arguments)
    if done.exception is not None:
        raise done.exception
    assert done.exit_code == 0, done.output
    return done.output


def failure(*arguments: str) -> Exception:
    """How a command fails."""
    error = invoke(*arguments).exception
    assert isinstance(error, Exception)
    return error


def sql(query: str) -> list[tuple[Any, ...]]:
    return [tuple(row.values()) for row in json.loads(command("sql", query, "--format", "json"))]


def import_answers(folder: Path, **fields: Any) -> None:
    """An answer to each scored question, half of them the gold answer, all judged correct."""
    given = [
        line(
            conversation=name,
            question_index=question.question_index,
            answer=question.gold_answer if number % 2 else f"I can't say, number {number}.",
            **fields,
        )
        for name in ("sample-1", "sample-2")
        for number, question in enumerate(scored(name))
    ]
    path = folder / "vendor.jsonl"
    path.write_bytes(lines(*given))
    command("import", "jsonl", str(path), "--release", RELEASE, "--system", "memo")


def started(*arguments: str) -> subprocess.Popen[bytes]:
    """The command as a process of its own, to be killed."""
    script = "from locomo_assets.cli import main; main()"
    return subprocess.Popen(
        [sys.executable, "-c", script, *arguments],
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
