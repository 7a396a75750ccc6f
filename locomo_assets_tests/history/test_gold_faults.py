"""What the views say of accuracy and faulty gold answers; counted by hand beside them."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from statsmodels.stats.proportion import proportion_confint

from locomo_assets.history.database import query, refresh
from locomo_assets.history.maintenance import prune
from locomo_assets.history.store import HistoryStore
from locomo_assets_tests.history.factories import (
    CATEGORIES,
    DATASET,
    commit,
    commit_answers,
    commit_dataset,
    commit_verdicts,
    judgement,
    lineage,
)

AUDIT, OTHER = "a" * 64, "b" * 64
# Categories go round, so that questions 0 to 9 are of 1, 2, 3, 4, 5, 1, 2, 3, 4, 5.
VERDICTS = ["correct", "wrong", "correct", "correct", "correct", "correct", "wrong", "unscored",
            "wrong", "correct"]  # fmt: skip


class World:
    def __init__(self, folder: Path) -> None:
        self.store = HistoryStore.open(folder.as_uri())
        self.path = folder / "history.duckdb"
        commit_dataset(self.store)

    def audit(self, faulty: Sequence[int], sha256: str = AUDIT, **columns: Any) -> None:
        rows = [
            {
                "conversation": "conv-1",
                "question_index": index,
                "category": CATEGORIES[index % 5],
                "error_type": "HALLUCINATION",
                "corrupts_score": True,
                "correct_answer": f"better {index}",
                "audit_sha256": sha256,
                **columns,
            }
            for index in faulty
        ]
        who = replace(lineage("gold_audit", None, None), system=None)
        commit(self.store, who, {"gold_faults": rows})

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        refresh(self.store, self.path)
        return query(self.path, sql)[1]


@pytest.fixture
def world(tmp_path: Path) -> World:
    world = World(tmp_path)
    commit_answers(world.store, lineage("answers"))
    commit_verdicts(world.store, lineage("judgements"), VERDICTS)
    return world


THREE = (
    "SELECT category, correct, scored, correct_without_faults, scored_without_faults, ceiling "
    "FROM accuracy_and_gold_faults "
)


def test_three_scores_counted_by_hand(world: World) -> None:
    # 1 is wrong, 3 and 5 are correct, 7 has no verdict, 9 is of category 5: not in the score.
    world.audit([1, 3, 5, 7, 9])
    assert world.rows(THREE + "WHERE category IS NULL") == [
        (None, 4, 7, 2, 4, pytest.approx(4 / 7))
    ]
    assert world.rows(THREE + "WHERE category IS NOT NULL ORDER BY category") == [
        (1, 2, 2, 1, 1, 0.5),
        (2, 0, 2, 0, 1, 0.5),
        (3, 1, 1, 1, 1, 1.0),
        (4, 1, 2, 0, 1, 0.5),
        (5, 2, 2, 1, 1, 0.5),
    ]
    ((accuracy, low, high),) = world.rows(
        "SELECT accuracy_without_faults, without_faults_low, without_faults_high "
        "FROM accuracy_and_gold_faults WHERE category IS NULL"
    )
    assert accuracy == 0.5
    assert (low, high) == pytest.approx(proportion_confint(2, 4, method="wilson"))


def test_a_wrong_citation_changes_no_score(world: World) -> None:
    world.audit([1, 3], corrupts_score=False)
    assert world.rows(THREE + "WHERE category IS NULL") == [(None, 4, 7, 4, 7, 1.0)]


def test_without_an_audit_there_are_no_rows(world: World) -> None:
    assert world.rows("FROM accuracy_and_gold_faults") == []


def test_the_audit_of_another_data_set_says_nothing_of_this_one(world: World) -> None:
    who = replace(lineage("gold_audit", None, None, dataset_sha256="e" * 64), system=None)
    fault = {"conversation": "conv-1", "question_index": 1, "corrupts_score": True}
    commit(world.store, who, {"gold_faults": [{**fault, "audit_sha256": AUDIT}]})
    assert world.rows("FROM accuracy_and_gold_faults") == []


def test_each_audit_has_its_rows_and_the_newest_is_marked(world: World) -> None:
    world.audit([1])
    world.audit([1])  # the same once more
    world.audit([1, 3], OTHER)
    assert world.rows(
        "SELECT audit_sha256[1], faulty_scored, is_newest_audit FROM accuracy_and_gold_faults "
        "WHERE category IS NULL ORDER BY ALL"
    ) == [("a", 1, False), ("b", 2, True)]
    assert world.rows(
        "SELECT audit_sha256[1], count(*) FROM current_gold_faults GROUP BY ALL ORDER BY ALL"
    ) == [("a", 1), ("b", 2)]


def test_verdicts_on_corrected_answers_are_a_series_that_can_reach_all(world: World) -> None:
    world.audit([1, 3])
    world.audit([5], OTHER)
    said = [
        judgement(
            index,
            "correct",
            judge="lexical, gold corrected@aaaaaaaa",
            audit_sha256=AUDIT,
            corrected_gold_answer=f"better {index}" if index in (1, 3) else None,
        )
        for index in range(10)
    ]
    commit(world.store, lineage("judgements"), {"judgements": said})
    assert world.rows(
        "SELECT judge, audit_sha256[1], ceiling FROM accuracy_and_gold_faults "
        "WHERE category IS NULL ORDER BY ALL"
    ) == [
        ("lexical", "a", pytest.approx(5 / 7)),
        ("lexical", "b", pytest.approx(6 / 7)),
        ("lexical, gold corrected@aaaaaaaa", "a", 1.0),
        ("lexical, gold corrected@aaaaaaaa", "b", pytest.approx(7 / 8)),
    ]
    assert world.rows(
        "SELECT judge, gold, gold_answer FROM current_judgements WHERE question_index IN (1, 2) "
        "ORDER BY judge, question_index"
    ) == [
        ("lexical", "published", "gold 1"),
        ("lexical", "published", "gold 2"),
        ("lexical, gold corrected@aaaaaaaa", "corrected", "better 1"),
        ("lexical, gold corrected@aaaaaaaa", "corrected", "gold 2"),
    ]


def test_pruning_keeps_every_audit(world: World) -> None:
    world.audit([1])
    world.audit([1, 3], OTHER)
    later = datetime.now(UTC) + timedelta(days=90)
    prune(world.store, world.path, keep_days=1, dry_run=False, now=later)
    assert world.rows("SELECT count(DISTINCT audit_sha256) FROM gold_faults") == [(2,)]
    assert {
        manifest.lineage.dataset_sha256 for manifest in world.store.manifests("gold_audit")
    } == {DATASET}
