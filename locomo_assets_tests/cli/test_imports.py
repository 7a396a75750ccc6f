"""`import …` as a person runs it, and the example of docs/import.md."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from locomo_assets.cli import imports, releases, report
from locomo_assets.cli import sql as sql_command
from locomo_assets.history.errors import HistoryUnreachableError
from locomo_assets.imports.results import ImportRefusedError
from locomo_assets.pipeline.launch import Launch, launch
from locomo_assets.runs.releases import ReleaseTakenError
from locomo_assets.services import Services
from locomo_assets.settings import read_settings
from locomo_assets_tests.conftest import REPOSITORY, SHARED_DATA
from locomo_assets_tests.imports.files import line, lines, published

JSONL = ("results.jsonl", "--release", "vendor", "--system", "some-memory")


def command(*arguments: str) -> str:
    """What a command prints; it must succeed."""
    app = typer.Typer()
    for module in (report, releases, sql_command, imports):
        module.register(app)
    done = CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


def sql(query: str) -> list[tuple[Any, ...]]:
    return [tuple(row.values()) for row in json.loads(command("sql", query, "--format", "json"))]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Published files of the packaged sample."""
    folder = tmp_path / "published"
    folder.mkdir()
    for name, data in published():
        (folder / name).write_bytes(data)
    return folder


def test_published_files_become_a_release(folder: Path, home: Path) -> None:
    output = command("import", "backboard-published", str(folder))
    assert "release backboard-published: 2 files, 53 answers, 53 verdicts imported" in output
    assert "release backboard-published (imported) · system backboard" in output
    assert "are there already" in command("import", "backboard-published", str(folder))
    assert "imported" in command("releases")
    with pytest.raises(ReleaseTakenError, match="were imported"):
        launch(Launch(release="backboard-published"), Services(read_settings()))
    # Nothing of it is a partition that could be launched, and paid for.
    assert not (home / "dagster").exists()
    assert sql("SELECT count(*) FROM current_judgements") == [(53,)]


def test_what_is_refused_leaves_nothing(folder: Path, home: Path) -> None:
    last = folder / "locomo_conversation_2.json"
    last.write_text(last.read_text().replace('"category": 4', '"category": 1'))
    with pytest.raises(ImportRefusedError, match=r"^locomo_conversation_2\.json: .*category is 1"):
        command("import", "backboard-published", str(folder))
    with pytest.raises(ImportRefusedError, match=r"none: holds no locomo_conversation_\*\.json"):
        command("import", "backboard-published", str(home / "none"))
    with pytest.raises(ImportRefusedError, match=r"none\.jsonl: can't be read \(No such file"):
        command("import", "jsonl", str(home / "none.jsonl"), *JSONL[1:])
    assert not list(home.rglob("*.parquet"))
    with pytest.raises(HistoryUnreachableError):
        sql("SELECT 1")


@pytest.mark.usefixtures("home")
def test_runs_of_the_script_are_releases_in_order_of_time(tmp_path: Path) -> None:
    folder = tmp_path / "results"
    folder.mkdir()
    times = (1_795_725_471, 1_764_189_471)
    for time in times:
        for number, (_, data) in enumerate(published(), start=1):
            path = folder / f"locomo_conversation_{number}_sample-{number}_{time + number}.json"
            path.write_bytes(data.replace(b'"ai_response"', b'"num_threads": 2, "ai_response"'))
    with pytest.raises(ImportRefusedError, match=r"--published-at is of one release, .* 2 runs"):
        command("import", "backboard-published", str(folder), "--published-at", "2026-01-01")
    with pytest.raises(ImportRefusedError, match="--published-at 'May': is no date"):
        command("import", "backboard-published", str(folder), "--published-at", "May")
    output = command("import", "backboard-published", str(folder))
    names = ["script-2025-11-26T20-37-52Z", "script-2026-11-26T20-37-52Z"]
    for name in names:
        assert f"release {name}: 2 files, 53 answers, 53 verdicts imported" in output
        assert f"release {name} (imported) · system backboard" in output
    # Both copies of a response count once.
    assert "\nfields without a meaning here, left out: num_threads (106×)\n" in output
    assert sql("SELECT release, published_at IS NULL FROM release_order ORDER BY position") == [
        (name, False) for name in names
    ]


@pytest.mark.usefixtures("home")
def test_a_file_that_names_no_judge_is_imported_and_said_to(tmp_path: Path) -> None:
    path = tmp_path / "theirs.json"
    names = [f"{n}\n" * 30 for n in range(20)]
    question = {"question": "What kind of boat is Owen building?", "grade": True}
    path.write_text(json.dumps([question | dict.fromkeys(names, 0)], indent=1))
    arguments = (
        "import", "jsonl", str(path), "--release", "theirs", "--system", "memo",
        "--published-at", "2026-05-01",
    )  # fmt: skip
    output = command(*arguments)
    assert "who judged is not in the file; name model and prompt with --judge" in output
    (unread,) = [line for line in output.splitlines() if line.startswith("fields without")]
    assert "(1×)" in unread
    assert unread.endswith("and 8 more")
    assert len(unread) < 700
    assert "who judged" not in command(*arguments, "--judge", "gpt-4.1", "--model", "m")
    assert sql("SELECT judge, llm_model, format FROM imported_results") == [("gpt-4.1", "m", "zep")]
    assert sql("SELECT left(published_at::VARCHAR, 10) FROM release_order") == [("2026-05-01",)]


