"""An audit of a data set, made up for tests: some gold answers faulty, one wrongly cited."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from locomo_assets.locomo.model import Dataset

CORRECTED = "something else altogether"


def entry(dataset: Dataset, index: int, question_index: int, **other: Any) -> dict[str, Any]:
    """A true fault: `HALLUCINATION`, with `CORRECTED` in the gold answer's place."""
    question = dataset.conversations[index].questions[question_index]
    return {
        "question_id": f"locomo_{index}_qa{question_index}",
        "question": question.question,
        "golden_answer": question.gold_answer,
        "category": question.category,
        "error_type": "HALLUCINATION",
        "cited_evidence": list(question.evidence_as_written),
        "correct_evidence": list(question.evidence),
        "correct_answer": CORRECTED,
        "reasoning": "Nobody said so.",
        **other,
    }


def write_audit(
    path: Path,
    dataset: Dataset,
    faults: Mapping[tuple[int, int], Mapping[str, Any]],
) -> str:
    """A file of `entry`s, by conversation and question; returns its path."""
    path.write_text(
        json.dumps([entry(dataset, *place, **other) for place, other in faults.items()])
    )
    return str(path)
