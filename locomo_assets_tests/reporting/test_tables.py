"""Rows as text: under their headings, dashes for the unknown, marks on what is not valid."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from locomo_assets.analysis.gold_faults import read_gold_faults
from locomo_assets.http.limits import LimitChange
from locomo_assets.reporting.tables import (
    ACCURACY_HEADINGS,
    GOLD_FAULT_HEADINGS,
    MAX_LIMIT_CHANGES,
    accuracy_cells,
    accuracy_records,
    asked_text,
    bounds_text,
    gold_fault_cells,
    interval_notes,
    interval_text,
    limits_markdown,
)
from locomo_assets_tests.analysis.factories import accuracy_row, audited_history

AT = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)


def test_cells_stand_under_their_headings() -> None:
    shown = dict(zip(ACCURACY_HEADINGS, accuracy_cells(accuracy_row()), strict=True))
    assert shown["accuracy %"] == "84.00"
    assert shown["95 % interval"] == "75.6 – 89.9 W"
    assert shown["cost USD"] == "0.0000"


def test_what_is_unknown_is_a_dash_not_a_zero() -> None:
    unknown = accuracy_row(accuracy_percent=None, cost_usd=None, latency_p50_ms=None)
    shown = dict(zip(ACCURACY_HEADINGS, accuracy_cells(unknown), strict=True))
    assert (shown["accuracy %"], shown["cost USD"], shown["p50 ms"]) == ("–", "–", "–")


def test_what_is_not_valid_is_no_bare_number() -> None:
    invalid = accuracy_row(valid=False, error_percent=20.0)
    shown = dict(zip(ACCURACY_HEADINGS, accuracy_cells(invalid), strict=True))
    assert (shown["accuracy %"], shown["errors %"]) == ("invalid (84.00)", "20.00")


def test_records_have_the_columns_that_are_wanted_in_their_order() -> None:
    (record,) = accuracy_records([accuracy_row(judge="a judge")], ["judge", "accuracy %"])
    assert list(record.items()) == [("judge", "a judge"), ("accuracy %", "84.00")]


def test_markdown_keeps_its_columns() -> None:
    lines = limits_markdown([LimitChange(AT, "GET /a|b", 2, "429")]).splitlines()
    assert lines[2].replace("\\|", "").count("|") == lines[0].count("|")


def test_the_interval_is_clustered_and_says_of_what() -> None:
    row = accuracy_row(conversations=10, clustered_low_percent=80.0, clustered_high_percent=88.0)
    assert interval_text(row) == "80.0 – 88.0"
    category = replace(row, category="3 open-domain", conversations=9)
    assert interval_notes([category, row]) == [
        "95 % interval: for questions about conversations like these 10; clustered by conversation."
    ]
    other = accuracy_row(
        release="r2", conversations=2, clustered_low_percent=70.0, clustered_high_percent=98.0
    )
    assert interval_notes([row, other]) == [
        "95 % interval: for questions about conversations like its own (2 or 10); clustered by "
        "conversation."
    ]
    alike = accuracy_row(conversations=10)
    assert interval_text(alike) == "–"
    assert "no spread between the conversations is seen" in interval_notes([alike])[1]
    (alone,) = interval_notes([accuracy_row()])
    assert alone.startswith("W: Wilson, one conversation only")
    assert interval_notes([accuracy_row(accuracy_percent=None)]) == []


def test_an_accuracy_with_missing_verdicts_has_its_bounds() -> None:
    complete = accuracy_row(if_missing_wrong_percent=84.0, if_missing_right_percent=84.0)
    missing = accuracy_row(
        scored=95, unanswered=5, if_missing_wrong_percent=79.8, if_missing_right_percent=84.8
    )
    assert bounds_text(complete) == "–"
    assert bounds_text(missing) == "79.8 – 84.8"
    assert not any("bounds" in line for line in interval_notes([complete]))
    assert any("bounds" in line for line in interval_notes([complete, missing]))


def test_a_line_says_how_much_was_asked() -> None:
    row = accuracy_row(questions=1540, conversations=10)
    assert asked_text(row) == "1,540 questions of 10 conversations"
    assert asked_text(accuracy_row()) == "100 questions of 1 conversation"


def test_gold_faults_stand_under_their_headings(tmp_path: Path) -> None:
    rows = read_gold_faults(audited_history(tmp_path).database_path, "r1")
    (row,) = (row for row in rows if row.category is None and row.judge == "lexical")
    shown = dict(zip(GOLD_FAULT_HEADINGS, gold_fault_cells(row, accuracy_row()), strict=True))
    assert (shown["published %"], shown["without %"]) == ("50.00", "66.67")
    assert (shown["ceiling %"], shown["marked right"]) == ("75.00", "0 of 1, 0 %")
    invalid = gold_fault_cells(row, accuracy_row(valid=False))
    assert invalid[1:3] == ("invalid (50.00)", "invalid (66.67)")


def test_changes_of_limits_are_rows_and_those_left_out_are_counted() -> None:
    changes = [LimitChange(AT, "POST /x", n, "grew") for n in range(1, MAX_LIMIT_CHANGES + 4)]
    table = limits_markdown(changes)
    assert f"| 10:00:00.000000 | POST /x | {MAX_LIMIT_CHANGES + 3} | grew |" in table
    assert table.count("POST /x") == MAX_LIMIT_CHANGES
    assert "3 earlier changes are left out." in table
    assert "left out" not in limits_markdown(changes[:1])
