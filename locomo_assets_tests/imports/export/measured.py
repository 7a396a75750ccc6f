"""A measured release of the packaged sample that has a bit of everything an export must keep."""

from pathlib import Path
from typing import Any

from locomo_assets.history import database
from locomo_assets.history.store import HistoryStore
from locomo_assets.imports.export.read import read_export
from locomo_assets.imports.export.write import export_releases
from locomo_assets.imports.save import save_imports
from locomo_assets.prices import PriceTable
from locomo_assets.runs.datasets import store_dataset
from locomo_assets_tests.history.factories import answer, commit, judgement, lineage
from locomo_assets_tests.imports.files import SAMPLE

LABEL = "isolated, memory pro, tok_k 20"
GENEROUS, STRICT = "gpt-4.1/generous@1a2b3c4d", "gpt-4.1/strict@5e6f7a8b"


class History:
    """A history with its database."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.store = HistoryStore.open((folder / "history").as_uri())
        self.path = folder / "history.duckdb"

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        database.refresh(self.store, self.path)
        return database.query(self.path, sql)[1]

    def export(
        self, target: Path, *, release: str = "r1", with_gold: bool = False, key: Path | None = None
    ) -> Path:
        database.refresh(self.store, self.path)
        export_releases(
            self.path, [release], target, with_gold=with_gold, prices=PriceTable.read(),
            sign_key=key,
        )  # fmt: skip
        return target

    def import_from(self, folder: Path, release: str | None = None) -> None:
        save_imports(self.store, SAMPLE, read_export(folder, SAMPLE, release), "run-i")


def measure(history: History, release: str = "r1", *, judged: bool = True) -> None:
    """Two question protocols, two judges, category 5, and each way to have no verdict."""
    store_dataset(history.store, SAMPLE, "run-0")
    for conversation in SAMPLE.conversations:
        for protocol in ("isolated", LABEL):
            who = (release, conversation.conversation, f"run-{protocol[:9]}", SAMPLE.sha256)
            answers, memories, verdicts = [], [], []
            for question in conversation.questions:
                index = question.question_index
                mark = f"{protocol}-{conversation.conversation}"
                asked = {"category": question.category, "question_protocol": protocol}
                text = {"question": question.question, **asked}
                answers.append(answer(index, mark, **text, **_answered(index, protocol)))
                memories += _memories(index, mark)
                verdicts += _verdicts(index, mark, question.gold_answer or "nothing", asked)
            commit(
                history.store,
                lineage("answers", *who),
                {"answers": answers, "retrieved_memories": memories},
            )
            if judged:
                commit(history.store, lineage("judgements", *who), {"judgements": verdicts})


def _answered(index: int, protocol: str) -> dict[str, Any]:
    if index % 7 == 3:
        missing = {"outcome": "unanswered", "reason": "HTTP 500", "answer": None, "retrieved": None}
        return {**missing, "cost_usd": None, "latency_ms": None, "input_tokens": None}
    own = protocol == LABEL
    return {
        "retrieved": {0: 2, 1: 0, 2: 5}.get(index % 3),
        "memory_mode": "Readonly",
        "llm_provider": "google",
        "llm_model": None if index == 5 else "gemini-2.5-pro",
        "in_flight": 3,
        "cost_usd": None if index == 6 else index / 1024,
        "options_json": '{"memory":"pro"}' if own else None,
        "answer_system": "openai" if own else None,
        "prompt_name": "plain" if own else None,
        "prompt_sha256": "5" * 64 if own else None,
        "memory_tokens": 70 + index if own else None,
    }


def _memories(index: int, mark: str) -> list[dict[str, Any]]:
    """Two memories of every third question; of the five of another, three were lost."""
    count = {0: 2, 2: 2}.get(index % 3, 0) if index % 7 != 3 else 0
    return [
        {
            "answer_id": f"{mark}-{index}",
            "question_index": index,
            "rank": rank,
            "memory_id": f"memory-{rank}" if rank == 1 else None,
            "memory": f"They said “{index}”.\u2028",
            "score": 1 / 3 if rank == 1 else None,
        }
        for rank in range(1, count + 1)
    ]


def _verdicts(index: int, mark: str, gold: str, asked: dict[str, Any]) -> list[dict[str, Any]]:
    unanswered = index % 7 == 3
    found = []
    for judge, rate in ((GENEROUS, 2), (STRICT, 3)):
        who = {
            "judge": judge,
            "judge_system": "openai",
            "judge_model": "gpt-4.1",
            "prompt_name": judge.partition("/")[2].partition("@")[0],
            "prompt_sha256": "7" * 64,
            "judge_parameters_json": '{"temperature":0}',
            "votes": 3,
            "asked_by": "direct",
            **asked,
        }
        if judge == STRICT and index % 5 == 4:
            continue
        if unanswered:
            found.append(judgement(index, "unanswered", mark, **who, reason="HTTP 500",
                                   reasoning=None, agreement=None))  # fmt: skip
        elif index % 11 == 2:
            found.append(judgement(index, "unscored", mark, **who, reason="HTTP 429",
                                   reasoning=None, agreement=None))  # fmt: skip
        else:
            said = f"The gold answer is {gold}." if index % 2 else "So it is."
            corrected = {"audit_sha256": "9" * 64, "corrected_gold_answer": "another"}
            found.append(
                judgement(
                    index, "wrong" if index % rate else "correct", mark, **who, reasoning=said,
                    agreement=2 / 3, input_tokens=100 + index, output_tokens=7,
                    **(corrected if judge == STRICT else {}),
                )
            )  # fmt: skip
    return found
