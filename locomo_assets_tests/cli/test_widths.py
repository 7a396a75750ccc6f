"""Every command's tables on terminals of usual widths: no heading, word or number is broken."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from locomo_assets.analysis import comparison
from locomo_assets.cli import compare, plan, releases, report, run
from locomo_assets.cli import settings as settings_command
from locomo_assets.cli import sql as sql_command
from locomo_assets.cli.ladders import ladder
from locomo_assets.cli.operations import alerts, backup, doctor, exporter, history, remote
from locomo_assets.history.database import refresh
from locomo_assets.pipeline import launch
from locomo_assets.pipeline.forecasts import ladder as ladder_forecasts
from locomo_assets.pipeline.forecasts import plan as forecasts
from locomo_assets.reporting.leaderboard import data as leaderboard
from locomo_assets.reporting.terminal import series
from locomo_assets_tests.analysis.factories import HistoryBuilder

WIDTHS = (60, 80, 100, 170)
COMMANDS = (
    ("report",),
    ("report", "--wide"),
    ("report", "--leaderboard"),
    ("report", "--leaderboard", "--wide"),
    ("compare", "r1", "adhoc-20261127T164022-k3f9", "--flips", "3"),
    ("compare", "r1", "adhoc-20261127T164022-k3f9", "--wide"),
    ("judge-agreement", "lexical", "strict"),
    ("releases",),
    ("releases", "--wide"),
    ("plan",),
    ("plan", "--detect", "0.5", "--wide"),
    ("run", "--dry-run", "--release", "r3"),
    ("ladder", "--list"),
    ("ladder", "lite-to-pro", "--release", "r3", "--dry-run"),
    ("sql", "SELECT release, accuracy, judge, dataset_sha256 FROM accuracy_by_release"),
    ("sql", "SELECT question, evidence, gold_answer FROM current_questions"),
)  # fmt: skip
OPERATIONS = (history, alerts, exporter, backup, remote, doctor)
APP = typer.Typer()
for module in (run, plan, ladder, sql_command, report, releases, compare, *OPERATIONS):
    module.register(APP)
settings_command.register(APP)


COSTLY = (
    (series, ("by_category", "by_release", "read_diagnoses", "blame_bounds", "corrected_accuracy",
              "read_gold_faults", "read_panels", "read_scores", "read_recall", "reference_lines",
              "repeated_answer_warnings", "read_last_looks", "abstention_lines",
              "with_known_errors", "releases_with_panels")),
    (comparison, ("compare",)),
    (launch, ("check_launch", "forecast_launch")),
    (forecasts, ("plan",)),
    (ladder_forecasts, ("forecast_ladder",)),
    (leaderboard, ("read_leaderboard",)),
)  # fmt: skip
"""What reads a history, and returns the same at every width."""


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A LOCOMO_HOME with a release of which verdicts are missing; what is read is remembered."""
    folder = tmp_path_factory.mktemp("home")
    (folder / "history").mkdir()
    made = HistoryBuilder(folder / "history")
    made.dataset(("conv-1", "conv-2", "conv-3"), 20)
    for release, signs in (
        ("r1", ("----+", "---++", "-+--+")),
        ("adhoc-20261127T164022-k3f9", ("++++-", "++-!+", "+?++-")),
    ):
        made.measure(
            release,
            {f"conv-{n}": one * 4 for n, one in enumerate(signs, start=1)},
            retrieved=[{"rank": 1, "memory_id": "m1", "memory": "a memory " * 30}],
        )
        made.judge_again(release, "conv-3", "+-" * 10, "strict")
    refresh(made.store, made.database_path)
    with pytest.MonkeyPatch.context() as patched:
        for module, names in COSTLY:
            for name in names:
                patched.setattr(module, name, remembering(getattr(module, name)))
        yield folder


