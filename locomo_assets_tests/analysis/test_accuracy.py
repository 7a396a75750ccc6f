"""Rows as people read them, and tables of them."""

from dataclasses import replace

from locomo_assets.analysis.accuracy import (
    HEADINGS,
    Accuracy,
    cells,
    invalid_line,
    markdown_table,
)

ROW = Accuracy(
    release="r1",
    system="standin",
    judge="a|judge",
    question_protocol="isolated",
    dataset_sha256="0123456789abcdef",
    category="all scored",
    vendor_category="overall",
    questions=10,
    scored=8,
    correct=6,
    unscored=1,
    unanswered=1,
    not_judged=0,
    error_percent=20.0,
    valid=True,
    accuracy_percent=75.0,
    low_percent=40.93,
    high_percent=92.85,
    latency_p50_ms=12.3,
    latency_p95_ms=45.6,
    tokens=100,
    cost_usd=0.0,
)


def test_cells_stand_under_their_headings() -> None:
    shown = dict(zip(HEADINGS, cells(ROW), strict=True))
    assert shown["accuracy %"] == "75.00"
    assert shown["95 % interval"] == "40.9 – 92.8"
    assert shown["clustered SE"] == "–"
    assert shown["cost USD"] == "0.0000"


def test_what_is_unknown_is_a_dash_not_a_zero() -> None:
    unknown = replace(ROW, accuracy_percent=None, cost_usd=None, latency_p50_ms=None)
    shown = dict(zip(HEADINGS, cells(unknown), strict=True))
    assert (shown["accuracy %"], shown["cost USD"], shown["p50 ms"]) == ("–", "–", "–")


def test_what_is_not_valid_is_no_bare_number() -> None:
    doubtful = replace(ROW, valid=False, accuracy_percent=75.0)
    shown = dict(zip(HEADINGS, cells(doubtful), strict=True))
    assert (shown["accuracy %"], shown["errors %"]) == ("invalid (75.00)", "20.00")
    assert "invalid (75.00)" in markdown_table([doubtful])
    line = invalid_line(doubtful, 2.0)
    assert line.startswith("release r1: 20.00 % of its questions have no verdict")
    assert "LOCOMO_MAX_ERROR_PERCENT" in line
    assert "\n" not in line


def test_markdown_keeps_its_columns() -> None:
    lines = markdown_table([ROW]).splitlines()
    assert len(lines) == 3
    assert lines[2].replace("\\|", "").count("|") == lines[0].count("|")
