"""The leaderboard: what may be compared stands together, and claims stand apart."""

import re
from pathlib import Path
from typing import Any

import pytest

from locomo_assets.analysis.comparison.series import UnknownReleaseError
from locomo_assets.reporting.leaderboard.claims import read_claims
from locomo_assets.reporting.leaderboard.data import Group, read_leaderboard
from locomo_assets.reporting.leaderboard.page import render, write_leaderboard
from locomo_assets.reporting.leaderboard.scatter import Mark, scatter
from locomo_assets.reporting.leaderboard.terminal import print_leaderboard
from locomo_assets.reporting.terminal.table import Screen
from locomo_assets_tests.history.factories import (
    QueriedHistory,
    commit_answers,
    commit_dataset,
    commit_verdicts,
    lineage,
)

CONVERSATIONS = tuple(f"conv-{number}" for number in range(8))


def measured(
    history: QueriedHistory,
    release: str,
    right: tuple[int, int],
    judge: str = "strict",
    **columns: Any,
) -> None:
    """A release with so many right answers, in even and in odd conversations."""
    for number, conversation in enumerate(CONVERSATIONS):
        mark = f"{release}-{conversation}"
        commit_answers(
            history.store, lineage("answers", release, conversation), mark=mark, **columns
        )
        correct = right[number % 2]
        verdicts = ["correct"] * correct + ["wrong"] * (10 - correct)
        who = lineage("judgements", release, conversation)
        commit_verdicts(history.store, who, verdicts, mark=mark, judge=judge)


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> QueriedHistory:
    history = QueriedHistory(tmp_path_factory.mktemp("history"))
    commit_dataset(history.store, CONVERSATIONS)
    measured(history, "r1", (5, 6), memory_tokens=40)
    measured(history, "r2", (6, 5), memory_tokens=900)
    measured(history, "r3", (10, 9), cost_usd=None)
    measured(history, "r4", (10, 10), judge="generous")
    history.rows("SELECT 1")
    return history


@pytest.fixture(scope="module")
def groups(history: QueriedHistory) -> list[Group]:
    return read_leaderboard(history.path, max_error_percent=2.0)


def test_a_group_has_one_judge_and_says_why_it_is_apart(groups: list[Group]) -> None:
    assert [(one.judge, one.apart) for one in groups] == [
        ("strict", ""),
        ("generous", "apart from the first group: another judge"),
    ]
    strict = [(one.place, one.row.release, one.alike) for one in groups[0].entries]
    assert strict == [(1, "r3", "a"), (2, "r2", "b"), (3, "r1", "b")]


def test_what_is_not_known_of_all_answers_is_not_averaged(groups: list[Group]) -> None:
    r3, r2, r1 = groups[0].entries
    assert (r1.workload.memory_tokens, r2.workload.memory_tokens) == (40, 900)
    assert (r3.workload.memory_tokens, r3.workload.cost_usd) == (None, None)
    assert r1.workload.cost_usd == pytest.approx(0.001)
    assert r1.workload.input_tokens == 100


def test_a_release_alone_shows_its_groups(history: QueriedHistory) -> None:
    (only,) = read_leaderboard(history.path, "r4", max_error_percent=2.0)
    assert only.judge == "generous"
    with pytest.raises(UnknownReleaseError, match="release r9: no verdicts"):
        read_leaderboard(history.path, "r9", max_error_percent=2.0)


def test_an_invalid_row_is_last_and_not_compared(tmp_path: Path) -> None:
    history = QueriedHistory(tmp_path)
    commit_dataset(history.store, CONVERSATIONS)
    measured(history, "r1", (5, 6))
    for conversation in CONVERSATIONS:
        mark = f"r2-{conversation}"
        commit_answers(history.store, lineage("answers", "r2", conversation), mark=mark)
        who = lineage("judgements", "r2", conversation)
        verdicts = ["correct"] * 5 + ["unscored"] * 5
        commit_verdicts(history.store, who, verdicts, mark=mark, judge="strict")
    history.rows("SELECT 1")
    (group,) = read_leaderboard(history.path, max_error_percent=2.0)
    last = group.entries[-1]
    assert (last.row.release, last.alike, last.row.valid) == ("r2", "", False)
    assert "invalid (100.00)" in last.cells()
    assert "too many without a verdict" in last.remarks


