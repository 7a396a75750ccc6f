"""A data set for many runs: small, with a text said twice, and each question asked once."""

import json
from pathlib import Path
from typing import Any

from locomo_assets.locomo.model import Dataset
from locomo_assets.locomo.parsing import read_dataset
from locomo_assets.locomo.sample import packaged_sample

CONVERSATIONS = 4
SESSIONS = 2
TURNS = 8
"""In a session."""
QUESTIONS = 5
"""In a conversation."""


def small_dataset(folder: Path) -> Dataset:
    """Makes the file in the folder, out of the packaged sample, and reads it."""
    sample = json.loads(Path(packaged_sample()).read_text(encoding="utf-8"))
    made = [_conversation(sample[n % len(sample)], n) for n in range(CONVERSATIONS)]
    path = folder / "small.json"
    path.write_text(json.dumps(made))
    return read_dataset(str(path))


def _conversation(source: dict[str, Any], number: int) -> dict[str, Any]:
    talk = source["conversation"]
    cut: dict[str, Any] = {name: talk[name] for name in ("speaker_a", "speaker_b")}
    for session in range(1, SESSIONS + 1):
        name = f"session_{session}"
        turns = talk[name][:TURNS]
        # The same words of the same speaker again: only their number tells whether all are there.
        turns[4] = {**turns[4], "text": turns[2]["text"]}
        cut |= {name: turns, f"{name}_date_time": talk[f"{name}_date_time"]}
    questions = [one for one in source["qa"] if one["category"] != 5][:QUESTIONS]
    return {
        "sample_id": f"conv-{number}",
        "conversation": cut,
        "qa": [{**one, "evidence": []} for one in questions],
    }
