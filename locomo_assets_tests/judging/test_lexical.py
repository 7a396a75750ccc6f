"""The lexical judge: each rule by examples, and the whole against published verdicts."""

import json
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from locomo_assets.judging.judge import Verdict
from locomo_assets.judging.lexical import LexicalJudge, compare

PUBLISHED = Path(__file__).parents[2].parent / "shared" / "data" / "backboard-published"

RIGHT = [
    ("When was it?", "7 May 2023", "It took place on May 7th, 2023."),
    ("When was it?", "The week before 9 June 2023", "She spoke there on 2 June 2023."),
    ("When was it?", "The sunday before 25 May 2023", "On Sunday, 21 May 2023."),
    ("When was it?", "July 2023", "He left on July 5, 2023."),
    ("When was it?", "13 August", "That was on August 13, 2023."),
    ("When was it?", "2022", "They married in the summer of 2022."),
    ("How long was it?", "4 years", "They have been friends for four years."),
    ("How many dogs has he?", "3", "He has three dogs."),
    ("Where does she live?", "Lisbon", "Her home is in Lisbon, near the river."),
    ("What did he buy?", "A pair of running shoes", "He bought shoes for running."),
    ("Who came?", "Her mother", "Her mom came along."),
    ("What does she bake?", "Bread, buns and cakes", "Mostly bread, and now and then buns."),
    ("Did she go?", "Yes", "Yes, she went with Leila."),
    ("Would she go?", "Likely no, because of the cost", "No, it is too dear for her."),
    ("Would she go?", "Likely no", "She would not go there again."),
    ("Did she go?", "No", "She didn't."),
    ("Did she go?", "Yes", "She did."),
    ("Did she go?", "Yes", "Absolutely! She went with Leila."),
    ("Did she go?", "No", "I don't think so."),
    ("Did Leila buy a boat?", "Yes", "She bought a boat."),
    ("Did Leila sell her boat?", "No", "There is no sign that she wants to sell the boat."),
    ("Did Leila sell her boat?", "No", "No boat was ever sold."),
    ("What is his cat called?", "Not mentioned in the conversation", "No cat is mentioned."),
    ("What is his cat called?", "Not mentioned", "I don't have any information about a cat."),
    ("Beach or mountains?", "beach", "He lives by the beach."),
]
WRONG = [
    ("When was it?", "7 May 2023", "It took place on May 8th, 2023."),
    ("When was it?", "7 May 2023", "It took place in 2023."),
    ("When was it?", "7 May 2023", "The date is not mentioned."),
    ("When was it?", "The week before 6 July 2023", "They had it on July 6, 2023."),
    ("When was it?", "The sunday before 25 May 2023", "On 25 May 2023."),
    ("How long was it?", "19 days", "About nine days."),
    ("How many dogs has he?", "3", "He has a dog."),
    ("Where does she live?", "Lisbon", "She lives in Porto."),
    ("Where does Leila live?", "Leila lives in Lisbon", "Leila lives in Porto."),
    ("Where does she live?", "Lisbon", "Her address isn't given in what I know."),
    ("Where does she live?", "Lisbon", "  "),
    ("Did she go?", "Yes", "No, she stayed at home."),
    ("Did she go?", "No", "Yes, she did."),
    ("Did she go?", "Yes", "There is no information on that."),
    ("Did she go?", "No", "There is no information on that."),
    ("Did she go?", "Yes", "She bought a boat."),
    ("Did she go?", "No", "She never bought a boat."),
    ("Did Leila go to Porto?", "Yes", "Leila bought a boat."),
    ("Did she go?", "Yes", "I am unsure about that."),
    ("Did she go?", "No", "I am unsure about that."),
    ("Did she go?", "Yes", "Maybe she did go."),
    ("Did she go?", "No", "I don't know if she did go."),
    ("Did Leila sell her boat?", "No", "It is not stated whether Leila will sell her boat."),
    ("Did she go?", "Yes", "She didn't."),
    ("Did she go?", "No", "She did."),
    ("What is his cat called?", "Not mentioned in the conversation", "His cat is called Mochi."),
]


@pytest.mark.parametrize(("question", "gold", "answer"), RIGHT)
def test_right_answers(question: str, gold: str, answer: str) -> None:
    assert compare(question, gold, answer)[0]


@pytest.mark.parametrize(("question", "gold", "answer"), WRONG)
def test_wrong_answers(question: str, gold: str, answer: str) -> None:
    assert not compare(question, gold, answer)[0]


async def test_names_itself_and_costs_nothing() -> None:
    judge = LexicalJudge()
    assert judge.identity.system == "lexical"
    assert judge.identity.prompt_sha256 is None
    judgement = await judge.judge("When was it?", "2022", "In 2021.", 2)
    assert (judgement.verdict, judgement.cost_usd) == (Verdict.WRONG, 0.0)
    assert judgement.reasoning
    assert (judgement.latency_ms or 0) > 0


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=80), st.text(max_size=80), st.text(max_size=80))
def test_no_text_breaks_it(question: str, gold: str, answer: str) -> None:
    correct, reasoning = compare(question, gold, answer)
    assert isinstance(correct, bool)
    assert reasoning


def test_a_very_long_answer_is_judged_in_time() -> None:
    start = time.process_time()
    compare("When?", "7 May 2023", "no any the a 7 may 2023 before in not " * 2500)
    compare("What?", "a kite", "twenty one million and a half, not any in an " * 2500)
    assert time.process_time() - start < 5.0


@pytest.mark.real_data
@pytest.mark.skipif(not PUBLISHED.exists(), reason="../shared/data is not on this machine")
def test_agrees_with_the_published_verdicts_as_it_says() -> None:
    cases = [
        (number, item)
        for number in range(1, 11)
        for kind in json.loads((PUBLISHED / f"locomo_conversation_{number}.json").read_text())[
            "by_type"
        ].values()
        for item in kind["responses"]
    ]
    assert len(cases) == 1540
    start = time.process_time()
    said = [
        compare(item["question"], str(item["expected_answer"]), item["ai_response"])[0]
        for _, item in cases
    ]
    took_ms = (time.process_time() - start) * 1000.0 / len(cases)
    for parity, figures in ((1, (0.90, 0.58, 0.88)), (0, (0.90, 0.57, 0.87))):
        pairs = [
            (bool(item["evaluation"]["is_correct"]), mine)
            for (number, item), mine in zip(cases, said, strict=True)
            if number % 2 == parity
        ]
        assert _figures(pairs) == pytest.approx(figures, abs=0.006)
    assert took_ms < 3.0  # processor time, so that a busy machine does not count


def _figures(pairs: list[tuple[bool, bool]]) -> tuple[float, float, float]:
    """Agreement, Cohen's kappa, balanced accuracy of (published, mine)."""
    count = len(pairs)
    agreement = sum(a == b for a, b in pairs) / count
    theirs, mine = sum(a for a, _ in pairs) / count, sum(b for _, b in pairs) / count
    chance = theirs * mine + (1 - theirs) * (1 - mine)
    right = sum(a and b for a, b in pairs) / sum(a for a, _ in pairs)
    wrong = sum(not a and not b for a, b in pairs) / sum(not a for a, _ in pairs)
    return agreement, (agreement - chance) / (1 - chance), (right + wrong) / 2
