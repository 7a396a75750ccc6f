"""What is measured: a LoCoMo file, or a part of it with the same shape.

Here: cutting conversations to a share of their length, and multiplying them. The full file is
`share=1, copies=1`.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

_SCORED = (1, 2, 3, 4)


@dataclass(frozen=True)
class Work:
    """A data set file of one's own, and how much is in it. `longest` is a conversation's turns."""

    path: Path
    conversations: int
    turns: int
    questions: int
    longest: int


def cut(source: Path, target: Path, *, share: float, copies: int = 1) -> Work:
    """Writes the first turns and the first scored questions of each conversation.

    Both are cut to `share`, at least one; with `copies` each conversation stands so many times
    under names of its own. A question whose evidence was cut off is kept: what is measured here
    is time, not accuracy.
    """
    made: list[dict[str, Any]] = []
    turns = questions = longest = 0
    for conversation in json.loads(source.read_text()):
        sessions, kept = _first_turns(conversation["conversation"], share)
        scored = [one for one in conversation["qa"] if one["category"] in _SCORED]
        chosen = scored[: math.ceil(len(scored) * share)]
        for copy in range(copies):
            name = conversation["sample_id"] + (f"-{copy}" if copies > 1 else "")
            without = [{**one, "evidence": []} for one in chosen] if share < 1 else chosen
            made.append(
                {**conversation, "sample_id": name, "conversation": sessions, "qa": without}
            )
            turns, questions = turns + kept, questions + len(chosen)
        longest = max(longest, kept)
    target.write_text(json.dumps(made))
    return Work(target, len(made), turns, questions, longest)


def _first_turns(conversation: Mapping[str, Any], share: float) -> tuple[dict[str, Any], int]:
    total = sum(len(value) for key, value in conversation.items() if _is_session(key, value))
    left = wanted = math.ceil(total * share)
    kept = {key: value for key, value in conversation.items() if key.startswith("speaker_")}
    for number in count(1):
        name = f"session_{number}"
        if left <= 0 or name not in conversation:
            break
        kept[f"{name}_date_time"] = conversation[f"{name}_date_time"]
        kept[name] = conversation[name][:left]
        left -= len(kept[name])
    return kept, wanted - left


def _is_session(key: str, value: object) -> bool:
    return key.startswith("session_") and isinstance(value, list)
