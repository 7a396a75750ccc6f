"""Factories for the data set's tests: a small valid file, and an audit, for tests to modify."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from locomo_assets.locomo.model import Dataset

CORRECTED = "something else altogether"


def small_file() -> list[dict[str, Any]]:
    """One conversation with two sessions and two questions; a new object each time."""
    return [
        {
            "sample_id": "talk-1",
            "conversation": {
                "speaker_a": "Ada",
                "speaker_b": "Bo",
                "session_1_date_time": "1:56 pm on 8 May, 2023",
                "session_1": [
                    {"speaker": "Ada", "dia_id": "D1:1", "text": "I bought a kite."},
                    {
                        "speaker": "Bo",
                        "dia_id": "D1:2",
                        "text": "Show me!",
                        "img_url": ["https://example.org/kite.jpg"],
                        "query": "red kite",
                        "blip_caption": "a photo of a red kite",
                    },
                ],
                "session_2_date_time": "12:05 am on 1 June, 2023",
                "session_2": [{"speaker": "Ada", "dia_id": "D2:1", "text": "It flew away."}],
            },
            "qa": [
                {
                    "question": "What did Ada buy?",
                    "answer": "A kite",
                    "evidence": ["D1:1"],
                    "category": 4,
                },
                {
                    "question": "What did Bo buy?",
                    "adversarial_answer": "A kite",
                    "evidence": ["D1:1"],
                    "category": 5,
                },
            ],
        }
    ]


def encoded(content: Any) -> bytes:
    return json.dumps(content).encode()


def audit_entry(dataset: Dataset, index: int, question_index: int, **other: Any) -> dict[str, Any]:
    """A fault `HALLUCINATION` that matches the data set, with the correct answer `CORRECTED`."""
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
    """Write a file of `audit_entry`s, by conversation and question; returns its path."""
    path.write_text(
        json.dumps([audit_entry(dataset, *place, **other) for place, other in faults.items()])
    )
    return str(path)
