"""The rooms' borders, walked by import-linter with the contracts of pyproject.toml."""

import re
import sys
from pathlib import Path

import pytest
from importlinter.cli import lint_imports

REPOSITORY = Path(__file__).resolve().parent.parent


def test_contracts_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(REPOSITORY)
    monkeypatch.setattr(sys, "path", [str(REPOSITORY), *sys.path])
    assert lint_imports(config_filename="pyproject.toml", no_cache=True) == 0


def test_only_one_module_imports_what_dagster_does_not_export() -> None:
    modules = (REPOSITORY / "locomo_assets").rglob("*.py")
    private = re.compile(r"^\s*(?:from|import) dagster(?:_\w+)?\._", re.MULTILINE)
    assert [path.name for path in modules if private.search(path.read_text())] == ["unexported.py"]
