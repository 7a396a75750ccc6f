"""How well a model answers, told from its name, and what thinking costs.

An invention: the stand-in has no models, but whoever compares models is to see a difference.
"""

import re
from collections.abc import Mapping
from typing import Any

from locomo_assets.standin.retrieval import LARGE, Capability

SMALL = Capability(memories_read=2, sentences_quoted=1)

# A word of its own: gemini is no mini.
_SMALL_NAME = re.compile(r"(?:^|[^a-z])(?:mini|nano|small|lite|flash|haiku)(?![a-z])", re.I)

_THINKING_TOKENS = {"minimal": 64, "low": 256, "medium": 1_024, "high": 4_096}


def capability_of(model: str | None) -> Capability:
    """`SMALL` for names such as `gpt-4.1-mini` and `gemini-2.5-flash`, `LARGE` for all others."""
    return SMALL if model and _SMALL_NAME.search(model) else LARGE


def thinking_tokens(thinking: Mapping[str, Any]) -> int:
    """The output tokens of thinking: half of `budget_tokens`, or by `effort`; 0 without either.

    An unknown effort counts as `medium`.
    """
    budget, effort = thinking.get("budget_tokens"), thinking.get("effort")
    if isinstance(budget, int):
        return max(0, budget // 2)
    if not isinstance(effort, str):
        return 0
    return _THINKING_TOKENS.get(effort.lower(), _THINKING_TOKENS["medium"])
