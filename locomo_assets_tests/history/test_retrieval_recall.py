"""Evidence recall at k: which k are told of, and how much evidence the first k hold."""

from pathlib import Path

import pytest

from locomo_assets_tests.history.factories import QueriedHistory, answer, commit, lineage

LABEL = "retrieval, k 5, gpt-4.1-mini"


def history_of(folder: Path, path: str, ranks: int) -> QueriedHistory:
    """One question; its evidence, the turn D1:1, is the memory of rank 7."""
    history = QueriedHistory(folder)
    turns = [
        {"conversation": "conv-1", "session_index": 1, "turn_index": n, "dia_id": f"D1:{n}",
         "speaker": "Ann", "text": f"word{n} alone{n} here{n}"}
        for n in range(1, ranks + 1)
    ]  # fmt: skip
    question = {"conversation": "conv-1", "question_index": 0, "category": 1, "evidence": ["D1:1"]}
    head = {"conversation": "conv-1", "source": "sample.json", "questions": 1}
    tables = {"conversations": [head], "turns": turns, "questions": [question]}
    commit(history.store, lineage("locomo_dataset"), tables)
    first = [7, *(n for n in range(1, ranks + 1) if n != 7)]
    retrieved = [
        {"retrieval_id": "t1", "ingestion_id": "ingestion-1", "question_index": 0, "rank": rank,
         "memory_id": f"m{n}", "memory": f"Ann: word{n} alone{n} here{n}", "path": path}
        for n, rank in enumerate(first, 1)
    ]  # fmt: skip
    given = answer(0, question_protocol=LABEL, retrieval_id="t1", category=1)
    commit(history.store, lineage("answers"), {"answers": [given], "retrievals": retrieved})
    return history


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("search", [(5, 0.0), (10, 1.0), (20, 1.0), (50, 1.0)]),
        # A message gave ten: what 20 would hold is not known.
        ("message", [(5, 0.0), (10, 1.0)]),
    ],
)
def test_recall_is_told_of_what_was_retrieved(
    path: str, told: list[tuple[int, float]], tmp_path: Path
) -> None:
    history = history_of(tmp_path, path, ranks=10)
    assert history.rows("SELECT k, evidence_recall FROM retrieval_recall ORDER BY k") == told
