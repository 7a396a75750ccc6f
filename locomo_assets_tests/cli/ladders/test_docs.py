"""docs/variants.md: its commands print what it shows, its file is one, it names what may be set."""

import os
import re
import subprocess
import sys
from pathlib import Path

from locomo_assets.settings.configuration import Configuration
from locomo_assets.settings.variants import packaged_ladders, read_ladder
from locomo_assets_tests.conftest import REPOSITORY

PAGE = (REPOSITORY / "docs" / "variants.md").read_text()
SHOWN = ("step", "accuracy %", "points", "95 % interval", "is", "−/+", "from base",
         "USD/q", "tokens/q")  # fmt: skip


def _block(kind: str) -> str:
    found = re.search(rf"^```{kind}\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
    assert found
    return found[1]


def _cells(line: str) -> list[str]:
    return re.split(r" {2,}", line.strip())


def test_the_commands_print_what_the_page_shows(tmp_path: Path) -> None:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", _block("sh")],
        env={"PATH": path, "LOCOMO_HOME": str(tmp_path), "LOCOMO_LOG_FORMAT": "json"},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    shown = _block("text").splitlines()
    assert _cells(shown[0]) == list(SHOWN)
    printed = done.stdout.splitlines()
    rows = [_cells(line)[: len(SHOWN)] for line in printed]
    for line in shown[: shown.index("")]:
        assert _cells(line) in rows, line
    for line in shown[shown.index("") :]:
        assert line in printed, line


def test_the_file_is_a_ladder(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(_block("toml"))
    parents = {one.name: one.parent for one in read_ladder(str(path)).steps}
    assert parents == {
        "base": None,
        "memory pro": "base",
        "thinks more": "memory pro",
        "strict judge": "memory pro",
    }


def test_every_key_and_every_ladder_that_ships_is_named() -> None:
    [listed] = [one for one in PAGE.split("\n\n") if one.startswith("`question_protocol`, ")]
    assert re.findall(r"`(\w+)`", listed) == list(Configuration.model_fields)
    for name in packaged_ladders():
        assert f"**`{name}`**" in PAGE
