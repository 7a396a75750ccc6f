"""Ten lines on a release, and a comparison as a comment: what comes first, and what fits."""

from dataclasses import replace
from pathlib import Path

import pytest

from locomo_assets.analysis.comparison.parts import Bounds
from locomo_assets.history.database import refresh
from locomo_assets.reporting.report_data import ReportData, read_report_data
from locomo_assets.reporting.summary import (
    comparison_markdown,
    summary_lines,
    summary_markdown,
)
from locomo_assets_tests.analysis.factories import HistoryBuilder, audited_history


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> ReportData:
    """r2 lost a question of four in six conversations, and fewer in the seventh."""
    history = HistoryBuilder(tmp_path_factory.mktemp("summary"))
    names = [f"conv-{number}" for number in range(1, 8)]
    history.dataset(names, 20)
    history.measure("r1", dict.fromkeys(names, "++++-" * 4))
    lost = {name: "+-++-" * 3 + ("++++-" if name == "conv-1" else "+-++-") for name in names}
    history.measure("r2", lost, cost_usd=0.25, latency_ms=800)
    refresh(history.store, history.database_path)
    found = read_report_data(history.database_path, "r2", max_error_percent=2.0)
    return _of_a_service(found)


def _of_a_service(data: ReportData) -> ReportData:
    """The same, measured of a real service whose answers all differ."""
    return replace(data, whole=replace(data.whole, system="backboard"), score_notes=())


def test_the_decision_then_the_number_then_what_changed(data: ReportData) -> None:
    lines = summary_lines(data)
    assert len(lines) <= 10
    assert lines[0].startswith("r2 is worse than r1: the difference of -24.11 points")
    assert lines[1].startswith("Accuracy of r2: 75.89 % (95 % 73.7 – 78.1)")
    assert "85 of 112 scored; 112 questions of 7 conversations, judge lexical." in lines[1]
    assert lines[2].startswith("Where it fails: Of 27 wrong answers: evidence not to be traced 27;")
    assert lines[3].startswith(
        "Against r1: 0 gained, 27 lost of 112 questions; -24.11 points (95 %"
    )
    assert "2 temporal -96.43" in lines[4]
    assert lines[5].startswith("Of 27 lost: 27 ")
    assert lines[6] == "Cost 28.00 USD; answers took 800 ms (median), 800 ms (p95)."


def test_warnings_come_first_and_never_push_the_decision_out(data: ReportData) -> None:
    invalid = replace(data.whole, valid=False, error_percent=20.0, system="standin")
    notes = tuple(f"warning: one answer stands for {n} questions" for n in range(9))
    lines = summary_lines(replace(data, whole=invalid, score_notes=("a note", *notes)))
    assert lines[0] == (
        "warning: these numbers are not valid: 20.00 % of the questions have no verdict"
    )
    assert lines[1] == "warning: the packaged stand-in was measured, no real service"
    assert lines[2] == "warning: 9 more, in the report"
    assert lines[3] == data.headline
    assert "invalid (75.89) (95" in lines[4]
    assert lines[-1].startswith("Cost ")
    assert len(lines) == 10


def test_a_first_release_is_told_without_a_comparison(tmp_path: Path) -> None:
    history = audited_history(tmp_path)
    first = _of_a_service(read_report_data(history.database_path, "r1", max_error_percent=2.0))
    lines = summary_lines(replace(first, whole=replace(first.whole, cost_usd=None)))
    assert lines[0] == f"r1 is not compared: {first.not_compared}."
    assert lines[-1].startswith("Cost not known;")
    assert not any(line.startswith("Against") for line in lines)


def test_a_comment_has_a_table_and_its_link(data: ReportData) -> None:
    assert data.comparison is not None
    text = comparison_markdown(data.comparison, "https://ci.example.org/report(1).html")
    lines = [line for line in text.splitlines() if line]
    assert lines[0].startswith("**LoCoMo: r2 is worse than r1: the difference of -24.11 points")
    table = [line for line in lines if line.startswith("|")]
    assert {line.count("|") for line in table} == {10}
    assert table[2].startswith("| **categories 1–4** | **112** | **100.00** | **75.89** |")
    assert [row.split("|")[1].strip() for row in table[3:]] == [
        "1 multi-hop", "2 temporal", "3 open-domain", "4 single-hop", "5 adversarial"
    ]  # fmt: skip
    assert "Of 27 lost: 27 not to be traced." in lines
    assert lines[-1] == "[The whole report](<https://ci.example.org/report(1).html>)"
    assert len(lines) <= 14
    assert "The whole report" not in comparison_markdown(data.comparison)


def test_labels_of_others_stay_text_in_a_comment(data: ReportData) -> None:
    assert data.comparison is not None
    hostile = replace(
        data.comparison,
        judge="<img src=x>|[a](http://evil)",
        notes=("one&lt;", "two\n# three", "4", "5"),
    )
    text = comparison_markdown(hostile)
    assert r"\<img src=x\>\|\[a\](http://evil)" in text
    assert r"Notes: one\&lt;; two \# three; 4; and 1 more." in text


def test_the_markdown_is_narrow_and_short_enough_to_be_shown_in_place(data: ReportData) -> None:
    text = summary_markdown(data)
    assert text.startswith("r2 is worse than r1: the difference\\\nof -24.11")
    assert max(map(len, text.splitlines())) <= 40
    assert [part.replace("\\\n", " ") for part in text.split("\n\n")] == summary_lines(data)
    notes = tuple(f"warning: {n} " + "words " * 60 for n in range(3))
    shortened = summary_markdown(replace(data, score_notes=notes))
    assert shortened.startswith("warning: 0 words")
    assert len(shortened) < 1000


def test_a_comment_has_the_bounds_that_its_notes_speak_of(data: ReportData) -> None:
    found = data.comparison
    assert found is not None
    assert "Bounds" not in comparison_markdown(found)
    missing = replace(found, overall=replace(found.overall, bounds=Bounds(29, -0.02, 0.015)))
    assert (
        "Bounds: -2.00 … +1.50 points, if the 29 questions without a verdict count against r2, "
        "or for it."
    ) in comparison_markdown(missing)
