"""Ladders read from a real database: which questions count, against what, how it is decided."""

from pathlib import Path
from typing import Any

import pytest

from locomo_assets.analysis.comparison.decision import Conclusion
from locomo_assets.analysis.comparison.ladder import LadderResult, NoLadderError, read_ladders
from locomo_assets.history.database import refresh
from locomo_assets_tests.analysis.comparison.ladders import commit_ladder, step
from locomo_assets_tests.analysis.factories import HistoryBuilder

CONVERSATIONS = tuple(f"conv-{n}" for n in range(1, 7))
MIXED = ("+-+-+-++-+", "-++-+-+-++", "++--+-+-+-", "+-+--+-++-", "--++-+-+++", "+--+-++--+")


@pytest.fixture
def history(tmp_path: Path) -> HistoryBuilder:
    made = HistoryBuilder(tmp_path)
    made.dataset(CONVERSATIONS, 10)
    return made


def _read(history: HistoryBuilder, **limits: float) -> LadderResult:
    refresh(history.store, history.database_path)
    [found] = read_ladders(
        history.database_path,
        "r1",
        "mine",
        margin_points=1.0,
        max_error_percent=limits.get("max_error_percent", 2.0),
    )
    return found


def _verdicts(signs: tuple[str, ...]) -> dict[str, str]:
    return dict(zip(CONVERSATIONS, signs, strict=True))


def test_each_step_stands_against_the_one_that_it_changes(history: HistoryBuilder) -> None:
    used: dict[str, Any] = {
        "input_tokens": 100,
        "memory_tokens": 40,
        "latency_ms": 20.0,
        "cost_usd": 0.25,
    }
    history.measure("r1", _verdicts(MIXED), **used)
    pro = "isolated, memory pro"
    history.measure("r1", _verdicts(("+" * 10,) * 6), question_protocol=pro)
    history.measure("r1", _verdicts(MIXED), question_protocol="isolated, tok_k 3")
    commit_ladder(
        history.store,
        [
            step("base", None, "isolated"),
            step("pro", "base", pro),
            step("few", "base", "isolated, tok_k 3"),
        ],
    )
    found = _read(history)
    # Of ten questions the fifth and tenth are of category 5.
    assert (found.questions, found.conversations, found.valid) == (48, 6, True)
    base, better, same = found.steps
    right = sum(s[:4].count("+") + s[5:9].count("+") for s in MIXED)
    assert base.accuracy_percent == pytest.approx(100 * right / 48)
    assert base.change is None
    assert base.since_base is None
    assert (base.context_tokens, base.memory_tokens, base.latency_p50_ms) == (100, 40, 20)
    assert base.cost_usd is not None
    assert base.cost_usd >= 0.25
    assert better.change is not None
    assert same.change is not None
    assert (better.change.against, same.change.against) == ("base", "base")
    assert (better.change.paired.gains, better.change.paired.losses) == (48 - right, 0)
    assert better.change.decision.word == Conclusion.BETTER
    assert sum(one.gained for one in better.change.bridge.steps) == 48 - right
    assert same.change.decision.word == Conclusion.UNCHANGED
    # Two steps are tested, so the deciding p-value counts twice.
    assert better.change.p_holm == pytest.approx(2 * (better.change.paired.deciding_p or 0))
    assert found.headline.startswith(f"From {base.accuracy_percent:.2f} % (base) to ")
    assert "pro moves most" in found.headline


def test_questions_count_that_every_step_was_asked(history: HistoryBuilder) -> None:
    history.measure("r1", _verdicts(MIXED))
    short = {name: signs[:5] for name, signs in _verdicts(MIXED).items()}
    history.measure("r1", short, question_protocol="isolated, memory pro")
    commit_ladder(
        history.store, [step("base", None, "isolated"), step("pro", "base", "isolated, memory pro")]
    )
    found = _read(history)
    assert found.questions == 24
    assert found.steps[0].accuracy_percent == found.steps[1].accuracy_percent
    assert found.headline.endswith("no step moved anything.")


def test_another_judge_of_the_same_answers_is_a_step(history: HistoryBuilder) -> None:
    for name, signs in _verdicts(MIXED).items():
        history.measure("r1", {name: signs})
        history.judge_again("r1", name, "-" * 10, "strict")
    commit_ladder(
        history.store,
        [step("base", None, "isolated"), step("judge", "base", "isolated", judge="strict")],
    )
    change = _read(history).steps[1].change
    assert change is not None
    assert change.decision.word == Conclusion.WORSE
    [only] = change.bridge.steps
    assert (only.name, only.lost) == ("judging", change.paired.losses)


def test_a_step_without_enough_verdicts_is_invalid(history: HistoryBuilder) -> None:
    history.measure("r1", _verdicts(MIXED))
    pro = "isolated, memory pro"
    history.measure("r1", _verdicts(("!" + "+" * 9,) * 6), question_protocol=pro)
    commit_ladder(history.store, [step("base", None, "isolated"), step("pro", "base", pro)])
    found = _read(history)
    assert not found.valid
    change = found.steps[1].change
    assert change is not None
    assert change.decision.word == Conclusion.INVALID
    assert "of the questions of step pro have no verdict" in change.decision.because
    assert _read(history, max_error_percent=20.0).valid


def test_the_newest_notes_count_and_what_was_not_measured_is_said(history: HistoryBuilder) -> None:
    history.measure("r1", _verdicts(MIXED))
    history.measure("r1", _verdicts(MIXED), question_protocol="isolated, tok_k 3")
    steps = [step("base", None, "isolated"), step("few", "base", "isolated, tok_k 3")]
    commit_ladder(history.store, steps[:1])
    commit_ladder(history.store, steps, minutes=5)
    assert [one.name for one in _read(history).steps] == ["base", "few"]
    with pytest.raises(NoLadderError, match="r2: no ladder mine was measured"):
        read_ladders(history.database_path, "r2", "mine", margin_points=1.0, max_error_percent=2.0)
    limits: dict[str, Any] = {"margin_points": 1.0, "max_error_percent": 2.0}
    assert read_ladders(history.database_path, "r2", **limits) == []
