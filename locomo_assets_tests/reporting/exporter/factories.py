"""A history with something for every metric: two releases, calls, memory operations, a canary."""

from pathlib import Path

from locomo_assets.history.database import refresh
from locomo_assets.history.store import HistoryStore
from locomo_assets_tests.history.factories import (
    answer,
    call,
    commit,
    commit_dataset,
    judgement,
    lineage,
)

LATENCIES_MS = (50.0, 100.0, 400.0, 3_000.0, 200_000.0)


def measure(store: HistoryStore, release: str, correct: int, questions: int = 10) -> None:
    """A release of one conversation: five categories in turn, the first answers correct."""
    mark = f"{release}-{correct}"
    operations = [
        {"ingestion_id": mark, "memory_operation_id": f"{mark}-{n}", "status": status,
         "wait_ms": 1_000.0 * n}
        for n, status in enumerate(["completed"] * 3 + ["error"])
    ]  # fmt: skip
    calls = [
        call(0, input_tokens=100, output_tokens=10, cost_usd=0.5),
        call(1, status=503, error="ServerFailedError"),
        call(2, attempt=2),
        call(3, status=400, error="RequestRefusedError"),
    ]
    commit(
        store,
        lineage("ingested_memories", release),
        {"ingestions": [{"ingestion_id": mark}], "memory_operations": operations},
    )
    answers = [
        answer(n, mark, ingestion_id=mark, latency_ms=LATENCIES_MS[n % 5]) for n in range(questions)
    ]
    commit(store, lineage("answers", release), {"answers": answers, "calls": calls})
    verdicts = [
        judgement(n, "correct" if n < correct else "wrong", mark, judge_system="lexical")
        for n in range(questions)
    ]
    commit(store, lineage("judgements", release), {"judgements": verdicts})


def measured_history(folder: Path) -> HistoryStore:
    """Under `folder/history`, with its database beside it: r1, and r2 with a question unscored."""
    store = HistoryStore.open((folder / "history").as_uri())
    commit_dataset(store)
    measure(store, "r1", correct=10)
    measure(store, "r2", correct=5)
    refresh(store, folder / "history" / "history.duckdb")
    return store
