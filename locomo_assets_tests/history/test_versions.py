"""Histories of every schema version, each written by the program of its time.

Never rewrite a folder `versions/v<n>`; when `SCHEMA_VERSION` rises, add one. `compacted`
can't be made again: the program no longer compacts.
"""

import json
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from locomo_assets.history.database import query, refresh
from locomo_assets.history.maintenance import check, prune
from locomo_assets.history.schema import SCHEMA_VERSION, TABLES
from locomo_assets.history.store import HistoryStore
from locomo_assets_tests.history.factories import commit_answers, lineage

VERSIONS = Path(__file__).with_name("versions")
COMPACTED = Path(__file__).with_name("compacted")


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
    assert refresh(store, path).attempts == (3 if version < 6 else version)
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


def test_pins_labels_and_looks_of_version_6_are_read(tmp_path: Path) -> None:
    shutil.copytree(VERSIONS / "v6", tmp_path / "history")
    path = tmp_path / "history.duckdb"
    refresh(HistoryStore.open((tmp_path / "history").as_uri()), path)
    assert query(path, "SELECT release FROM current_baseline")[1] == [("r1",)]
    assert query(path, "SELECT judge, label, verdict FROM labelled_verdicts")[1] == [
        ("lexical", "right", "correct")
    ]
    assert query(path, "SELECT against, look, decision FROM stopped_runs")[1] == [
        ("r0", 1, "cannot tell")
    ]


def test_retrievals_and_ladders_of_version_7_are_read(tmp_path: Path) -> None:
    shutil.copytree(VERSIONS / "v7", tmp_path / "history")
    path = tmp_path / "history.duckdb"
    refresh(HistoryStore.open((tmp_path / "history").as_uri()), path)
    assert query(path, "SELECT rank, memory, path FROM retrievals")[1] == [
        (1, "She went to the lake.", "search")
    ]
    assert query(path, "SELECT step, changed, question_protocol FROM ladder_steps")[1] == [
        ("pro", "memory pro", "isolated, memory pro")
    ]


def compacted(tmp_path: Path) -> HistoryStore:
    """A history whose attempts an older version has compacted.

    Of r1 the replaced files and the first manifest are gone, of r2 they are still there.
    """
    shutil.copytree(COMPACTED, tmp_path / "history")
    return HistoryStore.open((tmp_path / "history").as_uri())


def test_a_compacted_history_is_read(tmp_path: Path) -> None:
    store, path = compacted(tmp_path), tmp_path / "history.duckdb"
    manifests = store.manifests()
    assert [(m.lineage.release, m.extra, m.rows) for m in manifests] == [
        (release, {"note": "whole"}, {"answers": 4, "calls": 1}) for release in ("r1", "r2")
    ]
    assert all(manifest.path.endswith(".compacted.json") for manifest in manifests)
    assert all(len(manifest.data_files) == 2 for manifest in manifests)
    assert store.read("answers", manifests)["answer_id"].to_pylist() == [
        f"{release}-{index}" for release in ("r1", "r2") for index in range(4)
    ]
    report = check(store)
    assert (report.problems, report.superseded_files, report.unfinished) == ((), 4, ())
    assert store.unfinished("answers", "r2", "conv-1") == []
    assert refresh(store, path).attempts == 2
    assert query(path, "SELECT release, count(*) FROM answers GROUP BY ALL ORDER BY 1")[1] == [
        ("r1", 4),
        ("r2", 4),
    ]


def test_a_compacted_attempt_is_pruned_with_both_its_manifests(tmp_path: Path) -> None:
    store, path = compacted(tmp_path), tmp_path / "history.duckdb"
    commit_answers(store, lineage("answers", "r2"), mark="new")
    later = datetime.now(UTC) + timedelta(days=10_000)
    report = prune(store, path, keep_days=1, dry_run=False, now=later)
    assert (len(report.attempts), report.data_files) == (1, 6)
    assert {manifest.lineage.release for manifest in store.manifests()} == {"r1", "r2"}
    assert len(store.storage.list("attempts")) == 2
