"""Labels and texts that mean something to whoever draws them are drawn as texts, everywhere.

Today's rule refuses some of these labels; an older version measured under them.
"""

import html
import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
import typer
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.text import Text
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import generate_latest
from prometheus_client.parser import text_string_to_metric_families
from typer.testing import CliRunner

from locomo_assets.analysis.accuracy import by_release
from locomo_assets.analysis.comparison import compare
from locomo_assets.cli import compare as compare_command
from locomo_assets.cli import imports, releases, report
from locomo_assets.cli import sql as sql_command
from locomo_assets.history.database import query, refresh
from locomo_assets.history.statements import literal
from locomo_assets.reporting import charts
from locomo_assets.reporting.exporter.metrics import Limits, families, read_numbers
from locomo_assets.reporting.html import write_page
from locomo_assets.reporting.junit import comparison_junit
from locomo_assets.reporting.leaderboard.data import read_leaderboard
from locomo_assets.reporting.leaderboard.page import write_leaderboard
from locomo_assets.reporting.markdown import code_span, escaped, markdown_table
from locomo_assets.reporting.report_data import Reference
from locomo_assets.reporting.summary import comparison_markdown, summary_markdown
from locomo_assets_tests.analysis.factories import HistoryBuilder, accuracy_row

NASTY = [
    "$x_y$ $TAG_$DATE",
    "[bold]b[/] [/] :smile:",
    "<b>&amp;</b></script>",
    "a|b `c` *d* _e_ ~f~ #g",
    "\"q\" 'r' -- %s {x} {{y}} 100%",
    "back\\slash \\frac{1}{2}",
    "\u202ertl\u202c 🙂 語 é",
    "line\nfeed\ttab\x1b[31m",
    "_hidden",
    "..",
    "x" * 150,
]
LIMIT: dict[str, Any] = {"max_error_percent": 10.0}
APP = typer.Typer()
for module in (report, releases, compare_command, sql_command, imports):
    module.register(APP)


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A LOCOMO_HOME whose releases, systems, judges and protocols bear these labels."""
    folder = tmp_path_factory.mktemp("home")
    (folder / "history").mkdir()
    made = HistoryBuilder(folder / "history")
    made.dataset(("conv-1", "conv-2"), 10)
    for label in NASTY:
        made.measure(label, {"conv-1": "+-" * 5, "conv-2": "++---" * 2}, judge=NASTY[3])
    refresh(made.store, made.database_path)
    return folder


@pytest.fixture
def database_path(measured: Path) -> Path:
    return measured / "history" / "history.duckdb"


@pytest.fixture
def home(measured: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LOCOMO_HOME", str(measured))
    return measured


def _words(text: str) -> str:
    return re.sub(r"\s+", "", text)


@pytest.mark.parametrize(
    "arguments",
    [
        ("releases",),
        ("report",),
        ("report", "--leaderboard"),
        ("sql", "SELECT DISTINCT release FROM current_judgements"),
    ],
    ids=" ".join,
)
@pytest.mark.parametrize("width", ["80", "1000"])
def test_commands_show_every_label(
    home: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], width: str
) -> None:
    monkeypatch.setenv("COLUMNS", width)
    done = CliRunner().invoke(APP, arguments)
    assert done.exit_code == 0, done.output
    shown = _words(done.stdout)
    for label in NASTY:
        for line in label.replace("\x1b", "\ufffd").split("\n"):
            assert _words(line) in shown, label
    assert "\x1b" not in done.stdout


@pytest.mark.parametrize("label", NASTY)
def test_commands_take_every_label_back(
    home: Path, label: str, tmp_path: Path, database_path: Path
) -> None:
    page = tmp_path / "page.html"
    for arguments in (
        ["report", "--release", label, "--html", str(page)],
        ["compare", NASTY[0] if label != NASTY[0] else NASTY[1], label, "--flips", "1"],
        ["sql", f"FROM accuracy_by_release WHERE release = {literal(label)}"],
    ):
        done = CliRunner().invoke(APP, arguments)
        assert done.exit_code == 0, done.output
    assert query(database_path, f"SELECT {literal(label)}")[1] == [(label,)]


def test_pages_show_labels_as_texts(database_path: Path, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    write_page(database_path, page, NASTY[2], **LIMIT)
    text = page.read_text(encoding="utf-8")
    assert "<b>" not in text
    assert text.count("</script>") == 2
    assert html.escape(NASTY[2], quote=False) in text
    board = tmp_path / "board.html"
    write_leaderboard(read_leaderboard(database_path, **LIMIT), board)
    text = board.read_text(encoding="utf-8")
    assert "<b>" not in text
    assert "</script>" not in text


@settings(max_examples=6, deadline=None)
@given(st.one_of(st.sampled_from(NASTY), st.text(st.characters(exclude_categories=["Cs"]))))
def test_charts_draw_any_label(label: str) -> None:
    rows = [
        accuracy_row(release=one, system=one, judge=one, accuracy_percent=50.0)
        for one in (label, f"{label}2")
    ]
    figure = charts.trend(rows, [Reference(label, 3.0)])
    others = (charts.latency(rows), charts.cost(rows), charts.categories({label: rows}))
    for drawn in (figure, *others):
        assert charts.png(drawn, "title").startswith("![title](data:image/png;base64,")
    assert not any(one.get_parse_math() for one in figure.findobj(Text))
    assert len(figure.legends[0].get_texts()) == 3


def test_prometheus_gives_labels_back(database_path: Path) -> None:
    class Collected:
        def collect(self) -> list[object]:
            return list(families(read_numbers(database_path, **LIMIT), Limits(0.0, 1.0, 1.0, 1.0)))

    registry = CollectorRegistry()
    registry.register(Collected())  # type: ignore[arg-type]  # all that is asked of a collector
    text = generate_latest(registry).decode()
    found = {
        sample.labels["release"]
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if "release" in sample.labels
    }
    assert found == set(NASTY)


@pytest.mark.parametrize("label", NASTY[1:])
def test_junit_and_comments(database_path: Path, label: str) -> None:
    found = compare(database_path, NASTY[0], label, **LIMIT)
    suite = ET.fromstring(comparison_junit(found))[0]
    assert _words(label.replace("\x1b", "\ufffd")) in _words(str(suite.get("name")))
    table = [line for line in comparison_markdown(found).splitlines() if line.startswith("|")]
    assert {len(re.findall(r"(?<!\\)\|", line)) for line in table} == {10}


@given(st.text())
def test_markdown_is_one_line_of_plain_signs(text: str) -> None:
    line = escaped(text)
    assert len(line.splitlines()) <= 1
    assert not re.search(r"(?<!\\)(?:\\\\)*[`*\[\]<>|$]", re.sub(r"\\.", "", line))
    assert line.count("\\") - line.count("\\\\") >= 0
    table = markdown_table(("a", "b"), [(text, "x")])
    assert len(table.splitlines()) == 3
    code = code_span(text)
    fence = re.match("`+", code)
    assert fence is not None
    assert fence[0] not in re.sub("^`+|`+$", "", code)


def test_the_summary_has_no_formula(database_path: Path) -> None:
    from locomo_assets.reporting.report_data import read_report_data

    text = summary_markdown(read_report_data(database_path, NASTY[0], **LIMIT))
    assert "\\$x_y\\$" in text
    assert by_release(database_path, NASTY[0], **LIMIT)
