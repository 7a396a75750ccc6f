"""The noise that a history knows: of repeats, and of two releases."""

from pathlib import Path

import numpy as np
import pytest

from locomo_assets.analysis.comparison.paired import Pair
from locomo_assets.analysis.design.known_noise import known_noise, spread_points
from locomo_assets.analysis.design.planning import ASSUMED_NOISE
from locomo_assets.history.database import refresh
from locomo_assets_tests.analysis.factories import HistoryBuilder

CONVERSATIONS = ("conv-1", "conv-2", "conv-3")


@pytest.fixture
def history(tmp_path: Path) -> HistoryBuilder:
    history = HistoryBuilder(tmp_path)
    history.dataset(CONVERSATIONS, 8)
    return history


def test_without_a_history_all_is_assumed(history: HistoryBuilder, tmp_path: Path) -> None:
    assert known_noise(tmp_path / "none.duckdb") == ASSUMED_NOISE
    history.measure("r1", dict.fromkeys(CONVERSATIONS, "++++++++"))
    refresh(history.store, history.database_path)
    assert known_noise(history.database_path) == ASSUMED_NOISE


def test_flips_of_the_newest_release_with_repeats(history: HistoryBuilder) -> None:
    for signs in ("++++++++", "-+++++++"):
        history.measure("r1", dict.fromkeys(CONVERSATIONS, signs), ingestion="memory")
    history.measure("r2", dict.fromkeys(CONVERSATIONS, "++++++++"))
    refresh(history.store, history.database_path)
    noise = known_noise(history.database_path)
    # One of seven questions of categories 1 to 4 in each conversation flipped.
    assert noise.flip_rate == pytest.approx(1 / 7)
    assert noise.flip_source == "2 repeats of r1"
    assert noise.spread_source == "r1 and r2"
    assert noise.spread_points == 0.0
    assert noise.run_shift_source == "assumed"


def test_spread_between_conversations_is_found_again() -> None:
    """Conversations whose true change spreads by 4 points, beside flips of one in ten."""
    random = np.random.default_rng(7)
    found = []
    for _ in range(150):
        pairs = []
        for conversation, true in enumerate(0.04 * random.standard_normal(10)):
            # Half of the flips go each way; the true change is on top of them.
            draws = random.random(150)
            for draw in draws:
                change = int(draw < 0.05 + true / 2) - int(draw > 0.95 + true / 2)
                pairs.append(Pair(str(conversation), change < 0, change > 0))
        found.append(spread_points(pairs, 0.1) or 0.0)
    assert np.sqrt(np.mean(np.square(found))) == pytest.approx(4.0, abs=0.6)


def test_two_conversations_say_nothing_of_the_spread() -> None:
    assert spread_points([Pair("a", True, False), Pair("b", True, True)], 0.1) is None
