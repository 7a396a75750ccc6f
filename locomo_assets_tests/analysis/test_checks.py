"""Checks of data sets, conversations and releases: what passes, what fails, and how severely."""

from dataclasses import asdict, replace
from pathlib import Path

import pytest

from locomo_assets.analysis import checks
from locomo_assets.analysis.checks import (
    CheckSeverity,
    accuracy,
    answers_complete,
    api_errors,
    counts_by_category,
    distinct_answers,
    error_budget,
    ingestion_complete,
    judge_canaries,
    not_reached,
    release_is_what_was_measured,
    run_time,
    schema,
)
from locomo_assets.analysis.repeated_answers import RepeatedAnswer
from locomo_assets.analysis.workload import Workload
from locomo_assets.history.database import refresh
from locomo_assets.history.store import HistoryStore
from locomo_assets.locomo.model import to_rows
from locomo_assets.locomo.parsing import read_dataset
from locomo_assets.locomo.sample import packaged_sample
from locomo_assets.runs.stages import AnswersReport, IngestionCounts
from locomo_assets_tests.analysis.factories import accuracy_row
from locomo_assets_tests.history.factories import ASKED_AT, commit, commit_answers, lineage

SAMPLE = read_dataset(packaged_sample())
WHOLE = IngestionCounts(
    turns=10,
    turns_ingested=10,
    messages_on_server=10,
    operations=9,
    operations_completed=6,
    operations_failed=2,
    operations_timed_out=1,
    memories=6,
)
WORKLOAD = Workload(
    judge_system="openai", requests=100, tries=110, repeats=10, requests_failed=5, minutes=60.0
)
ROW = accuracy_row()


def test_an_unknown_file_is_only_counted() -> None:
    found = counts_by_category(SAMPLE)
    assert found.passed
    assert found.numbers["known_data_set"] is False
    assert sum(int(found.numbers[f"questions_category_{n}"]) for n in range(1, 6)) == 59


def test_a_known_file_must_have_its_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    right = {1: 10, 2: 16, 3: 6, 4: 21, 5: 6}
    monkeypatch.setattr(checks, "KNOWN_COUNTS", {SAMPLE.sha256: right})
    assert counts_by_category(SAMPLE).passed
    monkeypatch.setattr(checks, "KNOWN_COUNTS", {SAMPLE.sha256: {**right, 3: 7}})
    found = counts_by_category(SAMPLE)
    assert not found.passed
    assert found.severity is CheckSeverity.ERROR
    assert "7 of category 3" in found.expected
    assert "6 of category 3" in found.actual


@pytest.mark.real_data
def test_the_real_file_is_known(real_dataset: Path) -> None:
    real = read_dataset(str(real_dataset))
    found = counts_by_category(real)
    assert found.passed
    assert found.numbers["known_data_set"] is True
    assert [found.numbers[f"questions_category_{n}"] for n in range(1, 6)] == [
        *(282, 321, 96, 841),
        446,
    ]
    assert schema(real).passed


def test_schema_of_the_sample() -> None:
    found = schema(SAMPLE)
    assert (found.passed, found.actual) == (True, "as expected")
    assert (found.numbers["rows_conversations"], found.numbers["rows_questions"]) == (2, 59)


