"""Accuracy corrected for a judge's errors, against values by hand, and where it comes from."""

import pytest

from locomo_assets.analysis.accuracy import by_release
from locomo_assets.analysis.intervals import Cluster
from locomo_assets.analysis.judge_error import (
    LEAST_LABELS,
    JudgeErrors,
    correct,
    corrected_accuracy,
    judge_error_numbers,
)
from locomo_assets.history.database import refresh
from locomo_assets.judging.judge import NO_WORDS
from locomo_assets_tests.analysis.factories import HistoryBuilder
from locomo_assets_tests.history.factories import answer, commit, judgement, label, lineage

CONVERSATIONS = [Cluster(100, count) for count in (70, 80, 75, 85, 90, 80, 78, 82, 84, 76)]


def test_point_is_rogans_and_gladens() -> None:
    found = correct(CONVERSATIONS, JudgeErrors("labels", 200, 190, 100, 10))
    assert found.percent == pytest.approx(100 * (0.8 - 0.1) / (0.95 - 0.1), abs=0.01)
    bounds = (found.low_percent, 80.0, found.percent, found.high_percent)
    assert bounds == tuple(sorted(filter(None, bounds)))
    assert found.why_none is None


def test_fewer_labels_widen_the_interval() -> None:
    widths = []
    for n in (20, 200, 2000):
        found = correct(CONVERSATIONS, JudgeErrors("labels", n, n * 95 // 100, n, n // 10))
        assert found.low_percent is not None
        assert found.high_percent is not None
        widths.append(found.high_percent - found.low_percent)
    assert widths == sorted(widths, reverse=True)
    assert widths[0] > 1.5 * widths[2]


def test_is_the_same_each_time_and_within_bounds() -> None:
    perfect = JudgeErrors("canaries", 12, 12, 12, 0)
    assert correct(CONVERSATIONS, perfect) == correct(CONVERSATIONS, perfect)
    all_right = correct([Cluster(50, 50), Cluster(60, 60)], JudgeErrors("labels", 90, 80, 90, 30))
    assert (all_right.percent, all_right.high_percent) == (100.0, 100.0)
    none_right = correct([Cluster(50, 2), Cluster(60, 1)], JudgeErrors("labels", 90, 80, 90, 30))
    assert (none_right.percent, none_right.low_percent) == (0.0, 0.0)


def test_one_conversation_has_an_interval_too() -> None:
    found = correct([Cluster(100, 80)], JudgeErrors("labels", 90, 90, 90, 0))
    assert found.percent == 80.0
    assert found.low_percent == pytest.approx(71.5, abs=2.0)


@pytest.mark.parametrize(
    ("errors", "why"),
    [
        (None, "no answer is labelled"),
        (JudgeErrors("labels", 30, 30, 0, 0), "no answer known to be wrong"),
        (JudgeErrors("labels", 0, 0, 30, 3), "no answer known to be right"),
        (JudgeErrors("canaries", 12, 10, 12, 8), "not known to accept right answers more often"),
        (JudgeErrors("labels", 50, 20, 50, 40), "not known to accept right answers more often"),
    ],
)
def test_without_knowledge_there_is_none_and_a_reason(errors: JudgeErrors | None, why: str) -> None:
    found = correct(CONVERSATIONS, errors)
    assert (found.percent, found.low_percent, found.high_percent) == (None, None, None)
    assert why in str(found.why_none)
    assert why in found.line() or errors is not None


def test_answers_without_words_are_wrong_whoever_judges() -> None:
    errors = JudgeErrors("labels", 200, 190, 100, 10)
    found = correct(CONVERSATIONS, errors, judged_share=0.9)
    assert found.percent == pytest.approx(100 * 0.9 * (0.8 / 0.9 - 0.1) / 0.85, abs=0.01)
    full = correct([Cluster(100, 90), Cluster(100, 89)], errors, judged_share=0.9)
    assert (full.percent, full.high_percent) == (90.0, 90.0)


def test_nothing_scored_is_none() -> None:
    assert correct([], JudgeErrors("labels", 30, 30, 30, 0)).why_none == "nothing was scored"


def canaries(history: HistoryBuilder, release: str, right: str, wrong: str) -> None:
    """Canaries' verdicts, a sign each: accepted or not."""
    signs = {"right": right, "wrong": wrong}
    rows = [
        {
            "canary_id": f"{kind}-{n}",
            "kind": kind,
            "judge": "lexical",
            "verdict": "correct" if sign == "+" else "wrong",
        }
        for kind, all_signs in signs.items()
        for n, sign in enumerate(all_signs)
    ]
    who = lineage("judge_canaries", release, conversation=None)
    commit(history.store, who, {"canary_verdicts": rows})


def labels(history: HistoryBuilder, right: int, wrong: int) -> None:
    """Labels of the first answers of round r1-1: first right ones, then wrong ones."""
    rows = [
        label(n, "right" if n < right else "wrong", "r1-1-conv-1") for n in range(right + wrong)
    ]
    commit(history.store, lineage("judge_labels", None, None), {"judge_labels": rows})


def test_labels_go_before_canaries_once_there_are_enough(history_builder: HistoryBuilder) -> None:
    history = history_builder
    history.measure("r1", {"conv-1": "+" * 19 + "-" * 21, "conv-2": "+" * 30 + "-" * 10})

    def source() -> tuple[str | None, str | None]:
        refresh(history.store, history.database_path)
        (whole,) = by_release(history.database_path, "r1", max_error_percent=2.0)
        found = corrected_accuracy(history.database_path, whole)
        return found.errors.source if found.errors else None, found.why_none

    assert source() == (None, "no answer is labelled and no canary was judged")
    labels(history, LEAST_LABELS - 1, 20)
    assert source()[0] == "labels"
    assert "at least 10 of each are needed" in str(source()[1])
    canaries(history, "r1", "+" * 12, "-" * 12)
    assert source() == ("canaries", None)
    labels(history, 15, 15)
    assert source() == ("labels", None)


def test_numbers_of_a_series(history_builder: HistoryBuilder) -> None:
    history = history_builder
    history.measure("r1", {"conv-1": "+" * 30 + "-" * 10, "conv-2": "+" * 20 + "-" * 20})
    canaries(history, "r1", "+" * 11 + "-", "+" + "-" * 11)
    canaries(history, "r2", "-" * 12, "+" * 12)  # another release's say nothing of this one
    refresh(history.store, history.database_path)
    (whole,) = by_release(history.database_path, "r1", max_error_percent=2.0)
    found = judge_error_numbers(history.database_path, whole)
    # Every fifth question is of category 5: the score has 24 + 16 of 64.
    expected = (40 / 64 - 1 / 12) / (10 / 12)
    assert found["accuracy_judge_corrected_percent"] == pytest.approx(100 * expected, abs=0.01)
    assert found["judge_errors_by"] == "canaries"
    assert "11 of 12 right answers and 1 of 12 wrong ones" in str(found["judge_errors"])


def test_what_no_judge_was_asked_is_left_out(history_builder: HistoryBuilder) -> None:
    history = history_builder
    history.dataset(["conv-3"], 40)
    verdicts = [judgement(n, "wrong", "x", reasoning=NO_WORDS) for n in range(5)]
    verdicts += [judgement(n, "correct", "x") for n in range(5, 40)]
    answers = [answer(n, "x") for n in range(40)]
    commit(history.store, lineage("answers", "r1"), {"answers": answers})
    commit(history.store, lineage("judgements", "r1"), {"judgements": verdicts})
    canaries(history, "r1", "+" * 12, "-" * 11 + "+")
    refresh(history.store, history.database_path)
    (whole,) = by_release(history.database_path, "r1", max_error_percent=2.0)
    found = corrected_accuracy(history.database_path, whole)
    assert (whole.accuracy_percent, found.percent, found.high_percent) == (87.5, 87.5, 87.5)


@pytest.fixture
def history_builder(tmp_path_factory: pytest.TempPathFactory) -> HistoryBuilder:
    history = HistoryBuilder(tmp_path_factory.mktemp("history"))
    history.dataset(["conv-1", "conv-2"], 40)
    return history
