"""What the service gave, as rows of the history's tables.

Here: values → dictionaries. Which rows are written when is `stages`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from locomo_assets.backboard.answers import AnswerResult
from locomo_assets.backboard.calls import CallRecord
from locomo_assets.backboard.ingesting import IngestionResult
from locomo_assets.backboard.shapes import Memory
from locomo_assets.locomo.model import Conversation
from locomo_assets.prices import PriceTable

Row = Mapping[str, Any]
Numbers = dict[str, float | int | str | None]


def ingestion_numbers(conversation: Conversation, result: IngestionResult) -> Numbers:
    """The counts of an ingestion, as its row and its metadata have them."""
    return {
        "sessions": len(conversation.sessions),
        "turns": len(conversation.turns),
        "turns_ingested": len(result.turns),
        "operations_completed": result.operations_with("completed"),
        "operations_failed": result.operations_with("error"),
        "operations_timed_out": result.operations_with("timed_out"),
        "memories": len(result.memories),
        "duration_s": round(result.duration_s, 3),
    }


def ingestion_tables(ingestion_id: str, result: IngestionResult) -> dict[str, list[Row]]:
    """Rows per turn, per memory operation and per memory."""
    own = {"ingestion_id": ingestion_id}
    return {
        "ingested_turns": [
            {**own, "assistant_id": result.assistant_id, **asdict(turn)} for turn in result.turns
        ],
        "memory_operations": [
            {**own, **asdict(operation), "memory_ids": list(operation.memory_ids)}
            for operation in result.operations
        ],
        "memories": [
            {
                **own,
                "memory_id": memory.memory_id,
                "memory": memory.memory,
                "metadata_json": memory.metadata_json,
                "created_at": memory.created_at,
                "updated_at": memory.updated_at,
            }
            for memory in result.memories
        ],
    }


def answer_row(answer: AnswerResult) -> dict[str, Any]:
    """What the service said of one question; question and identity are the caller's to add."""
    return {
        "question_index": answer.question_index,
        "outcome": answer.outcome,
        "reason": answer.reason,
        "answer": answer.answer,
        "thread_id": answer.thread_id,
        "message_id": answer.message_id,
        "memory_operation_id": answer.memory_operation_id,
        "llm_provider": answer.model_provider,
        "llm_model": answer.model_name,
        "retrieved": len(answer.retrieved),
        "input_tokens": answer.input_tokens,
        "output_tokens": answer.output_tokens,
        "first_chunk_ms": answer.first_chunk_ms,
        "latency_ms": answer.latency_ms,
        "in_flight": answer.in_flight,
        "asked_at": answer.asked_at,
    }


def retrieved_rows(answer_id: str, question_index: int, memories: Sequence[Memory]) -> list[Row]:
    """The memories behind an answer, ranked from 1 as the service gave them."""
    return [
        {
            "answer_id": answer_id,
            "question_index": question_index,
            "rank": rank,
            "memory_id": memory.memory_id,
            "memory": memory.memory,
            "score": memory.score,
        }
        for rank, memory in enumerate(memories, start=1)
    ]


def answer_numbers(rows: Sequence[Row], wanted: int, requests: int) -> Numbers:
    """The counts of an answers attempt; percentiles are of the answered questions."""
    latencies = sorted(row["latency_ms"] for row in rows if row["latency_ms"] is not None)
    tokens = sum((row["input_tokens"] or 0) + (row["output_tokens"] or 0) for row in rows)
    return {
        "questions": wanted,
        "reused": wanted - len(rows),
        "answered": sum(row["outcome"] == "answered" for row in rows),
        "unanswered": sum(row["outcome"] != "answered" for row in rows),
        "latency_p50_ms": _quantile(latencies, 0.5),
        "latency_p95_ms": _quantile(latencies, 0.95),
        "tokens": tokens,
        "cost_usd": sum(row["cost_usd"] or 0.0 for row in rows),
        "cost_unknown": sum(row["cost_usd"] is None for row in rows),
        "requests": requests,
    }


def _quantile(ordered: Sequence[float], share: float) -> float | None:
    return round(ordered[min(len(ordered) - 1, int(share * len(ordered)))], 1) if ordered else None


def call_rows(calls: Sequence[CallRecord], prices: PriceTable, model: str) -> list[Row]:
    """Rows of the `calls` table; a cost the client did not know is filled in from the prices."""
    rows = []
    for call in calls:
        row = asdict(call)
        if call.cost_usd is None and call.output_tokens is not None:
            row["cost_usd"] = prices.cost_usd(model, call.input_tokens or 0, call.output_tokens)
        rows.append(row)
    return rows
