"""Scores in the database: texts by `text_scores`, retrieval against rules written out here."""

import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from locomo_assets.history import database, database_tables
from locomo_assets.history.store import HistoryStore
from locomo_assets.locomo import text_scores
from locomo_assets_tests.history.factories import (
    answer,
    commit,
    commit_dataset,
    commit_verdicts,
    lineage,
)


class World:
    def __init__(self, folder: Path) -> None:
        self.store = HistoryStore.open(folder.as_uri())
        self.path = folder / "history.duckdb"

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        database.refresh(self.store, self.path)
        return database.query(self.path, sql)[1]

    def questions(self, *rows: dict[str, Any]) -> None:
        numbered = [
            {"conversation": "conv-1", "question_index": i, "question": f"Q{i}", **row}
            for i, row in enumerate(rows)
        ]
        commit(self.store, lineage("locomo_dataset"), {"questions": numbered})

    def remembered(self, turns_of_memory: Mapping[str, Sequence[str]]) -> None:
        """Operations that made each memory out of its turns."""
        rows = [
            {"ingestion_id": "ingestion-1", "dia_id": dia_id, "memory_ids": [memory]}
            for memory, dia_ids in turns_of_memory.items()
            for dia_id in dia_ids
        ]
        commit(self.store, lineage("ingested_memories"), {"memory_operations": rows})

    def answered(self, rows: Sequence[dict[str, Any]], retrieved: Sequence[Sequence[str]]) -> None:
        commit(
            self.store,
            lineage("answers"),
            {
                "answers": [
                    {**answer(i), "memory_mode": "Readonly", "retrieved": len(retrieved[i]), **row}
                    for i, row in enumerate(rows)
                ],
                "retrieved_memories": [
                    {"answer_id": f"a-{i}", "question_index": i, "rank": rank, "memory_id": memory}
                    for i, memories in enumerate(retrieved)
                    for rank, memory in enumerate(memories, start=1)
                ],
            },
        )


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


RETRIEVAL = "recall_at_1, recall_at_5, recall_at_10, reciprocal_rank, memories_traced"


def test_texts_are_scored_as_the_domain_does(world: World) -> None:
    golds = ["Baking, pottery", "4 May", "Likely no; for reasons", "A cedar canoe", None]
    world.questions(
        *(
            {"category": 1 + i, "gold_answer": gold, "adversarial_answer": "Walnuts"}
            for i, gold in enumerate(golds)
        )
    )
    answers = ["pottery", "May 4th", "no likely", "the cedar canoes", "Walnuts, I think"]
    world.answered(
        [{"answer": text, "category": i + 1} for i, text in enumerate(answers)], [[]] * 5
    )
    assert world.rows(
        "SELECT f1, exact_match, abstention, answer_words FROM answer_scores "
        "ORDER BY question_index"
    ) == [
        (
            text_scores.token_f1(i + 1, gold, text),
            text_scores.exact_match(i + 1, gold, text),
            text_scores.abstention(i + 1, f"Q{i}", "Walnuts", text),
            len(text.split()),
        )
        for i, (gold, text) in enumerate(zip(golds, answers, strict=True))
    ]
    assert world.rows("SELECT abstained, trapped, other FROM abstention_by_release") == [(0, 1, 0)]
    ((questions, f1),) = world.rows("SELECT questions, f1 FROM scores_by_release")
    assert (questions, f1) == (4, pytest.approx((0.5 + 0.5 + 1.0 + 1.0) / 4))


def test_what_does_not_apply_is_null_not_nothing(world: World) -> None:
    world.questions(*({"category": 4, "gold_answer": "g", "evidence": ["D1:1"]} for _ in range(4)))
    world.remembered({"m1": ["D1:1"]})
    columns: list[dict[str, Any]] = [
        {"outcome": "unanswered", "answer": None},
        {"memory_mode": "off"},
        {"retrieved": None},
        {"answer": "g"},
    ]
    world.answered([{"category": 4, **row} for row in columns], [[], [], [], ["foreign"]])
    nothing = (None, None, None, None)
    assert world.rows(
        f"SELECT f1, answer_words, {RETRIEVAL} FROM answer_scores ORDER BY question_index"
    ) == [
        (None, None, *nothing, 0),
        (0.0, 3, *nothing, None),
        (0.0, 3, *nothing, None),
        (1.0, 1, *nothing, 0),
    ]
    assert world.rows(
        "SELECT questions, questions_with_evidence, questions_with_retrieval, memories_traceable "
        "FROM retrieval_by_category"
    ) == [(4, 4, 0, 0.0)]


TURNS = [f"D1:{n}" for n in range(1, 13)]


