"""Who cannot be told apart: letters from p-values, and p-values from a history."""

from itertools import combinations, product
from pathlib import Path

import pytest

from locomo_assets.analysis.accuracy import by_release
from locomo_assets.analysis.comparison import compare
from locomo_assets.analysis.comparison.groups import compare_all, letters
from locomo_assets.analysis.comparison.paired import holm
from locomo_assets_tests.history.factories import (
    QueriedHistory,
    commit_answers,
    commit_dataset,
    commit_verdicts,
    lineage,
)

CONVERSATIONS = tuple(f"conv-{number}" for number in range(8))


@pytest.mark.parametrize(
    ("differing", "expected"),
    [
        ((), ["a", "a", "a"]),
        (((0, 1), (0, 2), (1, 2)), ["a", "b", "c"]),
        (((0, 2),), ["a", "ab", "b"]),
        (((0, 1), (0, 2)), ["a", "b", "b"]),
    ],
)
def test_letters(differing: tuple[tuple[int, int], ...], expected: list[str]) -> None:
    p_values = {pair: 0.01 if pair in differing else 0.5 for pair in combinations(range(3), 2)}
    assert letters(3, p_values) == expected


def test_what_was_not_tested_is_not_told_apart() -> None:
    assert letters(2, {(0, 1): None}) == ["a", "a"]
    assert letters(2, {(0, 1): 0.05}) == ["a", "a"]
    assert letters(1, {}) == ["a"]
    assert letters(0, {}) == []


def test_letters_say_just_what_the_p_values_say() -> None:
    """For every pattern of differences between five series."""
    pairs = list(combinations(range(5), 2))
    for pattern in product((0.001, 0.9), repeat=len(pairs)):
        p_values = dict(zip(pairs, pattern, strict=True))
        found = letters(5, p_values)
        for one, other in pairs:
            share = bool(set(found[one]) & set(found[other]))
            assert share == (p_values[one, other] >= 0.05), (p_values, found)


@pytest.fixture
def history(tmp_path: Path) -> QueriedHistory:
    """Four releases: two that answer almost alike, one better everywhere, one asked less."""
    history = QueriedHistory(tmp_path)
    commit_dataset(history.store, CONVERSATIONS)
    rates = {"r1": (5, 6), "r2": (6, 5), "r3": (10, 9)}
    for release, right in rates.items():
        for number, conversation in enumerate(CONVERSATIONS):
            who = lineage("answers", release, conversation)
            commit_answers(history.store, who, mark=f"{release}-{conversation}")
            correct = right[number % 2]
            verdicts = ["correct"] * correct + ["wrong"] * (10 - correct)
            who = lineage("judgements", release, conversation)
            commit_verdicts(history.store, who, verdicts, mark=f"{release}-{conversation}")
    history.rows("SELECT 1")
    return history


def test_every_pair_is_compared_as_two_releases_are(history: QueriedHistory) -> None:
    rows = by_release(history.path, None, max_error_percent=2.0)
    assert [row.release for row in rows] == ["r3", "r2", "r1"]
    found = compare_all(history.path, rows)
    pairs = list(combinations(range(3), 2))
    alone = [
        compare(history.path, rows[one].release, rows[other].release).overall.paired.p_values
        for one, other in pairs
    ]
    assert [found[pair] for pair in pairs] == holm([one.differs for one in alone])
    assert letters(3, found) == ["a", "b", "b"]
