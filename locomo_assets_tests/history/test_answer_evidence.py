"""The tables `memory_turns` and `answer_evidence`, and the view `diagnosis`."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest

from locomo_assets_tests.history.factories import (
    QueriedHistory,
    answer,
    commit,
    commit_verdicts,
    judgement,
    lineage,
)

TURNS = {
    "D1:1": ("Ada", "I repaired grandmother's harpsichord last weekend."),
    "D1:2": ("Ben", "I adopted a greyhound called Comet from the shelter in Leeds."),
    "D1:3": ("Ada", "My sister moved to Lisbon to study marine biology."),
}
PLACE = {"ingestion_id": "ingestion-1"}


def commit_conversation(history: QueriedHistory, *evidence: Sequence[str]) -> None:
    """The turns, and a question for each of the lists of evidence."""
    questions = [
        {
            "conversation": "conv-1",
            "question_index": i,
            "category": 4,
            "question": f"Q{i}",
            "gold_answer": "a gold answer",
            "evidence": list(dia_ids),
        }
        for i, dia_ids in enumerate(evidence)
    ]
    turns = [
        {"conversation": "conv-1", "dia_id": dia_id, "speaker": speaker, "text": text}
        for dia_id, (speaker, text) in TURNS.items()
    ]
    who = replace(lineage("locomo_dataset", None), system=None)
    commit(history.store, who, {"questions": questions, "turns": turns})


def commit_operations(
    history: QueriedHistory,
    operations: Mapping[str, tuple[str, Sequence[str]]],
    memories: Mapping[str, str | None],
) -> None:
    """Each turn's operation with its status and memories, and the memories that were listed."""
    rows = [
        {**PLACE, "dia_id": dia_id, "status": status, "memory_ids": list(ids)}
        for dia_id, (status, ids) in operations.items()
    ]
    listed = [{**PLACE, "memory_id": one, "memory": text} for one, text in memories.items()]
    who = lineage("ingested_memories")
    commit(history.store, who, {"memory_operations": rows, "memories": listed})


def commit_answers(history: QueriedHistory, *retrieved: Mapping[str, str], **columns: Any) -> None:
    """An answer a question, with the memories retrieved for it in order of rank."""
    answers = [
        {**answer(i), "memory_mode": "Readonly", "retrieved": len(found), "category": 4, **columns}
        for i, found in enumerate(retrieved)
    ]
    memories = [
        {"answer_id": f"a-{i}", "question_index": i, "rank": rank, "memory_id": one, "memory": text}
        for i, found in enumerate(retrieved)
        for rank, (one, text) in enumerate(found.items(), start=1)
    ]
    rows = {"answers": answers, "retrieved_memories": memories}
    commit(history.store, lineage("answers"), rows)


def stages(history: QueriedHistory) -> list[tuple[Any, ...]]:
    return history.rows(
        "SELECT stage, evidence_stored, evidence_retrieved, first_rank FROM answer_evidence "
        "ORDER BY question_index"
    )


FACTS = {
    "m1": "Ada repaired her grandmother's harpsichord.",
    "m2": "Ben adopted Comet, a greyhound, from a shelter in Leeds.",
}


def test_memories_are_traced_by_the_operations_that_name_them(history: QueriedHistory) -> None:
    commit_conversation(history, ["D1:1"], ["D1:2"], ["D1:3"], ["D1:1", "D1:2"])
    operations = {
        "D1:1": ("completed", ["m1"]),
        "D1:2": ("completed", ["m2"]),
        "D1:3": ("error", []),
    }
    commit_operations(history, operations, FACTS)
    both = {"m2": FACTS["m2"], "m1": FACTS["m1"]}
    commit_answers(history, both, {"m1": FACTS["m1"]}, both, {"m2": FACTS["m2"]})
    assert stages(history) == [
        ("retrieved", 1, 1, 2),
        ("not_retrieved", 1, 0, None),
        ("never_stored", 0, 0, None),
        ("not_retrieved", 2, 1, 1),
    ]
    assert history.rows("SELECT DISTINCT traced_by FROM memory_turns") == [("operation",)]


