"""Panels and tables of the page: which there are, and what they show."""

from dataclasses import replace
from pathlib import Path

import pytest

from locomo_assets.history.database import refresh
from locomo_assets.reporting.explorer import page_tables
from locomo_assets.reporting.explorer.panels import Panel, judges_panel, panels
from locomo_assets.reporting.report_data import Reference, ReportData, read_report_data
from locomo_assets_tests.analysis.factories import HistoryBuilder


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> ReportData:
    history = HistoryBuilder(tmp_path_factory.mktemp("panels"))
    history.dataset(["conv-1", "conv-2"], 10)
    for release, signs in (("r1", "++++-"), ("r2", "-+++-"), ("r3", "--++-")):
        history.measure(release, {"conv-1": signs * 2, "conv-2": "+++--" * 2}, latency_ms=800.0)
    refresh(history.store, history.database_path)
    return read_report_data(history.database_path, max_error_percent=2.0)


def named(found: list[Panel]) -> dict[str, Panel]:
    return {panel.name: panel for panel in found}


def test_each_panel_has_its_numbers_as_a_table(data: ReportData) -> None:
    found = named(panels(data))
    assert list(found) == ["trend", "categories", "drift", "latency", "cost"]
    for panel in found.values():
        assert [row[0] for row in panel.table.rows] == ["r1", "r2", "r3"]
        assert {len(row) for row in panel.table.rows} == {len(panel.table.headings)}
    assert [row[1] for row in found["trend"].table.rows] == ["87.50", "75.00", "62.50"]
    assert found["latency"].table.rows[0] == ("r1", "800", "800")


def test_empty_panels_are_left_out(data: ReportData) -> None:
    one = replace(data, trend=data.trend[-1:])
    assert list(named(panels(one))) == ["drift"]
    rows = [replace(row, cost_usd=0.0, latency_p50_ms=None) for row in data.trend]
    assert list(named(panels(replace(data, trend=tuple(rows))))) == ["trend", "categories", "drift"]
    none = replace(data.drift, accuracies_percent=(), releases=())
    assert "drift" not in named(panels(replace(data, drift=none)))


def test_references_are_lines_with_their_value(data: ReportData) -> None:
    panel = named(panels(replace(data, references=(Reference("no-memory", 12.0),))))["trend"]
    assert panel.legend[1] == "no-memory: 12.0 %"
    assert "<title>no-memory: 12.00 %</title>" in panel.drawing
    assert "not comparable" in panel.caption


def test_accuracy_is_the_second_column_of_every_table_of_accuracies(data: ReportData) -> None:
    assert page_tables.accuracy_table(data).headings[:2] == ("category", "accuracy %")
    for table in (page_tables.category_table(data), page_tables.conversation_table(data)):
        assert table.headings[1:4] == ("r3 %", "95 % interval", "r2 %")
    comparison = page_tables.comparison_table(data)
    assert comparison is not None
    assert comparison.headings[1:3] == ("r3 %", "r2 %")


def test_conversations_stand_beside_the_release_before(data: ReportData) -> None:
    table = page_tables.conversation_table(data)
    assert [row[:2] + row[3:] for row in table.rows] == [
        ("conv-1", "50.00", "75.00", "4 of 8"),
        ("conv-2", "75.00", "75.00", "6 of 8"),
    ]
    assert len(table.drawn) == 2
    alone = page_tables.conversation_table(replace(data, previous=None))
    assert alone.headings == ("conversation", "r3 %", "95 % interval", "correct")


def test_bounds_are_left_out_where_no_verdict_is_missing(data: ReportData) -> None:
    assert "bounds %" not in page_tables.accuracy_table(data).headings
    whole = replace(
        data.whole,
        scored=data.whole.questions - 1,
        if_missing_wrong_percent=50.0,
        if_missing_right_percent=70.0,
    )
    assert "bounds %" in page_tables.accuracy_table(replace(data, whole=whole)).headings


def test_the_bridge_is_told_by_category_and_conversation(data: ReportData) -> None:
    table = page_tables.bridge_table(data)
    assert table is not None
    assert data.comparison is not None
    assert [row[0] for row in table.rows] == list(data.comparison.bridges)
    assert page_tables.bridge_table(replace(data, comparison=None)) is None


def test_several_judges_stand_side_by_side(tmp_path: Path) -> None:
    history = HistoryBuilder(tmp_path)
    history.dataset(["conv-1", "conv-2"], 10)
    history.measure("r1", {"conv-1": "++++-" * 2, "conv-2": "++++-" * 2}, judge="lenient")
    refresh(history.store, history.database_path)
    alone = read_report_data(history.database_path, max_error_percent=2.0)
    assert (alone.panel, judges_panel(alone)) == (None, None)
    for name, signs in (("conv-1", "+---- +----"), ("conv-2", "++--- +----")):
        history.judge_again("r1", name, signs.replace(" ", ""), "strict")
    refresh(history.store, history.database_path)
    panel = judges_panel(read_report_data(history.database_path, max_error_percent=2.0))
    assert panel is not None
    assert [row[:3] for row in panel.table.rows] == [
        ("A", "strict", "31.25"), ("B", "lenient", "100.00"),
    ]  # fmt: skip
    assert panel.legend == (
        "A strict, B lenient", "all judges say correct: 31.25 %", "any judge says correct: 100.00 %"
    )  # fmt: skip
    assert "<title>A: 31.25 %" in panel.drawing
