"""docs/retrieval.md: its commands run as they stand, its table and its prompt are as it says."""

import os
import re
import subprocess
import sys
from pathlib import Path

from locomo_assets.completions.answer_request import fill, read_prompt
from locomo_assets_tests.conftest import REPOSITORY

PAGE = (REPOSITORY / "docs" / "retrieval.md").read_text()
COMMANDS = re.findall(r"^```sh\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
TABLE, PROMPT = re.findall(r"^```text\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)


def test_the_commands_print_the_table(tmp_path: Path) -> None:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", "\n".join(COMMANDS)],
        env={"PATH": path, "COLUMNS": "160", "LOCOMO_HOME": str(tmp_path)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    head, headings, *rows = TABLE.splitlines()
    printed = [line.rstrip() for line in done.stdout.splitlines()]
    at = printed.index(head)
    assert printed[at + 1] == headings
    # The figures are the stand-in's, which may change; which of them are known does not.
    told = [line.split() for line in printed[at + 2 : at + 2 + len(rows)]]
    for row, cells in zip([row.split() for row in rows], told, strict=True):
        assert cells[0] == row[0]
        assert [cell == "–" for cell in cells] == [cell == "–" for cell in row]
        assert 0 < float(cells[1]) <= 100


def test_its_prompt_can_be_used(tmp_path: Path) -> None:
    path = tmp_path / "mine.txt"
    path.write_text(PROMPT)
    message = fill(read_prompt(str(path)), "Where?", ["Ann lives in Lisbon."]).message
    assert "1. Ann lives in Lisbon.\n\nQuestion: Where?" in message
