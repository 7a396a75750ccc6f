"""A small valid file as plain data, for tests to spoil."""

import json
from typing import Any


def small_file() -> list[dict[str, Any]]:
    """One conversation with two sessions and two questions, fresh each time."""
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