def test_a_completed_operation_without_a_memory_has_stored_nothing(history: QueriedHistory) -> None:
    commit_conversation(history, ["D1:3"])
    commit_operations(
        history, {"D1:1": ("completed", ["m1"]), "D1:3": ("completed", [])}, {"m1": FACTS["m1"]}
    )
    commit_answers(history, {"m1": FACTS["m1"]})
    assert stages(history) == [("never_stored", 0, 0, None)]


def test_a_memory_that_is_listed_no_more_is_not_stored(history: QueriedHistory) -> None:
    commit_conversation(history, ["D1:1"])
    operations = {"D1:1": ("completed", ["m1"]), "D1:2": ("completed", ["m2"])}
    commit_operations(history, operations, {"m2": FACTS["m2"]})
    commit_answers(history, {"m2": FACTS["m2"]})
    assert stages(history) == [("never_stored", 0, 0, None)]


NAMELESS: dict[str, tuple[str, list[str]]] = {one: ("completed", []) for one in TURNS}
OTHER = "They like each other."


def test_where_no_operation_names_memories_their_words_tell(history: QueriedHistory) -> None:
    commit_conversation(history, ["D1:1"], ["D1:2"], ["D1:3"])
    commit_operations(history, NAMELESS, {**FACTS, "m9": OTHER})
    commit_answers(history, {"m1": FACTS["m1"], "m9": OTHER}, {"m9": OTHER}, {"m9": OTHER})
    assert stages(history) == [
        ("retrieved", 1, 1, 1),
        ("not_retrieved", 1, 0, None),
        ("never_stored", 0, 0, None),
    ]
    assert history.rows("SELECT DISTINCT traced_by FROM memory_turns") == [("words",)]


def test_where_words_find_few_turns_missing_ones_prove_nothing(history: QueriedHistory) -> None:
    commit_conversation(history, ["D1:1"], ["D1:3"], ["D1:3"])
    strange = {f"m{n}": f"Fact number {n}, in other words." for n in range(7, 12)}
    commit_operations(history, NAMELESS, {"m1": FACTS["m1"], **strange})
    commit_answers(history, {"m1": FACTS["m1"]}, {"m7": strange["m7"]}, {})
    assert stages(history) == [
        ("retrieved", 1, 1, 1),
        ("unknown", None, None, None),
        ("not_retrieved", None, 0, None),
    ]
    assert history.rows("SELECT detail_if_wrong FROM answer_evidence WHERE question_index = 2") == [
        ("D1:3 was not retrieved, and it is not known whether it is stored",)
    ]


def test_a_failed_operation_is_known_without_any_trace(history: QueriedHistory) -> None:
    commit_conversation(history, ["D1:1"], ["D1:2"])
    commit_operations(history, {"D1:1": ("timed_out", []), "D1:2": ("timed_out", [])}, FACTS)
    commit_answers(history, {"m2": FACTS["m2"]}, {"m2": FACTS["m2"]})
    # The memory of D1:1 formed later nevertheless: the listing has it.
    assert stages(history) == [("not_retrieved", 1, 0, None), ("retrieved", 1, 1, 1)]
    commit_operations(history, {"D1:1": ("timed_out", [])}, {})
    commit_conversation(history, ["D1:3"], ["D1:2"])
    commit_operations(history, {"D1:3": ("error", [])}, {})
    assert stages(history)[0] == ("never_stored", 0, 0, None)


def test_imported_memories_are_traced_by_their_words(history: QueriedHistory) -> None:
    commit_conversation(history, ["D1:1"], ["D1:2"])
    texts = ["Ada repaired her grandmother's harpsichord.", "They like each other."]
    rows = {
        "answers": [
            {**answer(i), "ingestion_id": None, "retrieved": 2, "category": 4} for i in range(2)
        ],
        "retrieved_memories": [
            {
                "conversation": "conv-1",
                "answer_id": f"a-{i}",
                "question_index": i,
                "rank": 1 + at,
                "memory": text,
            }
            for i in range(2)
            for at, text in enumerate(texts)
        ],
    }
    for row in rows["answers"]:
        row["conversation"] = "conv-1"
    commit(history.store, lineage("imported_results", conversation=None), rows)
    assert stages(history) == [("retrieved", 1, 1, 1), ("unknown", None, None, None)]


