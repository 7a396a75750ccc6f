"""Trend queries over many runs: `python bench/history.py --runs 1000`.

Makes a synthetic history in a throw-away folder (the store's own attempts, ten conversations of
154 questions a run, answers of 40 words, ten memories retrieved for each and traced to turns),
publishes the lens, and times each query: median of seven, warm. The same group-by on one bare
DuckDB table of the verdicts stands beside them.
"""

import argparse
import random
import statistics
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

import duckdb

from locomo_assets.history import lens
from locomo_assets.history.lineage import Lineage
from locomo_assets.history.store import Attempt, HistoryStore

QUESTIONS = 154
CONVERSATIONS = 10
ANSWER_WORDS = 40
RETRIEVED = 10
VOCABULARY = [f"word{number}" for number in range(5000)]
QUERIES = {
    "accuracy by release × category": (
        "SELECT release, category, accuracy FROM accuracy_by_category"
    ),
    "accuracy_trend": "SELECT * FROM accuracy_trend WHERE category IS NULL",
    "flips of two releases": "SELECT * FROM flips('r0', 'r1')",
    "cost by month": "SELECT * FROM cost_by_month",
    "scores by release": "SELECT * FROM scores_by_release",
    "group-by on all current verdicts": (
        "SELECT release, category, avg((verdict = 'correct')::INT) FROM current_judgements "
        "GROUP BY ALL"
    ),
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


def _commit_questions(store: HistoryStore, dice: random.Random, conversation: str) -> None:
    attempt = _begin(store, "locomo_dataset", None, conversation)
    questions = [
        {
            "question_index": index,
            "category": 1 + index % 4,
            "question": f"question {index}",
            "gold_answer": " ".join(dice.choices(VOCABULARY, k=5)),
            "evidence": [f"D1:{index}"],
        }
        for index in range(QUESTIONS)
    ]
    attempt.append("questions", questions)
    attempt.commit()


def _commit(store: HistoryStore, dice: random.Random, release: str, conversation: str) -> None:
    now = datetime.now(UTC)
    call = {"endpoint": "POST /bench", "status": 200, "cost_usd": 0.001, "started_at": now}
    ingestion_id = f"{release}/{conversation}"
    ingested = _begin(store, "ingested_memories", release, conversation)
    ingested.append(
        "memory_operations",
        [
            {"ingestion_id": ingestion_id, "dia_id": f"D1:{turn}", "memory_ids": [f"m{turn}"]}
            for turn in range(QUESTIONS)
        ],
    )
    ingested.commit()
    for asset in ("answers", "judgements"):
        attempt = _begin(store, asset, release, conversation)
        rows: list[dict[str, object]] = []
        for index in range(QUESTIONS):
            common: dict[str, object] = {
                "answer_id": f"{release}/{conversation}/{index}",
                "question_index": index,
                "category": 1 + index % 4,
                "question_protocol": "isolated",
            }
            if asset == "answers":
                rows.append(
                    common
                    | {
                        "outcome": "answered",
                        "question": f"question {index}",
                        "answer": " ".join(dice.choices(VOCABULARY, k=ANSWER_WORDS)),
                        "ingestion_id": ingestion_id,
                        "memory_mode": "Readonly",
                        "retrieved": RETRIEVED,
                        "latency_ms": dice.uniform(50, 900),
                        "asked_at": now,
                    }
                )
            else:
                verdict = "correct" if dice.random() < 0.85 else "wrong"
                judged: dict[str, object] = {"judge": "bench", "verdict": verdict, "judged_at": now}
                identity = {"judgement_id": f"j/{release}/{conversation}/{index}"}
                rows.append(common | judged | identity)
        attempt.append(asset, rows)
        if asset == "answers":
            retrieved = [
                {"answer_id": row["answer_id"], "rank": rank, "memory_id": f"m{memory}"}
                for row in rows
                for rank, memory in enumerate(dice.sample(range(QUESTIONS), RETRIEVED), start=1)
            ]
            attempt.append("retrieved_memories", retrieved)
        attempt.append("calls", [{"service": asset, **call} for _ in range(QUESTIONS)])
        attempt.commit()


def _median_ms(connection: duckdb.DuckDBPyConnection, sql: str) -> float:
    times = []
    for _ in range(8):
        start = time.perf_counter()
        connection.execute(sql).fetchall()
        times.append(1000 * (time.perf_counter() - start))
    return statistics.median(times[1:])


def main() -> None:
    """Prints one line a query, and the bare table's figure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=100)
    runs = parser.parse_args().runs
    dice = random.Random(1)
    with tempfile.TemporaryDirectory() as folder:
        store = HistoryStore.open((Path(folder) / "history").as_uri())
        start = time.perf_counter()
        for conversation in range(CONVERSATIONS):
            _commit_questions(store, dice, f"conv-{conversation}")
        for run in range(runs):
            for conversation in range(CONVERSATIONS):
                _commit(store, dice, f"r{run}", f"conv-{conversation}")
        print(f"{runs} runs committed in {time.perf_counter() - start:.1f} s")
        path = Path(folder) / "history.duckdb"
        print(f"lens made from nothing in {lens.rebuild(store, path).duration_s:.1f} s")
        for conversation in range(CONVERSATIONS):
            _commit(store, dice, "r-next", f"conv-{conversation}")
        print(f"lens refreshed by one run in {lens.refresh(store, path).duration_s:.2f} s")
        with lens.open_read_only(path) as connection:
            for name, sql in QUERIES.items():
                print(f"{name:<34} {_median_ms(connection, sql):8.1f} ms")
            rows = connection.sql(
                "SELECT release, category, verdict FROM current_judgements"
            ).to_arrow_table()
        with duckdb.connect() as bare:
            bare.register("arrow_rows", rows)
            bare.execute("CREATE TABLE verdicts AS FROM arrow_rows")
            sql = QUERIES["group-by on all current verdicts"]
            sql = sql.replace("current_judgements", "verdicts")
            print(f"{'the same on a bare table':<34} {_median_ms(bare, sql):8.1f} ms")
            print(f"{rows.num_rows} verdicts")


if __name__ == "__main__":
    main()
