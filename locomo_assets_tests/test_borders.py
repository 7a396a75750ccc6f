"""The rooms' borders, walked by import-linter with the contracts of pyproject.toml."""

import ast
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
    assert [path.name for path in modules if private.search(path.read_text(encoding="utf-8"))] == [
        "unexported.py"
    ]


def test_files_of_text_are_utf_8_by_name() -> None:
    """Without it the locale of whoever runs it decides."""
    without = [
        f"{path.relative_to(REPOSITORY)}:{call.lineno}"
        for path in (REPOSITORY / "locomo_assets").rglob("*.py")
        for call in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(call, ast.Call) and _takes_the_locales_encoding(call)
    ]
    assert without == []


_OPENS = {"open", "fdopen", "read_text", "write_text", "TextIOWrapper", "NamedTemporaryFile"}
_OTHER_OPENS = {"os", "HistoryStore"}  # no files of text
_TEXT = {"text", "universal_newlines"}


def _takes_the_locales_encoding(call: ast.Call) -> bool:
    name = getattr(call.func, "attr", getattr(call.func, "id", ""))
    of = getattr(getattr(call.func, "value", None), "id", "")
    options = {one.arg for one in call.keywords}
    modes = [one.value for one in call.args if isinstance(one, ast.Constant)]
    if "encoding" in options or "utf-8" in modes or (name == "open" and of in _OTHER_OPENS):
        return False
    is_binary = any(isinstance(mode, str) and "b" in mode and len(mode) < 4 for mode in modes)
    return (name in _OPENS and not is_binary) or bool(options & _TEXT and name in ("run", "Popen"))


def test_the_check_of_encodings_finds_them() -> None:
    def found(text: str) -> bool:
        [call] = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Call)][:1]
        return _takes_the_locales_encoding(call)

    named = 'encoding="utf-8"'
    for begun in ("path.read_text(", "open(path, ", "path.open('w', ", "os.fdopen(n, 'w', ",
                  "subprocess.run(words, text=True, ", "path.write_text(text, "):  # fmt: skip
        assert found(f"{begun})")
        assert not found(f"{begun}{named})")
    assert not found("path.open('rb')")
    assert not found("os.open(path, flags)")
