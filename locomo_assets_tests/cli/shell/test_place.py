"""Commands that read say that nothing is measured here, and make nothing."""

from pathlib import Path

import pytest

from locomo_assets.history.store import HistoryStore
from locomo_assets.settings import read_settings
from locomo_assets_tests.cli.shell.running import Commands

READING = (
    "report",
    "report --html page.html",
    "report --leaderboard",
    "releases",
    "releases pin r1",
    "releases unpin",
    "compare r1 r2",
    "judge-agreement a b",
    "sql",
    "sql SELECT",
    "sql --describe answers",
    "plan --against r1",
    "judge --release r1",
    "judge --release r1 --dry-run",
    "export r1 --to out",
    "history refresh",
    "history rebuild",
    "history check",
    "history register",
    "history prune --keep-days 3",
    "backup",
    "remote list",
    "remote delete --yes",
)


def made(home: Path) -> list[str]:
    return sorted(str(one.relative_to(home)) for one in home.rglob("*"))


@pytest.mark.parametrize("command", READING)
def test_nothing_is_measured_here(run: Commands, home: Path, command: str) -> None:
    done = run(*command.split())
    assert done == (
        2,
        "",
        f"error: nothing is measured in {home} (LOCOMO_HOME); run `locomo-assets run`, or go to "
        "your project\n",
    )
    assert made(home) == []


@pytest.mark.parametrize("command", ["report", "releases", "compare r1 r2", "report --leaderboard"])
def test_an_empty_history_is_no_silence(run: Commands, home: Path, command: str) -> None:
    HistoryStore.open((home / "history").as_uri())
    before = made(home)
    assert run(*command.split()).line.startswith(f"error: nothing is measured in {home}")
    assert made(home) == before
    assert run("history", "refresh").code == 0
    line = run(*command.split()).line
    assert "nothing is measured" in line or "none is there yet" in line


def test_the_project_above_is_named(
    run: Commands, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    HistoryStore.open((home / ".locomo" / "history").as_uri())
    below = home / "src" / "deep"
    below.mkdir(parents=True)
    monkeypatch.chdir(below)
    monkeypatch.delenv("LOCOMO_HOME")
    line = run("report").line
    assert line.startswith(f"error: nothing is measured in {below}/.locomo (LOCOMO_HOME)")
    assert line.endswith(f"or go to your project, such as {home}")


def test_a_history_of_ones_own_is_named_as_it_is_set(
    run: Commands, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = (home / "elsewhere").as_uri()
    monkeypatch.setenv("LOCOMO_HISTORY", url)
    assert f"nothing is measured in {url} (LOCOMO_HISTORY)" in run("history", "refresh").line
    assert made(home) == []


def test_a_plan_before_anything_is_measured_makes_nothing(run: Commands, home: Path) -> None:
    assert run("plan").code == 0
    assert made(home) == []


@pytest.mark.parametrize(
    ("setting", "command", "said"),
    [
        ("", "run --dataset none.json", "none.json: there is no such file"),
        (
            "",
            "run --conversations conv-99",
            "conv-99: not in the data set, which has sample-1, sample-2; choose of these, ",
        ),
        ("", "run --until-decided --against r0", "release r0: no verdicts in the history"),
        ("", "run --gate-against r0", "release r0: no verdicts in the history"),
        ("", "ladder none.toml --release r1", "none.toml: there is no such file"),
        ("LOCOMO_SYSTEM_PROMPT", "run", "LOCOMO_SYSTEM_PROMPT: none.txt can't be read"),
        ("LOCOMO_EXTRACTION_PROMPT", "run", "LOCOMO_EXTRACTION_PROMPT: none.txt can't be read"),
        ("LOCOMO_UPDATE_PROMPT", "run", "LOCOMO_UPDATE_PROMPT: none.txt can't be read"),
        ("LOCOMO_JUDGE_PROMPT", "run", "judge prompt none.txt: there is no such file"),
        ("LOCOMO_ANSWER_PROMPT", "run", "answer prompt none.txt: there is no such file"),
        ("LOCOMO_AUDIT", "run", "audit none.txt: there is no such file"),
        ("LOCOMO_PRICES", "run", "price table none.txt: cannot be read"),
        ("DAGSTER_HOME", "run --dry-run", "DAGSTER_HOME none.txt: there is no such folder"),
    ],
)
def test_a_wrong_path_is_told_before_anything_is_drawn_or_made(
    run: Commands, monkeypatch: pytest.MonkeyPatch, setting: str, command: str, said: str
) -> None:
    home = read_settings().home
    if setting:
        monkeypatch.setenv(setting, "none.txt")
    if setting == "LOCOMO_JUDGE_PROMPT":
        monkeypatch.setenv("OPENAI_API_KEY", "planted-key")
    if setting == "LOCOMO_ANSWER_PROMPT":
        monkeypatch.setenv("LOCOMO_QUESTION_PROTOCOL", "retrieval")
    done = run(*command.split())
    assert (done.code, done.out) == (2, "")
    assert said in done.line
    assert made(home) in ([], ["dagster", "dagster/dagster.yaml"])


@pytest.mark.parametrize(
    "command",
    [
        "report --release vendor-3",
        "report --html page.html --release vendor-3",
        "report --leaderboard --release vendor-3",
        "compare vendor-1 vendor-3",
        "judge --release vendor-3",
        "export vendor-3 --to out",
        "releases pin vendor-3",
        "plan --against vendor-3",
        "run --until-decided --against vendor-3",
        "run --gate-against vendor-3",
    ],
)
def test_an_unknown_release_suggests_the_nearest(
    imported: Commands, home: Path, command: str
) -> None:
    done = imported(*command.split())
    assert done.code == 2
    assert "release vendor-3: no " in done.line
    assert "; did you mean vendor-" in done.line
    assert not (home / "page.html").exists()
    far = imported(*command.replace("vendor-3", "2026-11-01").split())
    assert "; choose one of: vendor-2, vendor-1" in far.line