def test_the_terminal_prints_groups_then_claims(groups: list[Group]) -> None:
    out = Screen(width=200, record=True, quiet=True)
    out.quiet = False
    with out.capture() as captured:
        print_leaderboard(out, groups)
    text = captured.get()
    measured, _, claims = text.partition("Published claims")
    assert "group 1: judge strict" in measured
    assert "The stand-in's rows show that the pipeline works" in measured
    assert not re.search("Hindsight|OmniMemEval", measured)
    assert re.search(r"Backboard +22\.40 +gpt-4o-mini", claims)
    assert re.search(r"Backboard +90\.00 +gpt-4.1", claims)


def test_the_page_holds_all_and_needs_nothing_else(groups: list[Group], tmp_path: Path) -> None:
    path = tmp_path / "board.html"
    write_leaderboard(groups, path)
    text = path.read_text()
    assert list(tmp_path.iterdir()) == [path]
    assert "default-src 'none'" in text
    assert not re.search(r'(src|href)="', text)
    assert "<script" not in text
    for axis in ("memory tokens a question", "input tokens a question", "time to answer"):
        assert f"Accuracy against {axis}" in text
    measured, _, claims = text.partition('<section id="claims">')
    assert "Hindsight" not in measured.partition("<body>")[2]
    assert "Not measured here" in claims
    # memory tokens are known of two of the three rows
    assert "Not drawn: 1, of which it is not known or not valid." in measured


def test_others_words_stay_words(tmp_path: Path) -> None:
    history = QueriedHistory(tmp_path)
    commit_dataset(history.store, CONVERSATIONS)
    measured(history, "<b>r1", (5, 6), judge="<script>alert(1)</script>", llm_model="<i>m")
    measured(history, "<b>r2", (5, 7), judge="<script>alert(1)</script>", llm_model="<i>m")
    history.rows("SELECT 1")
    text = render(read_leaderboard(history.path, max_error_percent=2.0))
    assert not re.search("<script>|<b>|<i>", text)


def test_every_claim_has_a_figure_and_a_source() -> None:
    claims = read_claims()
    assert [len(one.claim) for one in claims.source] == [12, 14]
    rows = [row for one in claims.source for row in one.rows()]
    assert all(0 < float(row[1]) < 100 and row[2] for row in rows)


def test_marks_stand_by_their_values() -> None:
    marks = [
        Mark(1, "r1", 100.0, 80.0, (70.0, 90.0)),
        Mark(2, "r2", 200.0, 80.0, None),
        Mark(3, "r3", 100.0, 60.0, None, is_reference=True),
    ]
    text = scatter("Accuracy", marks, "tokens", 0)
    circles = re.findall(r'<circle cx="([\d.]+)%" cy="([\d.]+)"', text)
    (x1, y1), (x2, y2), (x3, y3) = [(float(x), float(y)) for x, y in circles]
    assert x1 == x3 < x2
    assert y1 == y2 < y3
    assert "1: r1: 80.00 % (70.0 – 90.0), 100 tokens" in text
    assert text.count('<g class="c1">') == 1


def test_a_wide_range_is_drawn_in_powers() -> None:
    marks = [Mark(n, f"r{n}", taken, 50.0, None) for n, taken in enumerate((10.0, 100.0, 1000.0))]
    found = re.findall(r'<circle cx="([\d.]+)%"', scatter("Accuracy", marks, "tokens", 0))
    one, two, three = map(float, found)
    assert two - one == pytest.approx(three - two, abs=0.02)
    alike = [Mark(n, f"r{n}", 0.0, 50.0, None) for n in range(12)]
    assert scatter("Accuracy", alike, "USD", 5).count("<circle cx=") == 12