def test_schema_names_what_is_amiss(monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = SAMPLE.conversations
    silent = replace(SAMPLE, conversations=(replace(first, sessions=()), second))
    found = schema(silent)
    assert not found.passed
    assert f"{first.conversation} has no turns" in found.actual
    assert f"{first.conversation} has evidence that is not one of its turns" in found.actual

    rows = {
        table: [dict(row) for row in table_rows] for table, table_rows in to_rows(SAMPLE).items()
    }
    rows["turns"] = [{**row, "mood": "glad"} for row in rows["turns"]]
    rows["questions"][0]["category"] = "four"
    monkeypatch.setattr(checks, "to_rows", lambda _: rows)
    found = schema(SAMPLE)
    assert not found.passed
    assert "turns: unexpected or missing columns mood" in found.actual
    assert "questions: " in found.actual


def test_failed_and_timed_out_operations_have_ended_and_are_counted() -> None:
    found = ingestion_complete(WHOLE)
    assert found.passed
    assert "6 completed, 2 failed, 1 timed out, 0 open" in found.actual


@pytest.mark.parametrize(
    "counts",
    [
        replace(WHOLE, turns_ingested=9),
        replace(WHOLE, messages_on_server=9),
        replace(WHOLE, messages_on_server=11),
        replace(WHOLE, operations_failed=1),
    ],
)
def test_anything_missing_is_an_error(counts: IngestionCounts) -> None:
    found = ingestion_complete(counts)
    assert not found.passed
    assert found.severity is CheckSeverity.ERROR


def test_turns_without_a_single_memory_operation_are_an_error() -> None:
    without = IngestionCounts(turns=10, turns_ingested=10, messages_on_server=10, operations=0)
    found = ingestion_complete(without)
    assert (found.passed, found.severity) == (False, CheckSeverity.ERROR)
    assert "the form of the service's answer may have changed" in found.actual
    assert "memory_operation_id" in found.actual
    # Where nothing was told, and in days when operations were not counted, there is none to miss.
    assert ingestion_complete(IngestionCounts(operations=0)).passed
    assert ingestion_complete(replace(without, operations=None)).passed
    assert ingestion_complete(replace(without, operations=1, operations_failed=1)).passed


def test_an_ingestion_from_before_messages_were_counted() -> None:
    stored = asdict(WHOLE)
    del stored["messages_on_server"], stored["operations"]
    earlier = IngestionCounts.from_json(stored)
    found = ingestion_complete(earlier)
    assert found.passed
    assert "not counted there" in found.actual
    assert not ingestion_complete(replace(earlier, turns_ingested=9)).passed


def test_unanswered_is_a_warning_and_not_asked_is_an_error() -> None:
    report = AnswersReport(questions=5, reused=2, answered=2)
    assert answers_complete(AnswersReport(questions=5, reused=5)).passed
    assert answers_complete(replace(report, answered=3)).passed
    unanswered = answers_complete(replace(report, unanswered=1))
    assert (unanswered.passed, unanswered.severity) == (False, CheckSeverity.WARN)
    missing = answers_complete(report)
    assert (missing.passed, missing.severity) == (False, CheckSeverity.ERROR)
    assert missing.actual == "4 answered, 0 unanswered, 1 not asked"


def test_an_exception_becomes_one_line() -> None:
    found = not_reached("everything", ValueError("first\nsecond"))
    assert (found.passed, found.severity, found.actual) == (
        False,
        CheckSeverity.ERROR,
        "first second",
    )


def test_one_answer_for_many_questions_is_a_warning() -> None:
    found = distinct_answers(RepeatedAnswer("Error 502", 4, 50))
    assert (found.passed, found.severity) == (False, CheckSeverity.WARN)
    assert found.actual == "one answer stands for 4 questions (8.0 % of 50): 'Error 502'"
    assert found.numbers["questions_of_commonest_answer"] == 4
    assert distinct_answers(RepeatedAnswer("Yes", 3, 50)).passed


@pytest.mark.parametrize(("failed", "passed"), [(0, True), (5, True), (6, False)])
def test_api_errors_of_a_hundred(failed: int, passed: bool) -> None:
    assert api_errors(replace(WORKLOAD, requests_failed=failed)).passed is passed
    assert api_errors(replace(WORKLOAD, requests=0, requests_failed=0)).passed


def test_run_time() -> None:
    assert run_time(WORKLOAD, 60.0).passed
    found = run_time(WORKLOAD, 59.0)
    assert (found.passed, found.severity) == (False, CheckSeverity.WARN)


def test_accuracy_is_asked_of_a_real_service_and_a_model() -> None:
    assert not accuracy(ROW, "openai", 85.0).passed
    assert accuracy(ROW, "openai", 85.0).severity is CheckSeverity.WARN
    assert accuracy(ROW, "openai", 84.0).passed
    for row, judge in ((replace(ROW, system="standin"), "openai"), (ROW, "lexical"),
                       (ROW, "standin")):  # fmt: skip
        found = accuracy(row, judge, 85.0)
        assert found.passed
        assert found.numbers["held_to_it"] is False
        assert found.expected.startswith("no limit")


def test_accuracy_is_told_with_its_clustered_interval() -> None:
    alone = accuracy(ROW, "openai", 85.0).actual
    assert "(95 % interval 75.6 – 89.9, Wilson, one conversation only)" in alone
    ten = replace(ROW, conversations=10, clustered_low_percent=78.0, clustered_high_percent=89.0)
    assert "(95 % interval 78.0 – 89.0)" in accuracy(ten, "openai", 85.0).actual
    alike = accuracy(replace(ROW, conversations=2), "openai", 85.0).actual
    assert "(95 % interval not known: no spread between the conversations is seen)" in alike


def test_accuracy_that_is_not_valid_is_never_enough() -> None:
    found = accuracy(replace(ROW, accuracy_percent=99.0, valid=False), "openai", 85.0)
    assert not found.passed
    assert "not valid" in found.actual
    assert not accuracy(replace(ROW, accuracy_percent=None), "openai", 85.0).passed


def test_too_many_questions_without_a_verdict_are_an_error() -> None:
    row = accuracy_row(error_percent=6.0, questions=50, unanswered=1, unscored=1, not_judged=1)
    assert error_budget(row, 6.0).passed
    found = error_budget(replace(row, valid=False), 5.9)
    assert (found.passed, found.severity) == (False, CheckSeverity.ERROR)
    assert found.actual == "6.00 %: 1 unanswered, 1 unscored, 1 not judged of 50"


@pytest.mark.parametrize(
    ("verdict", "passed", "actual"),
    [
        ("as_labelled", True, "it is"),
        ("release_changed", False, "it changed during 1 conversations: so it was"),
        ("exempt", True, "exempt: so it was"),
        ("unknown", True, "unknown: so it was"),
        (None, True, "not checked"),
    ],
)
def test_release_is_what_was_measured(
    verdict: str | None, passed: bool, actual: str, tmp_path: Path
) -> None:
    store = HistoryStore.open((tmp_path / "history").as_uri())
    commit_answers(store, lineage("answers"))
    if verdict:
        row = {
            "stage": "answers",
            "moment": "after",
            "verdict": verdict,
            "reason": "so it was",
            "checked_at": ASKED_AT,
        }
        commit(store, lineage("answers"), {"release_checks": [row]})
    path = refresh(store, tmp_path / "history.duckdb").path
    finding = release_is_what_was_measured(path, "r1")
    assert (finding.passed, finding.actual) == (passed, actual)


@pytest.mark.parametrize(
    ("right", "wrong", "passed"), [(100.0, 0.0, True), (70.0, 0.0, False), (100.0, 30.0, False)]
)
def test_a_judge_that_lets_wrong_answers_pass_fails(
    right: float, wrong: float, passed: bool
) -> None:
    found = judge_canaries(
        {
            "canaries_right_accepted_percent": right,
            "canaries_wrong_accepted_percent": wrong,
            "canaries_vague_accepted_percent": 90.0,
        }
    )
    assert found.passed is passed
    assert found.severity is CheckSeverity.WARN
    assert f"{wrong:g} % of the wrong" in found.actual


def test_a_release_without_canaries_passes_and_says_so() -> None:
    found = judge_canaries({})
    assert found.passed
    assert "no canaries" in found.actual
