"""Hints name the program as it was called."""

import sys
from pathlib import Path

import pytest

from locomo_assets.cli.shell import typed
from locomo_assets_tests.cli.shell.running import Commands


@pytest.fixture
def program(home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An installed program, below the working directory."""
    program = home / ".venv" / "bin" / "locomo-assets"
    program.parent.mkdir(parents=True)
    program.touch(0o755)
    monkeypatch.chdir(home)
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    monkeypatch.setattr(typed, "_named", {})
    return program


def test_the_name_is_the_shortest_that_works(
    program: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", [str(program)])
    assert typed.typed_name() == ".venv/bin/locomo-assets"
    monkeypatch.chdir("/")
    assert typed.typed_name() == str(program).lstrip("/")
    monkeypatch.chdir("/usr")
    assert typed.typed_name() == str(program)
    monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin")
    assert typed.typed_name() == "locomo-assets"


def test_a_module_is_called_by_its_python(program: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = Path(typed.__file__).parents[1] / "__main__.py"
    python = program.with_name("python3")
    python.touch(0o755)
    monkeypatch.setattr(sys, "argv", [str(module), "report"])
    monkeypatch.setattr(sys, "executable", str(python))
    assert typed.typed_name() == ".venv/bin/python3 -m locomo_assets.cli"
    monkeypatch.setenv("PATH", str(python.parent))
    assert typed.typed_name() == "python3 -m locomo_assets.cli"


def test_quoted_commands_are_named_as_typed(program: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", [str(program)])
    text = "`locomo-assets run` measures; locomo-assets is a name, `locomo-assets-x` another"
    assert typed.as_typed(text) == text.replace("`locomo-assets run", f"`{typed.typed_name()} run")


def test_the_same_command_keeps_its_words_and_gets_what_it_chose(
    program: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", [str(program), "run", "--dataset", "my file.json"])
    typed.name_option("--release", "adhoc-1")
    assert typed.same_command() == (
        ".venv/bin/locomo-assets run --dataset 'my file.json' --release adhoc-1"
    )
    monkeypatch.setattr(sys, "argv", [str(program), "run", "--release=r1"])
    assert typed.same_command() == ".venv/bin/locomo-assets run --release=r1"


def test_errors_of_all_rooms_are_told_so(
    run: Commands, program: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    line = run("report", called=str(program)).line
    assert "; run `.venv/bin/locomo-assets run`, or " in line
    assert "`.venv/bin/locomo-assets ladder --list`" in run("ladder", called=str(program)).line
