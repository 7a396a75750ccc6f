"""Docs: the commands exist, and the runbook of docs/operations.md does what it says."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from pathlib import Path
from textwrap import dedent
from typing import Any

import dagster as dg
import pytest
import typer

from locomo_assets.cli import COMMANDS
from locomo_assets.history.maintenance import check
from locomo_assets.history.store import HistoryStore
from locomo_assets.locomo.parsing import read_dataset
from locomo_assets.locomo.sample import packaged_sample
from locomo_assets.runs.datasets import store_dataset
from locomo_assets_tests.conftest import REPOSITORY
from locomo_assets_tests.history.backup.test_backup import hashes
from locomo_assets_tests.history.factories import answer, commit_answers, commit_verdicts, lineage

OPERATIONS = (REPOSITORY / "docs" / "operations.md").read_text()
PAGES = [REPOSITORY / "README.md", *sorted((REPOSITORY / "docs").glob("*.md"))]


def named() -> Iterator[tuple[str, str]]:
    """Each page with each `locomo-assets …` in code of it, up to the end of the line."""
    for page in PAGES:
        text = page.read_text()
        fenced = re.findall(r"^ *```.*?\n(.*?)^ *```", text, re.DOTALL | re.MULTILINE)
        inline = re.findall(r"`([^`\n]+)`", re.sub(r"^ *```.*?^ *```", "", text, flags=re.S | re.M))
        for line in [*"\n".join(fenced).splitlines(), *inline]:
            for command in re.findall(r"\blocomo-assets ([a-z].*)", line):
                yield page.name, command.partition("#")[0].strip()


@cache
def all_commands() -> Any:
    """The whole command line."""
    app = typer.Typer()
    for module in sorted({module for module, _ in COMMANDS.values()}):
        import_module(f"locomo_assets.cli.{module}").register(app)
    return typer.main.get_command(app)


def the_command(words: list[str]) -> tuple[Any, list[str]]:
    """The command that the words name, and the rest of them."""
    command = all_commands()
    while hasattr(command, "commands") and words:
        # the README's table lists siblings: `history refresh`, `rebuild`
        first, *words = words
        assert first in command.commands, f"no command {first}; there are {list(command.commands)}"
        command = command.commands[first]
    return command, words


@pytest.mark.parametrize(("page", "text"), sorted(set(named())))
def test_commands_and_options_exist(page: str, text: str) -> None:
    command, rest = the_command(text.split())
    options = {name for one in command.params for name in one.opts} | {"--help"}
    for word in rest:
        if word.startswith("--"):
            assert word.partition("=")[0] in options, f"{page}: {text}"


def block(after: str) -> str:
    """The first block of commands behind a text."""
    _, _, rest = OPERATIONS.partition(after)
    found = re.search(r"^( *)```sh\n(.*?)^ *```", rest, re.DOTALL | re.MULTILINE)
    assert found, after
    return dedent(found[2])


def run(script: str, **environment: str) -> str:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        env={"PATH": path, **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_runbook_as_it_stands(tmp_path: Path) -> None:
    """A measured release and paid but unfinished work; all of it lost, and there again."""
    old, new = tmp_path / "old", tmp_path / "new"
    store = HistoryStore.open(old.as_uri())
    dataset = read_dataset(packaged_sample())
    store_dataset(store, dataset, "run-0")
    for release in ("2026-11-01", "2026-11-08"):
        who = lineage("answers", release, "sample-1", dataset_sha256=dataset.sha256)
        commit_answers(store, who, mark=release)
        who = lineage("judgements", release, "sample-1", dataset_sha256=dataset.sha256)
        commit_verdicts(store, who, ["correct"] * 6 + ["wrong"] * 4, mark=release)
    killed = store.begin(lineage("answers", "2026-11-15", "sample-1"))
    killed.append("answers", [answer(0, "paid")])
    before, manifests = hashes(store.storage), store.manifests()

    places = {"LOCOMO_BACKUP": (tmp_path / "backups").as_uri(), "LOCOMO_HISTORY": old.as_uri()}
    home = {"LOCOMO_HOME": str(tmp_path / "home")}
    assert "1 unfinished" in run(block("\n## Backup\n"), **places, **home)
    shutil.rmtree(old)
    shutil.rmtree(tmp_path / "home", ignore_errors=True)

    output = run(block("<!-- runbook -->"), **places, **home, EMPTY_PLACE=new.as_uri())
    assert "is whole" in output
    assert "0 damaged, 1 unfinished" in output
    assert "2 conversations and 2 releases are partitions now" in output
    assert output.count("2026-11-08") >= 1
    restored = HistoryStore.open(new.as_uri())
    assert hashes(restored.storage) == before
    assert restored.manifests() == manifests
    assert check(restored).problems == ()
    (unfinished,) = restored.unfinished("answers", "2026-11-15", "sample-1")
    assert restored.read("answers", [unfinished]).num_rows == 1
    with dg.DagsterInstance.from_config(str(tmp_path / "home" / "dagster")) as instance:
        assert instance.get_dynamic_partitions("release") == ["2026-11-01", "2026-11-08"]
        assert instance.get_dynamic_partitions("conversation") == ["sample-1", "sample-2"]
    assert not old.exists()


def test_the_instance_is_migrated_by_a_command_that_exists() -> None:
    from dagster._cli.instance import instance_cli

    assert "dagster instance migrate" in block("Migrate the instance's tables")
    assert "migrate" in instance_cli.commands
