"""Telling from its words which turns a memory holds."""

import json
from pathlib import Path
from typing import Any

import pytest

from locomo_assets.locomo.tracing import Said, trace

TURNS = [
    Said("D1:1", "Ada", "Good morning! How are you?"),
    Said("D1:2", "Ben", "I adopted a greyhound called Comet from the shelter in Leeds."),
    Said("D1:3", "Ada", "Lovely! I repaired grandmother's harpsichord last weekend."),
    Said("D1:4", "Ben", "A harpsichord! Does Comet, my greyhound, like baroque music?"),
    Said("D1:5", "Ada", "Good morning! How are you?"),
    *(Said(f"D2:{n}", "Ada", f"We talked of nothing much on day {n}") for n in range(30)),
]


@pytest.mark.parametrize(
    ("memory", "turns"),
    [
        ("Ben adopted a greyhound named Comet from a shelter in Leeds.", ("D1:2",)),
        ("[7 May 2023] Ada: I repaired grandmother's harpsichord last weekend.", ("D1:3",)),
        ("Ada spent the weekend repairing the harpsichord of her grandmother.", ("D1:3",)),
        ("Ben wonders whether greyhounds like baroque music", ("D1:4",)),
        ("Ada likes volcanoes and sailing in the arctic.", ()),
        ("How are you?", ()),
        ("", ()),
        ("7 May 2023", ()),
    ],
)
def test_a_memory_is_traced_to_the_turn_that_says_it(memory: str, turns: tuple[str, ...]) -> None:
    assert trace([memory], TURNS) == [turns]


def test_equal_turns_hold_a_memory_alike() -> None:
    twice = [*TURNS, Said("D9:1", "Ben", TURNS[1].text)]
    assert trace([TURNS[1].text], twice) == [("D1:2", "D9:1")]


def test_the_turn_of_the_person_named_is_preferred() -> None:
    both = [
        *TURNS,
        Said("D3:1", "Ada", "Ben, you ran the marathon through Edinburgh castle!"),
        Said("D3:2", "Ben", "Yes, I ran the marathon through Edinburgh castle."),
    ]
    assert trace(["Ben ran a marathon through Edinburgh castle."], both) == [("D3:2",)]
    assert trace(["Ada knows of the marathon through Edinburgh castle."], both) == [("D3:1",)]


def test_without_turns_nothing_is_traced() -> None:
    assert trace(["Ben adopted a greyhound."], []) == [()]


OBSERVED = Path(__file__).parents[3] / "shared" / "data" / "locomo10.json"


@pytest.mark.real_data
@pytest.mark.skipif(not OBSERVED.exists(), reason="the real data set is not there")
def test_observations_of_the_real_data_set_are_traced_as_documented() -> None:
    """LoCoMo's own observations: facts that a model wrote, each with the turn it is from."""
    # The rule was chosen on the first five.
    conversations = json.loads(OBSERVED.read_text("utf-8"))[5:]
    right = found = known = 0
    for one in conversations:
        turns = _turns(one["conversation"])
        facts = _facts(one["observation"], {turn.dia_id for turn in turns})
        for (_, dia_id), traced in zip(facts, trace([t for t, _ in facts], turns), strict=True):
            known += 1
            found += len(traced)
            right += dia_id in traced
    assert (known, found, right) == (1319, 1288, 1037)


def _turns(conversation: dict[str, Any]) -> list[Said]:
    sessions = [one for one in conversation.values() if isinstance(one, list)]
    return [
        Said(
            turn["dia_id"],
            turn["speaker"],
            " ".join(filter(None, (turn["text"], turn.get("query"), turn.get("blip_caption")))),
        )
        for session in sessions
        for turn in session
    ]


def _facts(observations: dict[str, Any], dia_ids: set[str]) -> list[tuple[str, str]]:
    return [
        (fact, dia_id)
        for speakers in observations.values()
        for facts in speakers.values()
        for fact, dia_id in facts
        if isinstance(dia_id, str) and dia_id in dia_ids
    ]
