"""A ladder as people see it: on terminals of two widths, as Markdown, as a waterfall."""

import re
from html.parser import HTMLParser
from io import StringIO
from pathlib import Path

import pytest

from locomo_assets.analysis.comparison.ladder import LadderResult, read_ladders
from locomo_assets.history.database import refresh
from locomo_assets.reporting.explorer.ladder import ladder_sections, waterfall
from locomo_assets.reporting.html import write_page
from locomo_assets.reporting.ladder import (
    HEADINGS,
    SHORT,
    ladder_cells,
    ladder_markdown,
    step_texts,
)
from locomo_assets.reporting.terminal.table import Screen, print_table
from locomo_assets_tests.analysis.comparison.ladders import commit_ladder, step
from locomo_assets_tests.analysis.factories import HistoryBuilder

CONVERSATIONS = ("conv-1", "conv-2", "conv-3")
LIMITS = {"margin_points": 1.0, "max_error_percent": 2.0}


@pytest.fixture(scope="module")
def database_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A ladder of four steps, of which the last changes the base again."""
    history = HistoryBuilder(tmp_path_factory.mktemp("ladder"))
    history.dataset(CONVERSATIONS, 10)
    signs = {"base": "++--+-+-+-", "memory pro": "+++++-+-+-", "k = 20": "+++-+-+-+-"}
    labels = {"base": "isolated", "memory pro": "isolated, memory pro", "k = 20": "retrieval, k 20"}
    for name, label in labels.items():
        history.measure("r1", dict.fromkeys(CONVERSATIONS, signs[name]), question_protocol=label)
    history.measure("r1", {"conv-1": "-" * 10, "conv-2": "+" * 10, "conv-3": "-+" * 5},
                    question_protocol="isolated, tok_k 3")  # fmt: skip
    commit_ladder(
        history.store,
        [
            step("base", None, labels["base"]),
            step("memory pro", "base", labels["memory pro"]),
            step("k = 20", "memory pro", labels["k = 20"]),
            step("<few>", "base", "isolated, tok_k 3"),
        ],
    )
    refresh(history.store, history.database_path)
    return history.database_path


@pytest.fixture(scope="module")
def found(database_path: Path) -> LadderResult:
    [one] = read_ladders(database_path, "r1", "mine", **LIMITS)
    return one


@pytest.mark.parametrize("width", [80, 100])
def test_a_terminal_shows_each_step_in_one_row(found: LadderResult, width: int) -> None:
    out = Screen(file=StringIO(), width=width, force_terminal=True, color_system=None)
    print_table(out, HEADINGS, [ladder_cells(one) for one in found.steps], SHORT)
    assert isinstance(out.file, StringIO)
    lines = out.file.getvalue().splitlines()
    assert max(map(len, lines[: len(found.steps) + 1])) <= width
    for name in ("step", "accuracy %", "points", "95 % interval", "is", "tokens/q"):
        assert name in lines[0]
    assert [line.split("  ")[0].strip() for line in lines[1:5]] == [one.name for one in found.steps]


def test_markdown_has_the_words_and_every_number(found: LadderResult) -> None:
    text = ladder_markdown(found)
    assert text.startswith("**From 50.00 % (base) to ")
    assert "| step | what changed | accuracy % |" in text
    row = next(line for line in text.splitlines() if line.startswith("| memory pro |"))
    assert "| what memory pro changes | 75.00 | +25.00 |" in row
    assert "no real service" in text


def test_a_branch_says_what_it_stands_against(found: LadderResult) -> None:
    titles = [title for title, _ in step_texts(found)]
    assert titles[2] == "k = 20: what k = 20 changes"
    assert titles[3] == "<few>: what <few> changes (against base)"
    assert step_texts(found)[1][1][0].startswith("Cannot tell: there are only 3 conversations")


def test_the_waterfall_leads_from_step_to_step(found: LadderResult) -> None:
    drawn = waterfall(found)
    bars = re.findall(r'<rect class="(\w+)" x="([\d.]+)%" y="[\d.]+" width="([\d.]+)%"', drawn)
    assert [kind for kind, _, _ in bars] == [
        "gained",
        "lost",
        "gained" if _rises(found) else "lost",
    ]
    dots = [float(one) for one in re.findall(r'<circle cx="([\d.]+)%"', drawn)]
    # The first bar begins where the base's dot is and ends where its own is.
    left, wide = float(bars[0][1]), float(bars[0][2])
    assert left == pytest.approx(dots[0], abs=0.02)
    assert left + wide == pytest.approx(dots[1], abs=0.02)
    assert all(0 <= one <= 100 for one in dots)
    assert "&lt;few&gt;" in drawn
    assert "<few>" not in drawn


def _rises(found: LadderResult) -> bool:
    return (found.steps[3].accuracy_percent or 0) >= (found.steps[0].accuracy_percent or 0)


class _Sections(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.ids: list[str] = []

    def handle_starttag(self, _: str, attrs: list[tuple[str, str | None]]) -> None:
        self.ids += [str(value) for name, value in attrs if name == "id"]


def test_the_page_has_the_section_only_where_a_ladder_was_measured(
    database_path: Path, tmp_path: Path
) -> None:
    target = tmp_path / "page.html"
    data = write_page(database_path, target, "r1", max_error_percent=2.0)
    parsed = _Sections()
    parsed.feed(target.read_text())
    assert {"ladder", "ladder-mine"} <= set(parsed.ids)
    # The page itself follows the release's own series, not a step's.
    assert data.whole.question_protocol == "isolated"
    [section] = ladder_sections(data.ladders)
    assert len(section.table.rows) == len(section.texts) == 4
