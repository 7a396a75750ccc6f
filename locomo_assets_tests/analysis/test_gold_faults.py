"""Faulty gold answers as people read them, and verdicts on corrected ones that stay apart."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from locomo_assets.analysis.accuracy import by_release
from locomo_assets.analysis.gold_faults import (
    HEADINGS,
    cells,
    metadata_numbers,
    read_gold_faults,
)
from locomo_assets.history.database import refresh
from locomo_assets.reporting.html import render
from locomo_assets.reporting.report_data import read_content
from locomo_assets_tests.analysis.histories import History
from locomo_assets_tests.history.factories import ASKED_AT, commit, lineage

AUDIT = "a" * 64
CORRECTED = "lexical, gold corrected@aaaaaaaa"


@pytest.fixture
def history(tmp_path: Path) -> History:
    """Two releases on the data set's gold answers, then on corrected ones; 0 is faulty."""
    history = History(tmp_path)
    history.dataset(["conv-1"], 4)
    fault = {"conversation": "conv-1", "question_index": 0, "corrupts_score": True}
    audit = replace(lineage("gold_audit", None, None), system=None)
    faults = [{**fault, "audit_sha256": AUDIT, "correct_answer": "better"}]
    commit(history.store, audit, {"gold_faults": faults})
    for release, signs in (("r1", "-++-"), ("r2", "-+++")):
        history.measure(release, {"conv-1": signs})
        history.judge_again(
            release,
            "conv-1",
            "++" + signs[2:],
            CORRECTED,
            audit_sha256=AUDIT,
            judged_at=ASKED_AT + timedelta(days=1),
        )
    refresh(history.store, history.database_path)
    return history


def test_three_scores_stand_under_their_headings(history: History) -> None:
    rows = by_release(history.database_path, "r1", max_error_percent=2.0)
    assert [row.gold for row in rows] == ["published", "corrected"]  # though judged last
    found = {row.judge: row for row in read_gold_faults(history.database_path, "r1")
             if row.category is None}  # fmt: skip
    shown = dict(zip(HEADINGS, cells(found["lexical"], rows[0]), strict=True))
    assert shown["as published %"] == "50.00"
    assert shown["without faults %"] == "66.67"
    assert shown["ceiling %"] == "75.00"
    assert (shown["faulty"], shown["correct without"], shown["scored without"]) == ("1", "2", "3")
    assert found[CORRECTED].ceiling_percent == 100.0
    doubtful = replace(rows[0], valid=False)
    assert cells(found["lexical"], doubtful)[2:4] == ("invalid (50.00)", "invalid (66.67)")
    assert metadata_numbers(history.database_path, rows[0], AUDIT) == {
        "accuracy_without_gold_faults_percent": 66.67,
        "accuracy_ceiling_percent": 75.0,
        "gold_faults": 1,
        "audit_sha256": AUDIT,
    }
    assert "accuracy_without_gold_faults_percent" not in metadata_numbers(
        history.database_path, doubtful
    )
    assert metadata_numbers(history.database_path, rows[0], "b" * 64) == {}


def test_corrected_gold_answers_are_compared_where_asked_for(history: History) -> None:
    found = history.compare("r1", "r2")
    assert found.judge == "lexical"
    assert [flip.question_index for flip in found.flips] == [3]
    assert f"judges of both: lexical was taken, also there: {CORRECTED}" in found.notes
    assert history.compare("r1", "r2", judge=CORRECTED).judge == CORRECTED


def test_the_page_shows_them_and_names_the_audit(history: History) -> None:
    content = read_content(history.database_path, "r1", max_error_percent=2.0)
    assert [row.shown for row in content.gold_faults][-1] == "all scored"
    text = render(content)
    assert "<h2>Gold faults</h2>" in text
    assert f"By the audit {AUDIT[:12]}" in text
    assert "<td>66.67</td>" in text
    assert "was given the audit's corrected gold answers" not in text
    without = replace(content, gold_faults=())
    assert "<h2>Gold faults</h2>" not in render(without)