@pytest.mark.usefixtures("home")
def test_correct_verdicts_on_no_words_are_counted(tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl"
    answers = (("", "correct"), (None, "correct"), ("", "wrong"), ("A canoe.", "correct"))
    path.write_bytes(
        lines(*(line(question_index=n, answer=said, verdict=verdict)
                for n, (said, verdict) in enumerate(answers)))
    )  # fmt: skip
    output = command("import", "jsonl", str(path), *JSONL[1:])
    assert "\n2 verdicts are correct on an answer without words; they are kept" in output
    assert sql("SELECT count(*) FROM current_judgements WHERE verdict = 'correct'") == [(3,)]


@pytest.mark.usefixtures("home")
def test_the_documented_example_is_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = (REPOSITORY / "docs" / "import.md").read_text()
    (example,) = re.findall(r"```json\n(.*?)```", text, re.DOTALL)
    monkeypatch.chdir(tmp_path)
    Path("results.jsonl").write_text(example)
    output = command("import", "jsonl", *JSONL)
    assert "1 file, 3 answers, 4 verdicts imported" in output
    assert sql(
        "SELECT question_index, judge, verdict, votes, agreement, reason "
        "FROM imported_results ORDER BY ALL"
    ) == [
        (0, "gpt-4.1/their-prompt", "correct", 1, 1.0, None),
        (1, "gpt-4.1/their-prompt", "wrong", 3, 2 / 3, None),
        (1, "strict", "wrong", 1, 1.0, None),
        (2, "gpt-4.1/their-prompt", "unanswered", 1, None, "HTTP 500"),
    ]


@pytest.mark.usefixtures("home")
def test_a_terminal_is_told_which_columns_are_left_out(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ("import", "backboard-published", str(folder))
    assert "--wide" not in command(*words)
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert "--wide also shows: vendor's name" in command(*words)
    wide = command(*words, "--wide")
    assert "vendor's name" in wide
    assert "--wide" not in wide


@pytest.mark.real_data
@pytest.mark.usefixtures("home")
def test_the_published_table_comes_out_exactly(
    real_dataset: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = SHARED_DATA / "backboard-published"
    if not folder.exists():
        pytest.skip("the published files are not beside the project")
    output = command("import", "backboard-published", str(folder), "--dataset", str(real_dataset))
    monkeypatch.setenv("LOCOMO_AUDIT", str(SHARED_DATA / "locomo-audit-errors.json"))
    report = command("report", "--release", "backboard-published")
    scores = [re.split(r"\s{2,}", line.strip()) for line in report.splitlines()]
    assert [
        "all scored", "90.00", "91.60", "89.5 – 93.7", "93.57", "66 of 99, 67 %"
    ] in scores  # fmt: skip
    tables = [[re.split(r"\s{2,}", row)[:6] for row in text.splitlines()]
              for text in (output, report)]  # fmt: skip
    for row in (
        ["1 multi-hop", "single-hop", "282", "252", "282", "89.36"],
        ["2 temporal", "temporal", "321", "295", "321", "91.90"],
        ["3 open-domain", "multi-hop", "96", "72", "96", "75.00"],
        ["4 single-hop", "open-domain", "841", "767", "841", "91.20"],
        ["all scored", "overall", "1540", "1386", "1540", "90.00"],
    ):
        assert all(row in table for table in tables)
    # By the files' own verdicts, conversation by conversation.
    stated = {}
    for path in folder.glob("*.json"):
        file = json.loads(path.read_text())
        stated[file["conversation_id"]] = (file["total"], file["correct_count"])
    by_conversation = sql("SELECT conversation, questions, correct FROM accuracy_by_conversation")
    assert {name: (questions, correct) for name, questions, correct in by_conversation} == stated


@pytest.mark.real_data
def test_releases_are_listed_in_one_order(
    real_dataset: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOCOMO_DATASET", str(real_dataset))
    cases = SHARED_DATA.parent / "cases"
    for release in ("0.0.10", "0.0.9", "0.0.11"):
        path = home / f"{release}.jsonl"
        lines = (cases / f"svc-{release}.jsonl").read_text().splitlines(keepends=True)
        path.write_text("".join(lines[:50]))
        command("import", "jsonl", str(path), "--release", release, "--system", "svc")
    listed = command("releases").splitlines()[1:]
    assert [line.split()[0] for line in listed] == ["0.0.11", "0.0.10", "0.0.9"]
    told = re.findall(r"^(?:without a judge: )?release (\S+)", command("report"), re.MULTILINE)
    assert told == ["0.0.11", "0.0.10", "0.0.9"] * 2
    assert sql("SELECT release, previous_release FROM accuracy_trend WHERE category IS NULL") == [
        ("0.0.9", None),
        ("0.0.10", "0.0.9"),
        ("0.0.11", "0.0.10"),
    ]
