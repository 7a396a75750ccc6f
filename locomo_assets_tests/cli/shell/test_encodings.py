"""Outputs of encodings that lack signs: every command ends as in UTF-8, and says as much."""

import csv
import io
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from locomo_assets.cli import COMMANDS as ALL_COMMANDS
from locomo_assets.cli import main
from locomo_assets.history.database import refresh
from locomo_assets_tests.analysis.factories import HistoryBuilder
from locomo_assets_tests.cli.test_widths import COSTLY, remembering

ENCODINGS = ("iso-8859-1", "euc_jp", "cp1252", "ascii")
ANSWER = "Zoë – 東京 😀 “q” \\ ł"
QUERY = "SELECT DISTINCT answer FROM current_answers"
COMMANDS = (
    ("report",),
    ("report", "--format", "json"),
    ("report", "--leaderboard"),
    ("compare", "r1", "r2", "--flips", "2"),
    ("compare", "r1", "r2", "--format", "json"),
    ("compare", "r1", "r2", "--format", "markdown"),
    ("releases",),
    ("plan",),
    ("ladder", "--list"),
    ("sql",),
    ("sql", "--describe", "current_answers"),
    ("sql", QUERY),
    ("sql", QUERY, "--format", "json"),
    ("sql", QUERY, "--format", "csv"),
    ("settings",),
    ("doctor",),
    ("report", "--release", ANSWER),
    ("sql", f"SELECT '{ANSWER}' FROM nowhere"),
    ("history", "check"),
    (ANSWER,),
)  # fmt: skip


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A LOCOMO_HOME with two releases, whose answers have signs of many languages."""
    folder = tmp_path_factory.mktemp("home – ł")
    (folder / "history").mkdir()
    made = HistoryBuilder(folder / "history")
    made.dataset(("conv-1", "conv-2"), 4)
    for release in ("r1", "r2"):
        made.measure(release, {"conv-1": "++-+", "conv-2": "-+-+"}, answer=ANSWER)
    refresh(made.store, made.database_path)
    with pytest.MonkeyPatch.context() as patched:
        for module, names in COSTLY:
            for name in names:
                patched.setattr(module, name, remembering(getattr(module, name)))
        yield folder


class Output(io.TextIOWrapper):
    """A pipe or a terminal of an encoding, that remembers what it is sent."""

    def __init__(self, encoding: str, *, is_terminal: bool = False) -> None:
        super().__init__(io.BytesIO(), encoding=encoding, write_through=True)
        self._is_terminal = is_terminal

    def isatty(self) -> bool:
        return self._is_terminal

    @property
    def text(self) -> str:
        assert isinstance(self.buffer, io.BytesIO)
        return self.buffer.getvalue().decode(self.encoding)


@pytest.fixture(autouse=True)
def _in_the_home(measured: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCOMO_HOME", str(measured))
    monkeypatch.chdir(measured)


def ended(
    monkeypatch: pytest.MonkeyPatch, encoding: str, *words: str, is_terminal: bool = False
) -> tuple[int, str, str]:
    """The exit code, and what went to standard output and error."""
    out, err = (Output(encoding, is_terminal=is_terminal) for _ in range(2))
    with monkeypatch.context() as patched:
        patched.setattr(sys, "argv", ["locomo-assets", *words])
        patched.setattr(sys, "stdout", out)
        patched.setattr(sys, "stderr", err)
        with pytest.raises(SystemExit) as end:
            main()
    assert isinstance(end.value.code, int)
    return end.value.code, out.text, err.text


@pytest.mark.parametrize("words", COMMANDS, ids=lambda words: ascii(" ".join(words))[:60])
def test_a_command_ends_as_in_utf_8(
    monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    code, out, err = ended(monkeypatch, "utf-8", *words)
    assert code in (0, 1, 2, 3), err
    for encoding in ENCODINGS:
        found = ended(monkeypatch, encoding, *words)
        assert found[0] == code, (encoding, found[2])
        assert [one.count("\n") for one in found[1:]] == [one.count("\n") for one in (out, err)]
    on_a_terminal = ended(monkeypatch, "ascii", *words, is_terminal=True)
    assert on_a_terminal[0] == code, on_a_terminal[2]


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_help_of_every_command(monkeypatch: pytest.MonkeyPatch, encoding: str) -> None:
    for command in ALL_COMMANDS:
        is_terminal = encoding != "ascii"
        code, out, err = ended(monkeypatch, encoding, command, "--help", is_terminal=is_terminal)
        assert (code, err) == (0, "")
        assert command in out


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_what_programs_read_keeps_its_signs(monkeypatch: pytest.MonkeyPatch, encoding: str) -> None:
    _, as_json, _ = ended(monkeypatch, encoding, "sql", QUERY, "--format", "json")
    assert json.loads(as_json) == [{"answer": ANSWER}]
    _, as_csv, _ = ended(monkeypatch, encoding, "sql", QUERY, "--format", "csv")
    [[heading], [answer]] = csv.reader(io.StringIO(as_csv))
    kept = ANSWER.encode(encoding, "backslashreplace").decode(encoding)
    assert (heading, answer) == ("answer", kept)
    junit = {
        one: ended(monkeypatch, one, "compare", "r1", "r2", "--format", "junit")[1]
        for one in (encoding, "utf-8")
    }
    trees = [ET.canonicalize(one.partition("?>")[2]) for one in junit.values()]
    assert trees[0] == trees[1]
    assert ET.fromstring(junit[encoding].encode(encoding)).tag == "testsuites"


def test_a_terminal_shows_another_sign(monkeypatch: pytest.MonkeyPatch) -> None:
    _, out, _ = ended(monkeypatch, "iso-8859-1", "sql", QUERY, is_terminal=True)
    assert "Zoë ? ?? ? ?q?" in out


@pytest.mark.parametrize(
    ("encoding", "words", "says"),
    [
        ("iso-8859-1", "run --release r1 --questions 1 --conversations sample-1", "all scored"),
        ("ascii", "ladder --list", "lite-to-pro"),
    ],
)
def test_a_process(tmp_path: Path, encoding: str, words: str, says: str) -> None:
    """Also the files of this package: none is read or written in the locale's encoding."""
    program = (
        "import sys; sys.argv[0] = 'locomo-assets'; from locomo_assets.cli import main; main()"
    )
    checked = ("-X", "warn_default_encoding", "-W", "default::EncodingWarning")
    done = subprocess.run(
        [sys.executable, *checked, "-c", program, *words.split()],
        env={
            "PATH": os.environ["PATH"],
            "LOCOMO_HOME": str(tmp_path / "home – ł"),
            "LC_ALL": "C",
            "PYTHONCOERCECLOCALE": "0",
            "PYTHONUTF8": "0",
            "PYTHONIOENCODING": encoding,
        },
        capture_output=True,
        check=False,
        timeout=120,
    )
    err = done.stderr.decode(encoding)
    assert done.returncode == 0, err
    assert says in done.stdout.decode(encoding)
    package = str(Path(__file__).parents[3] / "locomo_assets")
    assert [one for one in err.splitlines() if "EncodingWarning" in one and package in one] == []
