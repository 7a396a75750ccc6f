"""What a model's name and its thinking change."""

from typing import Any

import pytest

from locomo_assets.standin.answering.capability import SMALL, capability_of, thinking_tokens
from locomo_assets.standin.retrieval import LARGE


@pytest.mark.parametrize(
    "name",
    ["gpt-4.1-mini", "openai/gpt-4o-mini:free", "gpt-5-nano", "gemini-2.5-flash",
     "gemini-2.5-flash-lite", "claude-3-5-haiku-latest", "MINI"],
)  # fmt: skip
def test_small_models(name: str) -> None:
    assert capability_of(name) == SMALL


@pytest.mark.parametrize(
    "name", [None, "", "gemini-2.5-pro", "google/gemini-2.5-pro", "gpt-4.1", "minimax-m2", "elite"]
)
def test_all_others_are_large(name: str | None) -> None:
    assert capability_of(name) == LARGE


@pytest.mark.parametrize(
    ("thinking", "tokens"),
    [
        ({}, 0),
        ({"effort": "low"}, 256),
        ({"effort": "HIGH"}, 4096),
        ({"effort": "utmost"}, 1024),
        ({"budget_tokens": 2000}, 1000),
        ({"budget_tokens": -2}, 0),
        ({"effort": 3}, 0),
    ],
)
def test_thinking(thinking: dict[str, Any], tokens: int) -> None:
    assert thinking_tokens(thinking) == tokens
