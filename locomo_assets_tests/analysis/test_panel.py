"""Several judges on the same answers: the numbers by hand."""

from pathlib import Path

import pytest

from locomo_assets.analysis.panel import Panel, read_panels
from locomo_assets.history.database import refresh
from locomo_assets_tests.analysis.factories import HistoryBuilder

# The questions' categories are 1 to 5 in turn: the fifth and the tenth sign are no question of it.
LENIENT = "++++- ++++-".replace(" ", "")
MIDDLE = "+++-- ++---".replace(" ", "")
STRICT = "+---- +----".replace(" ", "")


@pytest.fixture
def history(tmp_path: Path) -> HistoryBuilder:
    history = HistoryBuilder(tmp_path)
    history.dataset(["conv-1", "conv-2"], 10)
    history.measure("r1", {"conv-1": LENIENT, "conv-2": LENIENT}, judge="lenient")
    return history


def read(history: HistoryBuilder, *judges: str) -> list[Panel]:
    refresh(history.store, history.database_path)
    return read_panels(history.database_path, "r1", judges or None)


def test_the_band_the_pairs_and_what_hangs_on_the_judge(history: HistoryBuilder) -> None:
    for name in ("conv-1", "conv-2"):
        history.judge_again("r1", name, STRICT, "strict")
        history.judge_again("r1", name, MIDDLE, "middle")
    (panel,) = read(history)
    assert (panel.answers, panel.questions, panel.conversations) == (16, 16, 2)
    found = [(one.judge, one.correct, one.accuracy) for one in panel.judges]
    assert found == [("strict", 4, 0.25), ("middle", 10, 0.625), ("lenient", 16, 1.0)]
    assert panel.band_points == 75.0
    assert (panel.certain, panel.possible) == (0.25, 1.0)
    assert [(one.a, one.b) for one in panel.pairs] == [
        ("strict", "middle"), ("strict", "lenient"), ("middle", "lenient"),
    ]  # fmt: skip
    strict_middle = panel.pairs[0].agreement
    # Both correct 4, both wrong 6, of 16; by chance 0.25 · 0.625 + 0.75 · 0.375.
    assert strict_middle.agreement == 10 / 16
    chance = 0.25 * 0.625 + 0.75 * 0.375
    assert strict_middle.kappa == pytest.approx((10 / 16 - chance) / (1 - chance))
    assert len(panel.contested) == 12
    assert [(one.category, one.questions, one.contested) for one in panel.categories] == [
        (1, 4, 0), (2, 4, 4), (3, 4, 4), (4, 4, 4),
    ]  # fmt: skip
    first = panel.contested[0]
    assert (first.conversation, first.question_index) == ("conv-1", 1)
    assert first.verdicts == {"strict": "wrong", "middle": "correct", "lenient": "correct"}


def test_only_what_every_judge_has_scored_counts(history: HistoryBuilder) -> None:
    history.judge_again("r1", "conv-1", "?+++- ++".replace(" ", ""), "partly")
    (panel,) = read(history)
    assert (panel.answers, panel.questions, panel.conversations) == (16, 5, 1)
    assert {one.judge: one.scored for one in panel.judges} == {"partly": 5, "lenient": 16}
    assert panel.contested == ()
    assert (panel.certain, panel.possible, panel.band_points) == (1.0, 1.0, 0.0)


def test_split_votes_are_counted(history: HistoryBuilder) -> None:
    for name, share in (("conv-1", 2 / 3), ("conv-2", 1.0)):
        history.judge_again("r1", name, MIDDLE, "voting", votes=3, agreement=share)
    (panel,) = read(history)
    voting = next(one for one in panel.judges if one.judge == "voting")
    assert (voting.votes, voting.voted, voting.split) == (3, 16, 8)


def test_one_judge_is_no_panel_and_unwanted_ones_are_left_out(history: HistoryBuilder) -> None:
    assert read(history) == []
    history.judge_again("r1", "conv-1", STRICT, "strict")
    history.judge_again("r1", "conv-1", MIDDLE, "middle")
    assert read(history, "strict") == []
    (panel,) = read(history, "strict", "middle")
    assert [one.judge for one in panel.judges] == ["strict", "middle"]


def test_nothing_in_common_is_no_panel(history: HistoryBuilder) -> None:
    history.judge_again("r1", "conv-1", "?" * 10, "failing")
    assert read(history) == []
    history.judge_again("r1", "conv-1", STRICT, "first")
    history.judge_again("r1", "conv-2", STRICT, "second")
    assert read(history, "first", "second") == []
