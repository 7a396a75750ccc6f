"""The sample: fixed, stratified, without category 5."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pytest

from locomo_assets.locomo.model import Question
from locomo_assets.locomo.parsing import read_dataset
from locomo_assets.locomo.sample import packaged_sample
from locomo_assets.locomo.sampling import share_of, stratified_sample


@dataclass(frozen=True)
class Asked:
    question_index: int
    category: int


def questions(path: str) -> dict[str, tuple[Question, ...]]:
    return {one.conversation: tuple(one.questions) for one in read_dataset(path).conversations}


def test_the_choice_does_not_depend_on_order() -> None:
    there = questions(packaged_sample())
    chosen = stratified_sample(there, 10)
    again = stratified_sample(dict(reversed(there.items())), 10)
    assert chosen == again
    assert sum(map(len, chosen.questions.values())) == 10
    assert chosen.sample_id.startswith("10-")
    assert stratified_sample(there, 11).sample_id != chosen.sample_id


def test_a_size_beyond_the_data_set_gives_all_but_adversarial_questions() -> None:
    there = questions(packaged_sample())
    chosen = stratified_sample(there, 10_000)
    for name, its in there.items():
        assert chosen.questions[name] == {q.question_index for q in its if q.category != 5}


def test_an_empty_data_set_gives_an_empty_sample() -> None:
    assert stratified_sample({}, 5).questions == {}


@pytest.mark.real_data
def test_the_real_data_set_in_proportion(real_dataset: Path) -> None:
    there = questions(str(real_dataset))
    chosen = stratified_sample(there, 100)
    category = {(name, q.question_index): q.category for name, its in there.items() for q in its}
    per_category = Counter(
        category[name, index] for name, its in chosen.questions.items() for index in its
    )
    per_conversation = {name: len(its) for name, its in chosen.questions.items()}
    # 282, 321, 96 and 841 of 1,540: to 2 for what rounding by conversation shifts
    expected = {1: 18.3, 2: 20.8, 3: 6.2, 4: 54.6}
    assert all(abs(per_category[c] - share) <= 2 for c, share in expected.items())
    assert len(per_conversation) == 10
    for name, count in per_conversation.items():
        share = 100 * sum(q.category != 5 for q in there[name]) / 1540
        assert abs(count - share) <= 2
    # Fixed: another choice would start another series.
    assert chosen.sample_id == "100-785cc6d3"


def test_shares_grow_and_end_with_all() -> None:
    for name, its in questions(packaged_sample()).items():
        before: frozenset[int] = frozenset()
        for share in (0.2, 0.4, 0.6, 0.8, 1.0):
            now = share_of(name, its, share, "seed")
            assert before <= now
            before = now
        assert before == {q.question_index for q in its}


def test_shares_keep_the_proportion_of_categories() -> None:
    many = [Asked(n, 1 + n % 4) for n in range(203)]
    chosen = share_of("one", many, 0.4, "seed")
    by_category = Counter(many[index].category for index in chosen)
    assert all(20 <= count <= 21 for count in by_category.values())
    assert chosen != share_of("one", many, 0.4, "another seed")


def test_each_question_is_as_likely_as_any_other() -> None:
    """Of a category with a single question, too: else small ones would always come last."""
    few = [Asked(0, 3), *(Asked(n, 1) for n in range(1, 8))]
    times = Counter(i for seed in range(2000) for i in share_of("one", few, 0.3, str(seed)))
    assert all(times[n] / 2000 == pytest.approx(0.3, abs=0.04) for n in range(8))
