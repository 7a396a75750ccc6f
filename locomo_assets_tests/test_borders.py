"""The rooms' borders, walked by import-linter with the contracts of pyproject.toml."""

import sys
from pathlib import Path

import pytest
from importlinter.cli import lint_imports

REPOSITORY = Path(__file__).resolve().parent.parent


def test_contracts_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(REPOSITORY)
    monkeypatch.setattr(sys, "path", [str(REPOSITORY), *sys.path])
    assert lint_imports(config_filename="pyproject.toml", no_cache=True) == 0
