"""A synthetic history of any size, made with the store's own attempts.

Here: rows of the shape and number of a full run: ten conversations of 154 questions, answers of 40
words, ten memories retrieved for each and traced to turns. System and judge say what they are.
"""

import random
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from locomo_assets.history.provenance import Lineage
from locomo_assets.history.store import Attempt, HistoryStore

QUESTIONS = 154
CONVERSATIONS = tuple(f"conv-{number}" for number in range(10))
_ANSWER_WORDS = 40
_RETRIEVED = 10
_VOCABULARY = [f"word{number}" for number in range(5000)]

Row = Mapping[str, Any]


def commit_dataset(store: HistoryStore, rng: random.Random) -> None:
    """The questions of all conversations."""
    for conversation in CONVERSATIONS:
        attempt = _begin(store, "locomo_dataset", None, conversation)
        questions = [
            {
                "question_index": index,
                "category": 1 + index % 4,
                "question": f"question {index}",
                "gold_answer": " ".join(rng.choices(_VOCABULARY, k=5)),
                "evidence": [f"D1:{index}"],
            }
            for index in range(QUESTIONS)
        ]
        attempt.append("questions", questions)
        attempt.commit()


def commit_run(store: HistoryStore, rng: random.Random, release: str) -> None:
    """A release: all its conversations, ingested, answered and judged."""
    for conversation in CONVERSATIONS:
        commit_conversation(store, rng, release, conversation)


def commit_conversation(
    store: HistoryStore, rng: random.Random, release: str, conversation: str
) -> None:
    """Three attempts: memories, answers, verdicts."""
    ingestion_id = f"{release}/{conversation}"
    ingested = _begin(store, "ingested_memories", release, conversation)
    operations = [
        {"ingestion_id": ingestion_id, "dia_id": f"D1:{turn}", "memory_ids": [f"m{turn}"]}
        for turn in range(QUESTIONS)
    ]
    ingested.append("memory_operations", operations)
    ingested.commit()
    answers = answer_rows(rng, release, conversation)
    answered = _begin(store, "answers", release, conversation)
    answered.append("answers", answers)
    answered.append(
        "retrieved_memories",
        [
            {"answer_id": row["answer_id"], "rank": rank, "memory_id": f"m{memory}"}
            for row in answers
            for rank, memory in enumerate(rng.sample(range(QUESTIONS), _RETRIEVED), start=1)
        ],
    )
    answered.append("calls", call_rows("answers"))
    answered.commit()
    judged = _begin(store, "judgements", release, conversation)
    judged.append("judgements", verdict_rows(rng, release, conversation))
    judged.append("calls", call_rows("judgements"))
    judged.commit()


def answer_rows(rng: random.Random, release: str, conversation: str) -> list[Row]:
    """A conversation's answers."""
    return [
        {
            **_common(release, conversation, index),
            "outcome": "answered",
            "question": f"question {index}",
            "answer": " ".join(rng.choices(_VOCABULARY, k=_ANSWER_WORDS)),
            "ingestion_id": f"{release}/{conversation}",
            "memory_mode": "Readonly",
            "retrieved": _RETRIEVED,
            "latency_ms": rng.uniform(50, 900),
            "asked_at": datetime.now(UTC),
        }
        for index in range(QUESTIONS)
    ]


def verdict_rows(rng: random.Random, release: str, conversation: str) -> list[Row]:
    """A conversation's verdicts, 85 % of them correct."""
    return [
        {
            **_common(release, conversation, index),
            "judgement_id": f"j/{release}/{conversation}/{index}",
            "judge": "bench",
            "verdict": "correct" if rng.random() < 0.85 else "wrong",
            "judged_at": datetime.now(UTC),
        }
        for index in range(QUESTIONS)
    ]


def call_rows(service: str) -> list[Row]:
    """A request for each question."""
    call = {
        "service": service,
        "endpoint": "POST /bench",
        "status": 200,
        "cost_usd": 0.001,
        "started_at": datetime.now(UTC),
    }
    return [call for _ in range(QUESTIONS)]


def _common(release: str, conversation: str, index: int) -> dict[str, Any]:
    return {
        "answer_id": f"{release}/{conversation}/{index}",
        "question_index": index,
        "category": 1 + index % 4,
        "question_protocol": "isolated",
    }


def _begin(store: HistoryStore, asset: str, release: str | None, conversation: str) -> Attempt:
    return store.begin(
        Lineage(
            asset=asset,
            run_id=f"run-{release}",
            release=release,
            conversation=conversation,
            code_version="bench",
            dataset_sha256="bench",
            system="synthetic",
        )
    )
