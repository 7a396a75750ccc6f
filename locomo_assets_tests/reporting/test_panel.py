"""A panel of judges in words: tables, Markdown that nobody breaks out of, JSON."""

import json
from pathlib import Path

import pytest

from locomo_assets.analysis.panel import Panel, read_panels
from locomo_assets.history.database import refresh
from locomo_assets.reporting.panel import (
    Spending,
    agreement_table,
    band_table,
    contested_table,
    headline,
    letter,
    panel_markdown,
    panel_records,
    spending_table,
)
from locomo_assets.runs.forecast import Item
from locomo_assets_tests.analysis.factories import HistoryBuilder


@pytest.fixture
def panel(tmp_path: Path) -> Panel:
    history = HistoryBuilder(tmp_path)
    history.dataset(["conv-1"], 5)
    history.measure("r1", {"conv-1": "++++-"}, judge="one|*judge*")
    history.judge_again("r1", "conv-1", "++---", "other", votes=3, agreement=2 / 3)
    refresh(history.store, history.database_path)
    (found,) = read_panels(history.database_path, "r1")
    return found


def test_the_band_in_a_sentence_and_in_a_table(panel: Panel) -> None:
    assert headline(panel) == (
        "2 judges on the same 4 answers: 50.00 to 100.00 % correct, a band of 50.00 points; "
        "2 questions (50.00 %) hang on the judge"
    )
    table = band_table(panel, {"other": "strict"})
    assert table.rows == (
        ("A", "strict (other)", "50.00", "–", "2", "4", "0.00", "4 of 4 (×3)"),
        ("B", "one|*judge*", "100.00", "–", "4", "4", "50.00", "–"),
    )


def test_the_matrix_has_kappa_above_and_agreement_below(panel: Panel) -> None:
    assert agreement_table(panel).rows == (("A", "·", "0.000"), ("B", "50.0 %", "·"))


def test_what_hangs_on_the_judge_is_listed(panel: Panel) -> None:
    table = contested_table(panel, 1)
    assert table.headings[-1] == "AB"
    assert [row[0] for row in table.rows] == ["conv-1/2"]
    assert table.rows[0][-1] == "−+"


def test_a_price_that_is_not_known_is_no_zero(panel: Panel) -> None:
    item = Item("other", 5, 0.0, 0.0, None, 0.0, "assumed")
    spent = [Spending("other", item, 4, 0.0)]
    assert spending_table(spent).rows == (("other", "5", "no price", "4", "0.0000"),)
    records = json.loads(json.dumps(panel_records([panel], spent, {"other": "strict"})))
    assert records["panels"][0]["band_points"] == 50.0
    assert records["spending"][0]["forecast"]["cost_usd"] is None


def test_no_name_breaks_out_of_its_cell(panel: Panel) -> None:
    text = panel_markdown([panel], [], {}, 2)
    assert "one\\|\\*judge\\*" in text
    assert len({line.count(" | ") for line in text.splitlines() if line.startswith("| A | ")}) == 2


def test_letters_do_not_end() -> None:
    assert (letter(0), letter(25), letter(26)) == ("A", "Z", "J27")
