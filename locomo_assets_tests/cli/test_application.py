"""One command's module is enough to run it; together they are all commands."""

from typing import Any

import pytest
import typer

from locomo_assets.cli import MODULES, application


def commands(app: typer.Typer) -> set[str]:
    command: Any = typer.main.get_command(app)
    return set(command.commands)


def test_all_commands_are_known_by_their_module() -> None:
    known = [command for commands in MODULES.values() for command in commands]
    assert commands(application()) == set(known)
    assert len(known) == len(set(known))


@pytest.mark.parametrize("module", MODULES)
def test_a_module_registers_what_it_is_said_to(module: str) -> None:
    for command in MODULES[module]:
        assert commands(application(command)) == set(MODULES[module])


def test_what_is_no_command_gets_all_to_choose_from() -> None:
    assert commands(application("nothing")) == commands(application())
