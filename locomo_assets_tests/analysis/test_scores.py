"""Scores that need no judge, from a database of a small history."""

from dataclasses import replace
from pathlib import Path

import pytest

from locomo_assets.analysis.accuracy import Accuracy, by_release
from locomo_assets.analysis.scores import (
    Scores,
    abstention_lines,
    read_scores,
    reference_lines,
    score_numbers,
)
from locomo_assets.history.database import refresh
from locomo_assets.history.store import HistoryStore
from locomo_assets_tests.history.factories import (
    answer,
    commit,
    commit_answers,
    commit_dataset,
    commit_verdicts,
    lineage,
)


@pytest.fixture(scope="module")
def database_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """r1 with memory and without, r2 without category 5 and without references of its own."""
    folder = tmp_path_factory.mktemp("scores")
    store = HistoryStore.open(folder.as_uri())
    commit_dataset(store)
    right = [
        answer(i, answer="I don't know." if i == 4 else f"gold {i}", retrieved=1) for i in range(10)
    ]
    memories = [{"answer_id": f"a-{i}", "rank": 1, "memory_id": "m1"} for i in range(10)]
    commit(store, lineage("answers"), {"answers": right, "retrieved_memories": memories})
    operation = {"ingestion_id": "ingestion-1", "dia_id": "D1:1", "memory_ids": ["m1"]}
    commit(store, lineage("ingested_memories"), {"memory_operations": [operation]})
    commit_verdicts(store, lineage("judgements"), ["correct"] * 10)
    floor = "no-memory"
    commit_answers(
        store, lineage("answers"), mark=floor, question_protocol=floor, memory_mode="off"
    )
    commit_verdicts(
        store, lineage("judgements"), ["wrong"] * 10, mark=floor, question_protocol=floor
    )
    commit_answers(store, lineage("answers", "r2"), questions=4, mark="r2")
    commit_verdicts(store, lineage("judgements", "r2"), ["correct"] * 4, mark="r2")
    return refresh(store, folder / "history.duckdb").path


def whole(database_path: Path, release: str, protocol: str) -> Scores:
    (row,) = (
        row
        for row in read_scores(database_path, release)
        if row.category is None and row.question_protocol == protocol
    )
    return row


def isolated(database_path: Path, release: str) -> Accuracy:
    (row,) = (
        row
        for row in by_release(database_path, release, max_error_percent=100.0)
        if row.question_protocol == "isolated"
    )
    return row


def test_a_series_is_its_categories_and_then_the_whole(database_path: Path) -> None:
    rows = [r for r in read_scores(database_path, "r1") if r.question_protocol == "isolated"]
    assert [row.category for row in rows] == [1, 2, 3, 4, 5, None]
    # Of eight questions with one evidence turn each only the first has D1:1.
    assert (rows[-1].f1_percent, rows[-1].exact_match_percent) == (100.0, 100.0)
    assert (rows[-1].recall_at_10_percent, rows[-1].mrr) == (12.5, 0.125)


def test_what_does_not_apply_is_unknown(database_path: Path) -> None:
    row = whole(database_path, "r1", "no-memory")
    assert (row.recall_at_10_percent, row.mrr, row.traceable_percent) == (None, None, None)


def test_numbers_for_the_ui_are_those_that_exist(database_path: Path) -> None:
    numbers = score_numbers(database_path, isolated(database_path, "r1"))
    assert numbers["f1_percent"] == 100.0
    assert numbers["recall_at_10_percent"] == 12.5
    assert numbers["abstention_percent"] == 50.0
    plain = score_numbers(database_path, isolated(database_path, "r2"))
    assert "abstention_percent" not in plain
    assert "recall_at_10_percent" not in plain
    unknown = replace(isolated(database_path, "r2"), release="r9")
    assert score_numbers(database_path, unknown) == {}


def test_category_5_in_words(database_path: Path) -> None:
    lines = abstention_lines(database_path, None)
    assert whole(database_path, "r2", "isolated").key not in lines
    key = whole(database_path, "r1", "isolated").key
    told = "category 5: 1 of 2 declined, 0 fell for the trap, 1 claimed something else"
    assert lines[key] == told
    of_r1 = {key: line for key, line in lines.items() if key[0] == "r1"}
    assert abstention_lines(database_path, "r1") == of_r1
    assert abstention_lines(database_path, "r2") == {}


def test_references_in_words_name_the_release_they_are_of(database_path: Path) -> None:
    second, first = reference_lines(database_path, None)
    assert "memory adds +100.0 points to no-memory (0.0 % of 8 questions, release r1)" in first
    assert second.startswith("release r2 ")
    assert "(0.0 % of 4 questions, release r1)" in second
