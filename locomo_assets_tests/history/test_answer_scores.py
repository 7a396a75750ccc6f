"""The table `answer_scores`: text scores, and retrieval against rules written out here."""

import random
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from locomo_assets.history.database import tables as database_tables
from locomo_assets.history.store import HistoryStore
from locomo_assets.locomo import text_scores
from locomo_assets_tests.history.factories import (
    QueriedHistory,
    answer,
    commit,
    commit_dataset,
    commit_verdicts,
    lineage,
)


def commit_questions(store: HistoryStore, *rows: dict[str, Any]) -> None:
    numbered = [
        {"conversation": "conv-1", "question_index": i, "question": f"Q{i}", **row}
        for i, row in enumerate(rows)
    ]
    commit(store, lineage("locomo_dataset"), {"questions": numbered})


def commit_memories(store: HistoryStore, turns_of_memory: Mapping[str, Sequence[str]]) -> None:
    """One memory operation per turn that a memory came from."""
    rows = [
        {"ingestion_id": "ingestion-1", "dia_id": dia_id, "memory_ids": [memory]}
        for memory, dia_ids in turns_of_memory.items()
        for dia_id in dia_ids
    ]
    commit(store, lineage("ingested_memories"), {"memory_operations": rows})


def commit_retrieval(
    store: HistoryStore, rows: Sequence[dict[str, Any]], retrieved: Sequence[Sequence[str]]
) -> None:
    commit(
        store,
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


RETRIEVAL = "recall_at_1, recall_at_5, recall_at_10, reciprocal_rank, memories_traced"


def test_texts_are_scored_as_the_domain_does(history: QueriedHistory) -> None:
    golds = ["Baking, pottery", "4 May", "Likely no; for reasons", "A cedar canoe", None]
    commit_questions(
        history.store,
        *(
            {"category": 1 + i, "gold_answer": gold, "adversarial_answer": "Walnuts"}
            for i, gold in enumerate(golds)
        ),
    )
    answers = ["pottery", "May 4th", "no likely", "the cedar canoes", "Walnuts, I think"]
    commit_retrieval(
        history.store,
        [{"answer": text, "category": i + 1} for i, text in enumerate(answers)],
        [[]] * 5,
    )
    assert history.rows(
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
    assert history.rows("SELECT abstained, trapped, other FROM abstention_by_release") == [
        (0, 1, 0)
    ]
    ((questions, f1),) = history.rows("SELECT questions, f1 FROM scores_by_release")
    assert (questions, f1) == (4, pytest.approx((0.5 + 0.5 + 1.0 + 1.0) / 4))


def test_what_does_not_apply_is_null_not_nothing(history: QueriedHistory) -> None:
    commit_questions(
        history.store,
        *({"category": 4, "gold_answer": "g", "evidence": ["D1:1"]} for _ in range(4)),
    )
    commit_memories(history.store, {"m1": ["D1:1"]})
    columns: list[dict[str, Any]] = [
        {"outcome": "unanswered", "answer": None},
        {"memory_mode": "off"},
        {"retrieved": None},
        {"answer": "g"},
    ]
    commit_retrieval(
        history.store, [{"category": 4, **row} for row in columns], [[], [], [], ["foreign"]]
    )
    nothing = (None, None, None, None)
    assert history.rows(
        f"SELECT f1, answer_words, {RETRIEVAL} FROM answer_scores ORDER BY question_index"
    ) == [
        (None, None, *nothing, 0),
        (0.0, 3, *nothing, None),
        (0.0, 3, *nothing, None),
        (1.0, 1, *nothing, 0),
    ]
    assert history.rows(
        "SELECT questions, questions_with_evidence, questions_with_retrieval, memories_traceable "
        "FROM retrieval_by_category"
    ) == [(4, 4, 0, 0.0)]


TURNS = [f"D1:{n}" for n in range(1, 13)]


def test_retrieval_is_what_its_definition_says(history: QueriedHistory) -> None:
    dice = random.Random(5)
    memories = {f"m{n}": dice.sample(TURNS, dice.randint(1, 2)) for n in range(12)}
    evidences = [dice.sample(TURNS, dice.randint(0, 3)) for _ in range(80)]
    # m12 to m15 can't be traced
    retrieved = [dice.sample([f"m{n}" for n in range(16)], dice.randint(0, 14)) for _ in range(80)]
    commit_questions(
        history.store, *({"category": 4, "gold_answer": "g", "evidence": e} for e in evidences)
    )
    commit_memories(history.store, memories)
    commit_retrieval(history.store, [{}] * 80, retrieved)
    rows = history.rows(f"SELECT {RETRIEVAL} FROM answer_scores ORDER BY question_index")
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


def test_scores_follow_a_late_ingestion_and_a_new_answer(history: QueriedHistory) -> None:
    commit_questions(history.store, {"category": 4, "gold_answer": "Bath", "evidence": ["D1:1"]})
    commit_retrieval(history.store, [{"answer": "Bath"}], [["m1"]])
    assert history.rows("SELECT f1, recall_at_1 FROM answer_scores") == [(1.0, None)]
    commit_memories(history.store, {"m1": ["D1:1"]})
    assert history.rows("SELECT f1, recall_at_1 FROM answer_scores") == [(1.0, 1.0)]
    commit_retrieval(history.store, [{"answer": "Wells"}], [["m1"]])
    assert history.rows("SELECT f1, recall_at_1 FROM answer_scores") == [(0.0, 1.0)]


def test_a_new_scoring_version_recomputes_all_scores(
    history: QueriedHistory, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit_questions(history.store, {"category": 4, "gold_answer": "Bath"})
    commit_retrieval(history.store, [{"answer": "Bath"}], [[]])
    assert history.rows("SELECT f1 FROM answer_scores") == [(1.0,)]
    monkeypatch.setattr("locomo_assets.history.database.functions.token_f1", lambda *_: 0.25)
    assert history.rows("SELECT f1 FROM answer_scores") == [(1.0,)]
    monkeypatch.setattr(text_scores, "VERSION", text_scores.VERSION + 1)
    database_tables.definitions_sha256.cache_clear()
    try:
        assert history.rows("SELECT f1 FROM answer_scores") == [(0.25,)]
    finally:
        monkeypatch.undo()
        database_tables.definitions_sha256.cache_clear()


def _measured(
    history: QueriedHistory, release: str, protocol: str, verdicts: Sequence[str]
) -> None:
    mark = f"{release}{protocol}"
    rows = [answer(i, mark, question_protocol=protocol) for i in range(len(verdicts))]
    commit(history.store, lineage("answers", release), {"answers": rows})
    who = lineage("judgements", release)
    commit_verdicts(history.store, who, verdicts, mark=mark, question_protocol=protocol)


REFERENCES = (
    "SELECT release, accuracy, no_memory_release, no_memory_questions, memory_adds_points, "
    "full_context_accuracy, full_context_ahead_points FROM reference_lines ORDER BY position"
)


def test_reference_lines_compare_the_questions_scored_in_both(history: QueriedHistory) -> None:
    commit_dataset(history.store, questions=4)
    _measured(history, "r1", "isolated", ["correct", "correct", "wrong", "wrong"])
    assert history.rows(REFERENCES) == []
    _measured(history, "r1", "no-memory", ["wrong", "unscored"])
    _measured(history, "r1", "full-context", ["correct"] * 4)
    _measured(history, "r1", "evidence-only", ["correct", "wrong"])
    assert history.rows(REFERENCES) == [("r1", 0.5, "r1", 1, 100.0, 1.0, 50.0)]
    assert history.rows(
        "SELECT evidence_only_release, evidence_only_questions, evidence_only_accuracy, "
        "evidence_only_ahead_points FROM reference_lines"
    ) == [("r1", 2, 0.5, -50.0)]


def test_a_release_without_references_takes_the_nearest_ones(history: QueriedHistory) -> None:
    commit_dataset(history.store, questions=2)
    for release in ("r1", "r2", "r3"):
        _measured(history, release, "isolated", ["correct", "correct"])
    _measured(history, "r2", "no-memory", ["wrong", "correct"])
    assert history.rows(REFERENCES) == [
        (release, 1.0, "r2", 2, 50.0, None, None) for release in ("r1", "r2", "r3")
    ]
