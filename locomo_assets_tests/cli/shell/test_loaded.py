"""What each command loads: a package that is new to a list costs its users time at each call."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from bench.cli import asked_by_bash
from locomo_assets_tests.cli.shell.running import Commands

_SCRIPT = """
import sys
at = sys.argv.pop()
from locomo_assets.cli import main
try:
    main()
finally:
    third = {name.partition(".")[0] for name in sys.modules} - {*sys.stdlib_module_names}
    with open(at, "w") as file:
        file.write("\\n".join(name for name in third if not name.startswith("_")))
"""
PYDANTIC = {"pydantic", "pydantic_core", "annotated_types", "typing_extensions",
            "typing_inspection"}  # fmt: skip
COMMAND_LINE = {"locomo_assets", "typer", "annotated_doc", "shellingham", *PYDANTIC}
HELP = {"rich", "markdown_it", "mdurl", "pygments", "attr"}
SETTINGS = {"pydantic_settings", "dotenv", "rich"}
DATABASE = {"duckdb"}
QUERY = {*SETTINGS, *DATABASE, "Stemmer", "cython_runtime"}
TIMES = {"pytz"}  # of DuckDB: for a timestamp's zone
NUMBERS = {"numpy", "scipy", "charset_normalizer"}


def loaded(tmp_path: Path, *words: str, **given: str) -> set[str]:
    """The packages that a command has loaded when it ends."""
    at = tmp_path / "loaded"
    done = subprocess.run(
        [sys.executable, "-c", _SCRIPT, *words, str(at)],
        env={**os.environ, **given},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout
    return set(at.read_text().split())


@pytest.mark.parametrize(
    ("words", "packages"),
    [
        (["--help"], HELP),
        (["--version"], set()),
        (["settings"], SETTINGS),
        (["sql", "SELECT 1"], QUERY),
        (["sql", "--describe", "calls"], QUERY),
        (["report"], QUERY | TIMES),
        (["releases"], QUERY | TIMES),
        (
            ["compare", "vendor-1", "vendor-2"],
            QUERY | TIMES | NUMBERS,
        ),
    ],
    ids=lambda given: " ".join(given) if isinstance(given, list) else "",
)
def test_a_command_loads_what_it_uses(
    imported: Commands, tmp_path: Path, words: list[str], packages: set[str]
) -> None:
    assert loaded(tmp_path, *words) - COMMAND_LINE <= packages


@pytest.mark.parametrize(
    ("typed", "packages"),
    [
        ("locomo-assets re", set()),
        ("locomo-assets compare v", DATABASE),
        ("locomo-assets compare vendor-1 v", DATABASE),
    ],
)
def test_a_tab_loads_what_it_uses(
    imported: Commands, tmp_path: Path, typed: str, packages: set[str]
) -> None:
    assert loaded(tmp_path, **asked_by_bash(typed)) - COMMAND_LINE <= packages
