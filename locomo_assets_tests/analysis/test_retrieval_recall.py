"""Recall at each k, of which an imported release tells only what its answers tell."""

from pathlib import Path

from locomo_assets.analysis.retrieval_recall import read_recall
from locomo_assets.history import database
from locomo_assets_tests.analysis.factories import HistoryBuilder


def test_without_stored_retrievals_only_what_was_answered_is_told(tmp_path: Path) -> None:
    history = HistoryBuilder(tmp_path)
    history.dataset(["conv-1"], 4)
    history.measure("r1", {"conv-1": "+-++"}, question_protocol="retrieval, k 5, some-model")
    database.refresh(history.store, history.database_path)
    rows = read_recall(history.database_path, "r1")
    assert [(row.k, row.recall_percent, row.accuracy_percent) for row in rows] == [(5, None, 75.0)]
