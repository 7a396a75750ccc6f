"""The reasons of a series, counted and told."""

from dataclasses import replace
from pathlib import Path

import pytest

from locomo_assets.analysis.accuracy import by_release
from locomo_assets.analysis.diagnosis import MEANINGS, Diagnosis, Stage, read_diagnosis
from locomo_assets_tests.analysis.factories import CORRECTED_JUDGE, audited_history


def test_the_wrong_answers_of_a_series_are_counted_by_reason(tmp_path: Path) -> None:
    history = audited_history(tmp_path)
    rows = by_release(history.database_path, "r1", max_error_percent=2.0)
    found = {row.judge: read_diagnosis(history.database_path, row) for row in rows}
    plain = found["lexical"]
    assert {one.reason: one.questions for one in plain.stages} == {
        "gold_faulty": 1,
        "unknown": 1,
    }
    assert (plain.wrong, plain.untraceable_percent) == (2, 100.0)
    # The corrected judge was given what the audit says: no fault is left.
    assert "gold_faulty" not in {one.reason for one in found[CORRECTED_JUDGE].stages}
    other = replace(rows[0], release="r9")
    assert read_diagnosis(history.database_path, other) == Diagnosis(0, (), None)


def _diagnosis(untraceable: float, **counts: int) -> Diagnosis:
    wrong = sum(counts.values())
    stages = (Stage(r, MEANINGS[r], n, 100 * n / wrong) for r, n in counts.items())
    return Diagnosis(wrong, tuple(stages), untraceable)


@pytest.mark.parametrize(
    ("found", "line"),
    [
        (Diagnosis(0, (), None), "No answer is wrong."),
        (
            _diagnosis(0.0, never_stored=2, not_retrieved=3),
            "Of 5 wrong answers: evidence stored, not retrieved 3; evidence never stored 2; "
            "all can be traced.",
        ),
        (
            _diagnosis(25.0, gold_faulty=3, unknown=1),
            "Of 4 wrong answers: gold answer faulty 3; evidence not to be traced 1; "
            "25.0 % can't be traced to their evidence.",
        ),
    ],
)
def test_told_in_a_sentence_with_the_share_that_cannot_be_traced(
    found: Diagnosis, line: str
) -> None:
    assert found.line() == line