@pytest.mark.parametrize(
    ("protocol", "stage", "retrieved"),
    [("no-memory", "unknown", None), ("full-context", "retrieved", 1)],
)
def test_without_memory_only_the_message_can_hold_evidence(
    history: QueriedHistory, protocol: str, stage: str, retrieved: int | None
) -> None:
    commit_conversation(history, ["D1:1"])
    commit_answers(history, {}, memory_mode="off", question_protocol=protocol)
    assert stages(history) == [(stage, None, retrieved, None)]


def diagnosed(history: QueriedHistory) -> list[tuple[Any, ...]]:
    return history.rows("SELECT judge, reason, detail FROM diagnosis ORDER BY judge")


def measured(history: QueriedHistory, verdict: str = "wrong", **columns: Any) -> None:
    commit_conversation(history, ["D1:1"])
    commit_operations(history, {"D1:1": ("completed", ["m1"])}, {"m1": FACTS["m1"]})
    commit_answers(history, {"m1": FACTS["m1"]}, **{"answer": "In Rome.", **columns})
    commit_verdicts(history.store, lineage("judgements"), [verdict])


def test_a_right_answer_has_no_row(history: QueriedHistory) -> None:
    measured(history, "correct")
    assert diagnosed(history) == []


def test_a_wrong_answer_has_its_reason(history: QueriedHistory) -> None:
    measured(history)
    assert [row[1:] for row in diagnosed(history)] == [
        ("retrieved_not_used", "wrong with the evidence D1:1 (rank 1) at hand")
    ]


def test_an_answer_that_contains_the_gold_answer_is_doubtful(history: QueriedHistory) -> None:
    measured(history, answer="That is a gold answer.")
    assert [row[1:] for row in diagnosed(history)] == [
        ("judge_doubtful", "the answer contains the gold answer")
    ]


def test_judges_that_disagree_make_the_stricter_one_doubtful(history: QueriedHistory) -> None:
    measured(history)
    other = {**judgement(0, "correct"), "judgement_id": "other", "judge": "another"}
    commit(history.store, lineage("judgements"), {"judgements": [other]})
    assert [row[1:] for row in diagnosed(history)] == [
        ("judge_doubtful", "judge another says correct")
    ]


def test_votes_that_disagree_are_doubtful(history: QueriedHistory) -> None:
    measured(history)
    split = {**judgement(0, "wrong"), "agreement": 2 / 3, "votes": 3}
    commit(history.store, lineage("judgements"), {"judgements": [split]})
    assert [row[1:] for row in diagnosed(history)] == [
        ("judge_doubtful", "only 67 % of the votes say wrong")
    ]


def test_a_faulty_gold_answer_comes_first_unless_the_judge_had_its_correction(
    history: QueriedHistory,
) -> None:
    measured(history, answer="That is a gold answer.")
    fault = {
        "conversation": "conv-1",
        "question_index": 0,
        "audit_sha256": "a" * 64,
        "error_type": "TEMPORAL_ERROR",
        "corrupts_score": True,
        "correct_answer": "another",
    }
    audit = replace(lineage("gold_audit", None, None), system=None)
    commit(history.store, audit, {"gold_faults": [fault]})
    assert [row[1:] for row in diagnosed(history)] == [
        ("gold_faulty", "an audit calls its gold answer wrong: temporal error")
    ]
    repaired = {**judgement(0, "wrong"), "audit_sha256": "a" * 64}
    commit(history.store, lineage("judgements"), {"judgements": [repaired]})
    assert [row[1] for row in diagnosed(history)] == ["judge_doubtful"]