@pytest.fixture
def home(measured: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LOCOMO_HOME", str(measured))
    return measured


def remembering(function: Callable[..., Any]) -> Callable[..., Any]:
    known: dict[str, Any] = {}

    def remembered(*arguments: Any, **options: Any) -> Any:
        key = re.sub(r" at 0x\w+", "", repr((arguments, options)))
        if key not in known:
            known[key] = function(*arguments, **options)
        return known[key]

    return remembered


def shown(monkeypatch: pytest.MonkeyPatch, width: int, *arguments: str) -> list[str]:
    """What a terminal of this width shows."""
    with monkeypatch.context() as patched:
        patched.delenv("NO_COLOR", raising=False)
        patched.setenv("FORCE_COLOR", "1")
        patched.setenv("COLUMNS", str(width))
        done = CliRunner().invoke(APP, arguments)
    # compare ends with 3 where a side is invalid
    assert done.exit_code in (0, 1), done.output
    return re.sub(r"\x1b\[[\d;]*m", "", done.stdout).splitlines()


@pytest.mark.parametrize("arguments", COMMANDS, ids=" ".join)
def test_nothing_is_broken(
    home: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...]
) -> None:
    whole = set(" ".join(shown(monkeypatch, 5000, *arguments)).split())
    assert len(whole) > 10
    numbers = [str(number) for number in range(61)]
    # A row may be named behind its number: `row 1 of 2: A`.
    counted = {"row", "of", "rows,", "shown;", "--all", *numbers, *(f"{n}:" for n in numbers)}
    for width in WIDTHS:
        lines = shown(monkeypatch, width, *arguments)
        broken = {word for line in lines for word in line.split()} - whole - counted
        # A hash is longer than a line of 60.
        assert not {word for word in broken if "d" * 4 not in word}, (width, broken)
        assert max(map(len, lines)) <= width


def test_a_pipe_is_not_a_terminal(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    for arguments in (("report",), ("releases",), ("report", "--leaderboard")):
        done = CliRunner().invoke(APP, arguments)
        assert "row 1" not in done.stdout
        assert "--wide" not in done.stdout
    assert "p95 ms" in CliRunner().invoke(APP, ["report"]).stdout


def test_signs_are_explained_where_their_columns_are_shown(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ("compare", "r1", "adhoc-20261127T164022-k3f9")
    assert not any("gained, − lost" in line for line in shown(monkeypatch, 100, *words))
    assert any("gained, − lost" in line for line in shown(monkeypatch, 100, *words, "--wide"))
    assert "gained, − lost" in CliRunner().invoke(APP, words).stdout


def test_releases_are_newest_first_with_their_date(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = [re.split(r"\s{2,}", line.strip()) for line in shown(monkeypatch, 100, "releases")]
    heading = next(at for at, line in enumerate(lines) if line[0] == "release")
    assert lines[heading] == [
        "release", "date", "questions", "accuracy %", "judge", "bounds %", "valid",
    ]  # fmt: skip
    rows = lines[heading + 1 :]
    assert [row[0] for row in rows[:4]] == ["adhoc-20261127T164022-k3f9"] * 2 + ["r1"] * 2
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\d", row[1]) for row in rows[:4])
    # `strict` has judged one conversation of three.
    assert {(row[0], row[4]): row[-1] for row in rows[:4]} == {
        ("adhoc-20261127T164022-k3f9", "lexical"): "invalid",
        ("adhoc-20261127T164022-k3f9", "strict"): "invalid",
        ("r1", "lexical"): "yes",
        ("r1", "strict"): "invalid",
    }


def test_the_parts_of_a_report_have_one_order(home: Path) -> None:
    text = CliRunner().invoke(APP, ["report"]).stdout
    told = re.findall(r"^(without a judge: )?release (\S+) ·", text, re.MULTILINE)
    accuracy, scores = ([name for lead, name in told if bool(lead) is of] for of in (False, True))
    assert scores == list(dict.fromkeys(accuracy)) == ["adhoc-20261127T164022-k3f9", "r1"]
