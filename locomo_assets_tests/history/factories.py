"""Factories for the history's tests: lineages, rows, committed attempts, a queried history."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from locomo_assets.history.database import query, refresh
from locomo_assets.history.provenance import (
    Lineage,
    Manifest,
)
from locomo_assets.history.store import HistoryStore

DATASET = "d" * 64
ASKED_AT = datetime(2025, 3, 4, 5, 6, 7, 89, UTC)
CATEGORIES = (1, 2, 3, 4, 5)


class QueriedHistory:
    """A store and its database, refreshed before each query."""

    def __init__(self, folder: Path) -> None:
        self.store = HistoryStore.open(folder.as_uri())
        self.path = folder / "history.duckdb"

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        refresh(self.store, self.path)
        return query(self.path, sql)[1]


def lineage(
    asset: str,
    release: str | None = "r1",
    conversation: str | None = "conv-1",
    run_id: str = "run-1",
    dataset_sha256: str = DATASET,
) -> Lineage:
    """The lineage of an attempt; data set assets have no partition and no system."""
    plain = asset in ("locomo_dataset", "releases", "judge_labels")
    return Lineage(
        asset=asset,
        run_id=run_id,
        release=None if asset == "locomo_dataset" else release,
        conversation=None if plain else conversation,
        code_version="1",
        dataset_sha256=dataset_sha256,
        system=None if plain else "standin",
    )


def commit(
    store: HistoryStore, who: Lineage, rows: Mapping[str, Sequence[Mapping[str, Any]]]
) -> Manifest:
    """Commit an attempt with one data file per table."""
    attempt = store.begin(who)
    for table, table_rows in rows.items():
        attempt.append(table, table_rows)
    return attempt.commit()


def commit_dataset(
    store: HistoryStore,
    conversations: Sequence[str] = ("conv-1",),
    questions: int = 10,
    dataset_sha256: str = DATASET,
    run_id: str = "run-0",
) -> Manifest:
    """Commit a data set; the questions' categories cycle."""
    return commit(
        store,
        lineage("locomo_dataset", run_id=run_id, dataset_sha256=dataset_sha256),
        {
            "conversations": [
                {"conversation": name, "source": "sample.json", "questions": questions}
                for name in conversations
            ],
            "questions": [
                {
                    "conversation": name,
                    "question_index": index,
                    "category": CATEGORIES[index % 5],
                    "question": f"Question {index}?",
                    "gold_answer": f"gold {index}",
                    "evidence": [f"D1:{index + 1}"],
                }
                for name in conversations
                for index in range(questions)
            ],
        },
    )


def call(number: int, **columns: Any) -> dict[str, Any]:
    """A row of `calls`."""
    return {
        "call_id": f"call-{number}",
        "service": "backboard",
        "endpoint": "POST /threads/{id}/messages",
        "status": 200,
        "attempt": 1,
        "latency_ms": 5.0,
        "started_at": ASKED_AT,
        **columns,
    }


def answer(index: int, mark: str = "a", **columns: Any) -> dict[str, Any]:
    """A row of `answers`; `mark` distinguishes rounds of asking."""
    return {
        "answer_id": f"{mark}-{index}",
        "ingestion_id": "ingestion-1",
        "question_index": index,
        "category": CATEGORIES[index % 5],
        "question": f"Question {index}?",
        "question_protocol": "isolated",
        "outcome": "answered",
        "answer": f"answer {mark} {index}",
        "input_tokens": 100,
        "output_tokens": 10,
        "cost_usd": 0.001,
        "first_chunk_ms": 10.0,
        "latency_ms": 100.0 + index,
        "asked_at": ASKED_AT,
        **columns,
    }


def judgement(index: int, verdict: str, mark: str = "a", **columns: Any) -> dict[str, Any]:
    """A row of `judgements` on the answer of the same mark."""
    return {
        "judgement_id": f"j-{mark}-{columns.get('judge', 'lexical')}-{index}",
        "answer_id": f"{mark}-{index}",
        "ingestion_id": "ingestion-1",
        "question_index": index,
        "category": CATEGORIES[index % 5],
        "question_protocol": "isolated",
        "judge": "lexical",
        "verdict": verdict,
        "reasoning": "so it is",
        "cost_usd": 0.0,
        "latency_ms": 1.0,
        "judged_at": ASKED_AT,
        **columns,
    }


def label(index: int, said: str, mark: str = "a", **columns: Any) -> dict[str, Any]:
    """A row of `judge_labels` on the answer of the same mark in conv-1."""
    return {
        "conversation": "conv-1",
        "question_index": index,
        "category": CATEGORIES[index % 5],
        "question": f"Question {index}?",
        "answer": f"answer {mark} {index}",
        "label": said,
        "labelled_by": "Ann",
        "file": "labels.jsonl",
        "file_sha256": "f" * 64,
        **columns,
    }


def commit_answers(
    store: HistoryStore, who: Lineage, questions: int = 10, mark: str = "a", **columns: Any
) -> Manifest:
    """Commit one answer per question, each with one call."""
    return commit(
        store,
        who,
        {
            "answers": [answer(index, mark, **columns) for index in range(questions)],
            "calls": [call(index, cost_usd=0.001) for index in range(questions)],
        },
    )


def commit_verdicts(
    store: HistoryStore, who: Lineage, verdicts: Sequence[str], mark: str = "a", **columns: Any
) -> Manifest:
    """Commit one verdict per question, in order."""
    return commit(
        store,
        who,
        {"judgements": [judgement(i, v, mark, **columns) for i, v in enumerate(verdicts)]},
    )