def test_retrieval_is_what_its_definition_says(world: World) -> None:
    dice = random.Random(5)
    memories = {f"m{n}": dice.sample(TURNS, dice.randint(1, 2)) for n in range(12)}
    evidences = [dice.sample(TURNS, dice.randint(0, 3)) for _ in range(80)]
    # m12 to m15 can't be traced
    retrieved = [dice.sample([f"m{n}" for n in range(16)], dice.randint(0, 14)) for _ in range(80)]
    world.questions(*({"category": 4, "gold_answer": "g", "evidence": e} for e in evidences))
    world.remembered(memories)
    world.answered([{}] * 80, retrieved)
    rows = world.rows(f"SELECT {RETRIEVAL} FROM answer_scores ORDER BY question_index")
    assert len(rows) == 80
    for row, evidence, ids in zip(rows, evidences, retrieved, strict=True):
        ranks = [memories.get(memory, []) for memory in ids]
        traced = sum(bool(turns) for turns in ranks)
        if not evidence or (ids and not traced):
            assert row == (None, None, None, None, traced)
            continue
        recalls = [
            len({turn for turns in ranks[:k] for turn in turns} & set(evidence)) / len(evidence)
            for k in (1, 5, 10)
        ]
        hits = [rank for rank, turns in enumerate(ranks, 1) if set(turns) & set(evidence)]
        assert row == pytest.approx((*recalls, 1 / hits[0] if hits else 0.0, traced))


def test_scores_follow_a_late_ingestion_and_a_new_answer(world: World) -> None:
    world.questions({"category": 4, "gold_answer": "Bath", "evidence": ["D1:1"]})
    world.answered([{"answer": "Bath"}], [["m1"]])
    assert world.rows("SELECT f1, recall_at_1 FROM answer_scores") == [(1.0, None)]
    world.remembered({"m1": ["D1:1"]})
    assert world.rows("SELECT f1, recall_at_1 FROM answer_scores") == [(1.0, 1.0)]
    world.answered([{"answer": "Wells"}], [["m1"]])
    assert world.rows("SELECT f1, recall_at_1 FROM answer_scores") == [(0.0, 1.0)]


def test_a_new_scoring_version_scores_everything_anew(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.questions({"category": 4, "gold_answer": "Bath"})
    world.answered([{"answer": "Bath"}], [[]])
    assert world.rows("SELECT f1 FROM answer_scores") == [(1.0,)]
    monkeypatch.setattr("locomo_assets.history.database_tables.token_f1", lambda *_: 0.25)
    assert world.rows("SELECT f1 FROM answer_scores") == [(1.0,)]
    monkeypatch.setattr(database_tables, "SCORING_VERSION", text_scores.VERSION + 1)
    database_tables.definitions_sha256.cache_clear()
    try:
        assert world.rows("SELECT f1 FROM answer_scores") == [(0.25,)]
    finally:
        monkeypatch.undo()
        database_tables.definitions_sha256.cache_clear()


def _measured(world: World, release: str, protocol: str, verdicts: Sequence[str]) -> None:
    mark = f"{release}{protocol}"
    rows = [answer(i, mark, question_protocol=protocol) for i in range(len(verdicts))]
    commit(world.store, lineage("answers", release), {"answers": rows})
    who = lineage("judgements", release)
    commit_verdicts(world.store, who, verdicts, mark=mark, question_protocol=protocol)


REFERENCES = (
    "SELECT release, accuracy, no_memory_release, no_memory_questions, memory_adds_points, "
    "full_context_accuracy, full_context_ahead_points FROM reference_lines ORDER BY position"
)


def test_reference_lines_compare_the_questions_scored_in_both(world: World) -> None:
    commit_dataset(world.store, questions=4)
    _measured(world, "r1", "isolated", ["correct", "correct", "wrong", "wrong"])
    assert world.rows(REFERENCES) == []
    _measured(world, "r1", "no-memory", ["wrong", "unscored"])
    _measured(world, "r1", "full-context", ["correct"] * 4)
    assert world.rows(REFERENCES) == [("r1", 0.5, "r1", 1, 100.0, 1.0, 50.0)]


def test_a_release_without_references_takes_the_nearest_ones(world: World) -> None:
    commit_dataset(world.store, questions=2)
    for release in ("r1", "r2", "r3"):
        _measured(world, release, "isolated", ["correct", "correct"])
    _measured(world, "r2", "no-memory", ["wrong", "correct"])
    assert world.rows(REFERENCES) == [
        (release, 1.0, "r2", 2, 50.0, None, None) for release in ("r1", "r2", "r3")
    ]
