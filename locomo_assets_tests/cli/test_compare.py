"""What `compare` prints of a history with changes, 100 columns wide."""

import io
import json
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
import typer
from typer.testing import CliRunner

from locomo_assets.analysis.accuracy import InvalidNumbersError
from locomo_assets.cli import compare
from locomo_assets.errors import LocomoError
from locomo_assets.history.database import refresh
from locomo_assets.reporting.terminal.comparison import print_comparison
from locomo_assets.reporting.terminal.table import Screen
from locomo_assets.settings import SettingsError
from locomo_assets_tests.analysis.factories import HistoryBuilder

APP = typer.Typer()
compare.register(APP)


@pytest.fixture
def history(home: Path) -> HistoryBuilder:
    (home / "history").mkdir()
    made = HistoryBuilder(home / "history")
    made.dataset(("conv-1", "conv-2", "conv-3"), 20)
    # five signs a category each: conv-1 gains 4 and loses the adversarial one, conv-2 gains 2,
    # conv-3 gains 3 and loses the adversarial one; four times
    made.measure("r1", {"conv-1": "----+" * 4, "conv-2": "---++" * 4, "conv-3": "-+--+" * 4})
    memories = [{"rank": n, "memory_id": f"m{n}", "memory": f"memory {n}"} for n in range(1, 6)]
    after = {"conv-1": "++++-" * 4, "conv-2": "++-++" * 4, "conv-3": "++++-" * 4}
    made.measure("r2", after, retrieved=memories)
    refresh(made.store, made.database_path)
    return made


def output(*arguments: str) -> str:
    done = CliRunner().invoke(APP, ["compare", *arguments])
    assert done.exit_code == 0, done.output
    return done.stdout


def test_the_verdict_comes_first_then_numbers_then_flips(history: HistoryBuilder) -> None:
    assert history.database_path.exists()
    text = output("r1", "r2")
    lines = text.splitlines()
    assert " ".join(lines[:2]).startswith("r2 is better than r1: the difference of +75.00 points")
    assert max(map(len, lines)) <= 100
    expected = ["accuracy r1", "difference  ", "allows for", "repeats r2", "4 single-hop", "LOST"]
    places = [text.find(one) for one in expected]
    assert places == sorted(places)
    assert -1 not in places
    assert "5 of 44 changed questions of all categories shown" in text
    assert "memory 3" in text
    assert "and 2 more" in text
    assert "memory 4" not in text


def test_the_other_way_round_it_is_worse(history: HistoryBuilder) -> None:
    assert output("r2", "r1", "--flips", "0").startswith(
        "r1 is worse than r2: the difference of -75"
    )


def test_flips_are_as_many_as_asked_for(history: HistoryBuilder) -> None:
    assert "LOST" not in output("r1", "r2", "--flips", "0")
    every = output("r1", "r2", "--flips", "99")
    assert every.count("GAINED") + every.count("LOST") == 44
    assert "shown" not in every


def test_json_has_everything(history: HistoryBuilder) -> None:
    found = json.loads(output("r1", "r2", "--format", "json"))
    assert found["overall"]["verdict"]["word"] == "better"
    assert len(found["flips"]) == 44
    assert len(found["flips"][0]["retrieved_b"]) == 5
    assert len(found["categories"]) == 5


def test_an_invalid_side_is_said_first_and_exits_with_3(history: HistoryBuilder) -> None:
    history.measure("r3", dict.fromkeys(("conv-1", "conv-2", "conv-3"), "+!++-" * 4))
    refresh(history.store, history.database_path)
    done = CliRunner().invoke(APP, ["compare", "r1", "r3", "--flips", "0"])
    assert done.stdout.startswith("Invalid: 25.00 % of the questions of r3 have no verdict")
    assert isinstance(done.exception, InvalidNumbersError)
    assert done.exception.exit_code == 3
    assert "if it was measured here, run it again" in str(done.exception)
    assert "bounds" in done.stdout
    as_json = CliRunner().invoke(APP, ["compare", "r1", "r3", "--format", "json"])
    found = json.loads(as_json.stdout)
    assert (found["valid"], found["overall"]["verdict"]["word"]) == (False, "invalid")


def test_a_margin_is_given_in_points(history: HistoryBuilder) -> None:
    assert json.loads(output("r1", "r2", "--format", "json"))["margin_points"] == 1.0
    wide = output("r1", "r2", "--margin", "2.5", "--format", "json")
    assert json.loads(wide)["margin_points"] == 2.5
    refused = CliRunner().invoke(APP, ["compare", "r1", "r2", "--margin", "0"])
    assert isinstance(refused.exception, SettingsError)


def ended(*arguments: str) -> tuple[int, str]:
    """The exit code that the command line would end with, and what was printed."""
    done = CliRunner().invoke(APP, ["compare", *arguments])
    if isinstance(done.exception, LocomoError):
        return done.exception.exit_code, done.stdout
    return done.exit_code, done.stdout


def test_the_gate_ends_with_its_exit_code_after_everything_is_printed(
    history: HistoryBuilder,
) -> None:
    assert ended("r1", "r2", "--fail-on", "cannot-tell")[0] == 0
    assert ended("r1", "r2", "--fail-on", "not-equivalent")[0] == 6
    code, printed = ended("r2", "r1", "--fail-on", "worse", "--format", "json")
    found = json.loads(printed)
    assert (code, found["gate_failed"], found["fail_on"]) == (4, True, "worse")
    code, printed = ended("r2", "r1", "--fail-on", "worse", "--format", "junit")
    assert (code, ET.fromstring(printed).attrib["failures"]) == (4, "1")


def test_a_comment_has_its_link_and_a_bad_link_prints_nothing(history: HistoryBuilder) -> None:
    url = "https://ci.example.org/runs/7"
    printed = output("r1", "r2", "--format", "markdown", "--link", url)
    assert printed.startswith("**LoCoMo: r2 is better than r1")
    assert printed.endswith(f"[The whole report](<{url}>)\n")
    for options in (("--link", url), ("--format", "markdown", "--link", "javascript:alert(1)")):
        assert ended("r1", "r2", *options) == (2, "")


def test_words_are_whole_in_a_narrow_terminal(history: HistoryBuilder) -> None:
    found, printed = history.compare("r1", "r2"), io.StringIO()
    screen = Screen(file=printed, width=80, force_terminal=True, color_system=None)
    print_comparison(screen, found, 0)
    lines = [line.rstrip() for line in printed.getvalue().splitlines()]
    (at,) = (at for at, line in enumerate(lines) if line.startswith("category"))
    assert lines[at].endswith("B is")
    starts = [line[:2] for line in lines[at + 1 : at + 1 + len(found.categories)]]
    assert starts == [f"{one.category} " for one in found.categories]
    assert lines[-1] == "--wide also shows: questions, McNemar, Holm p."


def test_the_same_answer_judged_twice_is_not_put_down_to_its_evidence(
    history: HistoryBuilder,
) -> None:
    history.measure("r3", {"conv-1": "+"}, answer="the same")
    history.measure("r4", {"conv-1": "-"}, answer="the same")
    refresh(history.store, history.database_path)
    text = " ".join(output("r3", "r4").split())
    assert "judging: the same answer was judged differently" in text
