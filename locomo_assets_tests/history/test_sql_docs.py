"""`docs/sql.md`: every example runs and finds something, and every view has one."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from locomo_assets.history.database import query, refresh
from locomo_assets.history.store import HistoryStore
from locomo_assets_tests.history.factories import (
    ASKED_AT,
    answer,
    call,
    commit,
    commit_answers,
    commit_dataset,
    commit_verdicts,
    judgement,
    label,
    lineage,
)

TEXT = (Path(__file__).parents[2] / "docs" / "sql.md").read_text()
EXAMPLES = re.findall(r"```sql\n(.*?)```", TEXT, re.DOTALL)


@pytest.fixture(scope="module")
def database_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two releases that differ, with an error and costs, and an imported one."""
    folder = tmp_path_factory.mktemp("docs")
    store = HistoryStore.open(folder.as_uri())
    commit_dataset(store)
    for release, verdict in (("r1", "correct"), ("r2", "wrong")):
        commit_answers(store, lineage("answers", release), mark=release)
        verdicts = ["wrong", *[verdict] * 9]
        commit_verdicts(store, lineage("judgements", release), verdicts, mark=release)
    floor = "no-memory"
    commit_answers(store, lineage("answers"), mark=floor, question_protocol=floor)
    verdicts = ["wrong"] * 10
    commit_verdicts(store, lineage("judgements"), verdicts, mark=floor, question_protocol=floor)
    found = {"retrieval_id": "t1", "ingestion_id": "ingestion-1", "rank": 1, "memory_id": "m"}
    own = {"question_protocol": "retrieval, k 20, gpt-4.1-mini", "retrieval_id": "t1"}
    answers = {"answers": [answer(0, "t", **own)], "retrievals": [found]}
    commit(store, lineage("answers"), answers)
    commit(store, lineage("answers"), {"calls": [call(99, status=500)]})
    imported = lineage("imported_results", "vendor", conversation=None)
    rows = {
        "imported_files": [{"file": "results.jsonl", "file_sha256": "f" * 64, "format": "jsonl"}],
        "answers": [answer(i, "v", conversation="conv-1", asked_at=None) for i in range(5)],
        "judgements": [judgement(i, "wrong", "v", conversation="conv-1") for i in range(5)],
    }
    commit(store, imported, rows)
    fault = {"conversation": "conv-1", "question_index": 1, "audit_sha256": "a" * 64}
    audit = replace(lineage("gold_audit", None, None), system=None)
    commit(store, audit, {"gold_faults": [{**fault, "corrupts_score": True}]})
    canary = {"kind": "right", "judge": "lexical-2", "verdict": "correct", "canary_id": "a/right"}
    commit(store, lineage("judge_canaries", conversation=None), {"canary_verdicts": [canary]})
    # r1's first answer is judged wrong.
    commit(store, lineage("judge_labels", None, None), {"judge_labels": [label(0, "right", "r1")]})
    changed = {"stage": "answers", "moment": "after", "verdict": "release_changed"}
    commit_answers(store, lineage("answers", "daily-1"), mark="s", kind="sample")
    commit_verdicts(store, lineage("judgements", "daily-1"), ["wrong"] * 10, "s", kind="sample")
    commit(store, lineage("answers", "r3"), {"release_checks": [changed]})
    operation = {"ingestion_id": "ingestion-1", "dia_id": "D1:1", "memory_ids": ["m"]}
    commit(store, lineage("ingested_memories"), {"memory_operations": [operation]})
    pin = {"pinned": True}
    commit(store, lineage("pinned_baselines", "r1", conversation=None), {"pinned_baselines": [pin]})
    damaged = {"event": "damaged", "ingestion_id": "i", "assistant_id": "a", "reason": "twice"}
    commit(store, lineage("damaged_ingestions", "r3"), {"ingest_journal": [damaged]})
    stopped = {"against": "r1", "question_protocol": "isolated", "of_questions": 100}
    commit(store, lineage("stopped_runs", "r2", None), {"stopped_runs": [stopped]})
    step = {"ladder": "mine", "step_index": 0, "step": "base", "question_protocol": "isolated"}
    of_judge = {"judge": judgement(0, "correct", "r1")["judge"], "noted_at": ASKED_AT}
    commit(store, lineage("ladder", "r1", None), {"ladder_steps": [{**step, **of_judge}]})
    return refresh(store, folder / "history.duckdb").path


@pytest.mark.parametrize("sql", EXAMPLES)
def test_example_runs_and_finds_something(database_path: Path, sql: str) -> None:
    columns, rows = query(database_path, sql)
    assert columns
    assert rows


def test_every_table_and_view_is_documented(database_path: Path) -> None:
    _, names = query(
        database_path, "SELECT DISTINCT table_name FROM information_schema.columns ORDER BY ALL"
    )
    inner = {"lens_meta", "last_listing", "touched_partitions", "touched_attempts"}
    assert {name for (name,) in names if f"`{name}`" not in TEXT} == inner
