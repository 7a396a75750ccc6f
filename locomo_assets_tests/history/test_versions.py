"""Histories of every schema version, each written by the program of its time.

Never rewrite a folder `versions/v<n>`; when `SCHEMA_VERSION` rises, add one.
"""

import json
import shutil
from pathlib import Path

import pytest

from locomo_assets.history.database import query, refresh
from locomo_assets.history.maintenance import check
from locomo_assets.history.schema import SCHEMA_VERSION, TABLES
from locomo_assets.history.store import HistoryStore

VERSIONS = Path(__file__).with_name("versions")


def test_there_is_a_history_of_every_version() -> None:
    found = {
        json.loads((folder / "format.json").read_text())["schema_version"]
        for folder in VERSIONS.iterdir()
    }
    assert found == set(range(1, SCHEMA_VERSION + 1))


@pytest.mark.parametrize("version", range(1, SCHEMA_VERSION + 1))
def test_it_is_read_as_if_written_today(version: int, tmp_path: Path) -> None:
    shutil.copytree(VERSIONS / f"v{version}", tmp_path / "history")
    store = HistoryStore.open((tmp_path / "history").as_uri())
    assert check(store).problems == ()
    path = tmp_path / "history.duckdb"
    assert refresh(store, path).attempts == 3
    assert store.read("answers", store.manifests()).schema == TABLES["answers"]
    assert query(
        path,
        "SELECT question_index, verdict, gold_answer, answer, latency_ms FROM current_judgements "
        "ORDER BY question_index",
    )[1] == [
        (0, "correct", "gold 0", "answer a 0", 100.0),
        (1, "wrong", "gold 1", "answer a 1", 101.0),
    ]
    assert query(path, "SELECT memory, dataset_source FROM lineage WHERE memory_rank = 1")[1] == [
        ("She went to the lake.", "sample.json")
    ]
