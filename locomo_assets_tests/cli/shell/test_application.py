"""The listing of commands says of each what the command says itself, and loads none of them."""

from importlib import import_module
from typing import Any

import pytest
import typer

from locomo_assets.cli import COMMANDS, application
from locomo_assets_tests.cli.shell.running import Commands


def commands(app: typer.Typer) -> dict[str, Any]:
    """Those that it lists, before any is called."""
    group: Any = typer.main.get_command(app)
    return dict(group.commands)


def own(module: str) -> dict[str, Any]:
    """Those that a module registers."""
    app = typer.Typer()
    import_module(f"locomo_assets.cli.{module}").register(app)
    return dict(typer.main.get_group(app).commands)


@pytest.mark.parametrize("module", sorted({module for module, _ in COMMANDS.values()}))
def test_a_module_registers_what_it_is_said_to(module: str) -> None:
    assert set(own(module)) == {name for name, (of, _) in COMMANDS.items() if of == module}


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_is_listed_as_it_is(name: str) -> None:
    listed, command = commands(application())[name], own(COMMANDS[name][0])[name]
    assert listed.help == command.help.split("\n\n")[0]
    for told in ("name", "short_help", "hidden", "deprecated", "rich_help_panel"):
        assert (getattr(listed, told) or None) == (getattr(command, told) or None)
    assert listed.get_short_help_str() == command.get_short_help_str()


def test_a_called_command_takes_its_place_in_the_listing() -> None:
    group: Any = typer.main.get_command(application())
    with group.make_context("locomo-assets", ["judge-agreement", "a", "b"]) as context:
        name, command, rest = group.resolve_command(context, ["judge-agreement", "a", "b"])
    assert (name, rest) == ("judge-agreement", ["a", "b"])
    assert command.callback.__name__ == "compare_judges"
    assert list(group.commands) == list(COMMANDS)


def test_help_lists_every_command_in_order(run: Commands, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    done = run("--help")
    rows = [line.strip("│ ").split("  ", 1) for line in done.out.splitlines() if "│" in line]
    shown = [(row[0].strip(), row[1].strip()) for row in rows if len(row) == 2]
    assert shown[-len(COMMANDS) :] == [(name, text) for name, (_, text) in COMMANDS.items()]


def test_what_is_no_command_gets_all_to_choose_from(run: Commands) -> None:
    assert "Did you mean 'report', 'export', 'exporter'?" in run("repport").line
    assert list(commands(application())) == list(COMMANDS)
