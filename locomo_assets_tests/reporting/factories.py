"""Histories to report on, written row by row: nothing is measured for them."""

import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from locomo_assets.history.database import refresh
from locomo_assets.history.store import HistoryStore
from locomo_assets_tests.history.factories import answer, commit, judgement, lineage

RETRIEVED = 10
_TURNS_A_SESSION = 30
_FLAKY = 3
"""The question that a first round of r2 got wrong."""


def two_releases(folder: Path, *, conversations: int = 2, questions: int = 30) -> Path:
    """r1, and r2 that stored a fifth of the turns no more; of the shape of real ones. The database.

    Each turn is a memory; ten are retrieved for a question, its evidence among them where stored.
    Every fifth or sixth answer is wrong anyway; one without its evidence is wrong, too.
    """
    store = HistoryStore.open(folder.as_uri())
    dice = random.Random(0)
    words = ["".join(dice.choices("aeioulnrst", k=dice.randint(2, 9))) for _ in range(3000)]

    def text(count: int) -> str:
        return " ".join(dice.choices(words, k=count)).capitalize()

    names = [f"conv-{number + 1}" for number in range(conversations)]
    turns = {name: _turns(name, questions, text) for name in names}
    rows = {name: _questions(name, turns[name], questions, text) for name in names}
    commit(
        store,
        lineage("locomo_dataset", run_id="run-0"),
        {
            "conversations": [{"conversation": name, "source": "some.json"} for name in names],
            "sessions": [
                {"conversation": name, "session_index": session, "date_text": f"{session} May 2023"}
                for name in names
                for session in sorted({turn["session_index"] for turn in turns[name]})
            ],
            "turns": [turn for name in names for turn in turns[name]],
            "questions": [row for name in names for row in rows[name]],
        },
    )
    for release in ("r1", "r2"):
        for name in names:
            lost = {
                turn["dia_id"]
                for at, turn in enumerate(turns[name])
                if release == "r2" and at % 5 == 1
            }
            _measure(store, release, name, (turns[name], rows[name], lost), text)
    path = folder / "history.duckdb"
    refresh(store, path)
    return path


def _turns(conversation: str, questions: int, text: Any) -> list[dict[str, Any]]:
    return [
        {
            "conversation": conversation,
            "session_index": at // _TURNS_A_SESSION + 1,
            "turn_index": at % _TURNS_A_SESSION,
            "dia_id": f"D{at // _TURNS_A_SESSION + 1}:{at % _TURNS_A_SESSION + 1}",
            "speaker": ("Ann", "Ben")[at % 2],
            "text": text(24),
        }
        for at in range(4 * questions)
    ]


def _questions(
    conversation: str, turns: Sequence[dict[str, Any]], questions: int, text: Any
) -> list[dict[str, Any]]:
    return [
        {
            "conversation": conversation,
            "question_index": index,
            "category": index % 4 + 1,
            "question": f"{text(9)}?",
            "gold_answer": text(4),
            # An odd question has a second piece of evidence.
            "evidence": [turns[4 * index + n]["dia_id"] for n in range(1 + index % 2)],
        }
        for index in range(questions)
    ]


def _measure(
    store: HistoryStore,
    release: str,
    conversation: str,
    there: tuple[Sequence[dict[str, Any]], Sequence[dict[str, Any]], set[str]],
    text: Any,
) -> None:
    turns, questions, lost = there
    mark = f"{release}-{conversation}"
    stored = [turn for turn in turns if turn["dia_id"] not in lost]
    memory_of = {turn["dia_id"]: f"{mark}-{turn['dia_id']}" for turn in stored}
    commit(
        store,
        lineage("ingested_memories", release, conversation),
        {
            "ingestions": [{"ingestion_id": mark, "ingest_protocol": "turns"}],
            "memory_operations": [
                {
                    "ingestion_id": mark,
                    "dia_id": turn["dia_id"],
                    "status": "error" if turn["dia_id"] in lost else "completed",
                    "memory_ids": [] if turn["dia_id"] in lost else [memory_of[turn["dia_id"]]],
                }
                for turn in turns
            ],
            "memories": [
                {
                    "ingestion_id": mark,
                    "memory_id": memory_of[turn["dia_id"]],
                    "memory": f"{turn['speaker']}: {turn['text']}",
                }
                for turn in stored
            ],
        },
    )
    if release == "r2" and conversation == "conv-1":
        _commit_round(store, release, conversation, [(questions[_FLAKY], [], "wrong")], text)
    asked = []
    for row in questions:
        evidence = [dia_id for dia_id in row["evidence"] if dia_id in memory_of]
        others = [turn["dia_id"] for turn in stored if turn["dia_id"] not in row["evidence"]]
        found = [others[row["question_index"]], *evidence, *others[-RETRIEVED:]][:RETRIEVED]
        memories = [
            {"memory_id": memory_of[turn["dia_id"]], "memory": f"{turn['speaker']}: {turn['text']}"}
            for dia_id in found
            for turn in turns
            if turn["dia_id"] == dia_id
        ]
        is_hard = row["question_index"] % (5 if conversation == "conv-1" else 6) == 0
        is_right = len(evidence) == len(row["evidence"]) and not is_hard
        asked.append((row, memories, "correct" if is_right else "wrong"))
    _commit_round(store, release, conversation, asked, text)


def _commit_round(
    store: HistoryStore,
    release: str,
    conversation: str,
    asked: Sequence[tuple[dict[str, Any], Sequence[dict[str, Any]], str]],
    text: Any,
) -> None:
    memory, mark = f"{release}-{conversation}", f"{release}-{conversation}-{len(asked)}"
    shared = [{"category": row["category"], "ingestion_id": memory} for row, _, _ in asked]
    answers = [
        answer(
            row["question_index"],
            mark,
            question=row["question"],
            answer=text(12),
            memory_mode="Readonly",
            retrieved=len(memories),
            **columns,
        )
        for (row, memories, _), columns in zip(asked, shared, strict=True)
    ]
    retrieved = [
        {"answer_id": f"{mark}-{row['question_index']}", "rank": rank, **one}
        for row, memories, _ in asked
        for rank, one in enumerate(memories, start=1)
    ]
    commit(
        store,
        lineage("answers", release, conversation),
        {"answers": answers, "retrieved_memories": retrieved},
    )
    verdicts = [
        judgement(row["question_index"], verdict, mark, reasoning=text(20), **columns)
        for (row, _, verdict), columns in zip(asked, shared, strict=True)
    ]
    commit(store, lineage("judgements", release, conversation), {"judgements": verdicts})
