"""At which step a changed question was won or lost."""

import pytest

from locomo_assets.analysis.comparison.bridge import STEPS, Trace, bridge_of, step_of

RETRIEVED = Trace("retrieved", 2, 2)
HALF = Trace("not_retrieved", 2, 1)
NONE = Trace("not_retrieved", 2, 0)
LOST = Trace("never_stored", 1, 1)
UNKNOWN = Trace("unknown", 0, 0)


@pytest.mark.parametrize(
    ("right", "wrong", "step"),
    [
        (RETRIEVED, HALF, "retrieving"),
        (HALF, NONE, "retrieving"),
        (RETRIEVED, LOST, "storing"),
        (RETRIEVED, RETRIEVED, "answering"),
        (NONE, RETRIEVED, "answering"),
        (HALF, HALF, "without_evidence"),
        (NONE, LOST, "without_evidence"),
        (UNKNOWN, HALF, "untraced"),
        (RETRIEVED, UNKNOWN, "untraced"),
        (RETRIEVED, Trace(None, 0, 0), "untraced"),
    ],
)
def test_where_the_wrong_side_lacks_what_the_right_one_has(
    right: Trace, wrong: Trace, step: str
) -> None:
    assert step_of(right, wrong, reason_wrong=wrong.stage) == step


def test_the_judge_and_the_gold_answer_come_before_the_memory() -> None:
    assert step_of(RETRIEVED, LOST, reason_wrong="gold_faulty", same_answer=True) == "gold"
    assert step_of(RETRIEVED, LOST, reason_wrong="judge_doubtful") == "judging"
    assert step_of(RETRIEVED, LOST, reason_wrong="never_stored", same_answer=True) == "judging"


def test_a_bridge_counts_both_directions_and_tells_the_commonest_first() -> None:
    lost = [("storing", "lost")] * 2 + [("retrieving", "lost")] * 3
    bridge = bridge_of([*lost, ("retrieving", "gained")])
    assert [(one.name, one.lost, one.gained) for one in bridge.steps] == [
        ("storing", 2, 0),
        ("retrieving", 3, 1),
    ]
    assert bridge.sentences() == [
        "Of 5 lost: 3 retrieved before, not now; 2 stored before, not now.",
        "Of 1 gained: 1 retrieved now, not before.",
    ]


def test_every_step_has_words_for_both_directions() -> None:
    flips = [(step, flip) for step in STEPS for flip in ("lost", "gained")]
    bridge = bridge_of(flips)
    assert [one.name for one in bridge.steps] == list(STEPS)
    assert all(len(one.split("; ")) == len(STEPS) for one in bridge.sentences())


def test_nothing_changed() -> None:
    assert bridge_of([]).steps == ()
    assert bridge_of([]).sentences() == []
