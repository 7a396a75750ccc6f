"""`export`, `verify-export` and `report --leaderboard` as docs/export.md shows them."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from locomo_assets.locomo.sample import packaged_sample
from locomo_assets_tests.conftest import REPOSITORY, SHARED_DATA

DOC = (REPOSITORY / "docs" / "export.md").read_text()
BLOCKS = re.findall(r"^```sh\n(.*?)^```", DOC, re.DOTALL | re.MULTILINE)


def run(script: str, folder: Path) -> subprocess.CompletedProcess[str]:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=folder,
        env={"PATH": path, "LOCOMO_HOME": str(folder / "home"), "HOME": str(folder)},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where a release of the sample was measured, and a person has an SSH key."""
    folder = tmp_path_factory.mktemp("place")
    done = run("locomo-assets run --release r1", folder)
    assert done.returncode == 0, done.stderr
    if shutil.which("ssh-keygen"):
        (folder / ".ssh").mkdir()
        key = folder / ".ssh" / "id_ed25519"
        make = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)]
        subprocess.run(make, check=True)
        public = key.with_suffix(".pub").read_text()
        (folder / "allowed_signers").write_text(f"me@example.org {public}")
    return folder


def test_the_documented_commands_do_what_the_page_says(folder: Path) -> None:
    exported, gold, signed, board = BLOCKS
    done = run(exported, folder)
    assert done.returncode == 0, done.stderr
    (shown,) = re.findall(r"^```text\n(.*?)^```", DOC, re.DOTALL | re.MULTILINE)
    for line in shown.splitlines():
        assert any(one.startswith(line.rstrip("…")) for one in done.stdout.splitlines()), (
            f"{line}\n{done.stdout}"
        )
    assert "release r1-read-back (imported) · system standin" in done.stdout
    done = run(gold.replace("path/to/locomo10.json", str(packaged_sample())), folder)
    assert "ok   every question is of" in done.stdout, done.stderr
    done = run(board, folder)
    assert "group 1: judge lexical-2" in done.stdout, done.stderr
    assert "leaderboard.html: 2 series in 1 group\n" in done.stdout
    if not shutil.which("ssh-keygen"):
        pytest.skip("ssh-keygen is not installed")
    done = run(signed, folder)
    assert "manifest.json.sig: fits, by me@example.org" in done.stdout, done.stderr


def test_a_changed_folder_ends_with_one_line_and_one(folder: Path) -> None:
    done = run("locomo-assets export r1 --to changed", folder)
    assert "the memory service or the judge is the one packaged" in done.stdout, done.stderr
    path = next((folder / "changed").glob("*.jsonl"))
    path.write_text(path.read_text().replace('"verdict": "wrong"', '"verdict": "correct"', 1))
    done = run("locomo-assets verify-export changed", folder)
    assert done.returncode == 1
    assert re.search(r"^NOT  .*correct is \d+ in manifest.json, but \d+", done.stdout, re.M)
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: changed: ")
    refused = run("locomo-assets import export changed --release r2", folder)
    assert refused.returncode == 2
    assert "nothing was imported" in refused.stderr
    refused = run("locomo-assets export r9 --to none", folder)
    assert (refused.returncode, (folder / "none").exists()) == (2, False)
    assert "release r9: no answers in the history" in refused.stderr


def test_a_release_of_two_protocols_comes_back_whole_and_is_shown_once(tmp_path: Path) -> None:
    done = run(
        "locomo-assets run --release r1 --questions 3\n"
        "LOCOMO_QUESTION_PROTOCOL=no-memory locomo-assets run --release r1 --questions 3\n"
        "locomo-assets export r1 --to out\n"
        "export LOCOMO_HOME=fresh\n"
        "echo imported:\n"
        "locomo-assets import export out",
        tmp_path,
    )
    assert done.returncode == 0, done.stderr
    _, _, told = done.stdout.partition("imported:\n")
    for protocol in ("isolated", "no-memory"):
        assert told.count(f"release r1 (standin, {protocol}): 1 file, 6 answers, 6 verdicts ") == 1
        assert told.count(f"release r1 (imported) · system standin · judge lexical-2 · questions "
                          f"{protocol} ·") == 1  # fmt: skip


@pytest.mark.real_data
def test_the_published_result_goes_out_and_comes_back(tmp_path: Path) -> None:
    published, dataset = SHARED_DATA / "backboard-published", SHARED_DATA / "locomo10.json"
    if not published.exists():
        pytest.skip("the published files are not beside the project")
    done = run(
        f"locomo-assets import backboard-published {published} --dataset {dataset}\n"
        "locomo-assets export backboard-published --to out\n"
        "locomo-assets verify-export out\n"
        f"LOCOMO_HOME=fresh locomo-assets import export out --dataset {dataset}\n",
        tmp_path,
    )
    assert done.returncode == 0, done.stderr
    assert "1,386 of 1,540 correct, 90.00 % (95 %: 87.9 – 92.1), as recounted" in done.stdout
    rows = [line.split() for line in done.stdout.splitlines() if line.startswith("all scored")]
    assert len(rows) == 2
    assert rows[0] == rows[1]
    (lines,) = (tmp_path / "out").glob("*.jsonl")
    assert not re.search(r'"(question|golden_answer)"', lines.read_text())
