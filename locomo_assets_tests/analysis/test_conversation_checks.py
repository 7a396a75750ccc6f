"""When an ingestion and when answers are complete."""

from dataclasses import asdict, replace

import pytest

from locomo_assets.analysis.checks import answers_complete, ingestion_complete, not_reached
from locomo_assets.runs.stages import AnswersReport, IngestionCounts

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


def test_failed_and_timed_out_operations_have_ended_and_are_counted() -> None:
    found = ingestion_complete(WHOLE)
    assert found.passed
    assert "6 completed, 2 failed, 1 timed out, 0 open" in found.actual


@pytest.mark.parametrize(
    "amiss",
    [
        replace(WHOLE, turns_ingested=9),
        replace(WHOLE, messages_on_server=9),
        replace(WHOLE, messages_on_server=11),
        replace(WHOLE, operations_failed=1),
    ],
)
def test_anything_missing_is_grave(amiss: IngestionCounts) -> None:
    found = ingestion_complete(amiss)
    assert not found.passed
    assert found.grave


def test_an_ingestion_of_before_messages_were_counted() -> None:
    stored = asdict(WHOLE)
    del stored["messages_on_server"], stored["operations"]
    earlier = IngestionCounts.from_json(stored)
    found = ingestion_complete(earlier)
    assert found.passed
    assert "not counted there" in found.actual
    assert not ingestion_complete(replace(earlier, turns_ingested=9)).passed


def test_unanswered_is_a_warning_and_not_asked_is_grave() -> None:
    report = AnswersReport(questions=5, reused=2, answered=2)
    assert answers_complete(AnswersReport(questions=5, reused=5)).passed
    assert answers_complete(replace(report, answered=3)).passed
    unanswered = answers_complete(replace(report, unanswered=1))
    assert (unanswered.passed, unanswered.grave) == (False, False)
    missing = answers_complete(report)
    assert (missing.passed, missing.grave) == (False, True)
    assert missing.actual == "4 answered, 0 unanswered, 1 not asked"


def test_an_error_is_told_in_one_line() -> None:
    found = not_reached("everything", ValueError("first\nsecond"))
    assert (found.passed, found.grave, found.actual) == (False, True, "first second")
