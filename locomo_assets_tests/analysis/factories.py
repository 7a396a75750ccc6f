"""Builders of histories to compare, of accuracy rows and of paired verdicts."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from locomo_assets.analysis.accuracy import Accuracy
from locomo_assets.analysis.comparison import Comparison, compare
from locomo_assets.analysis.comparison.decision import Decision, Evidence, decide
from locomo_assets.analysis.comparison.paired import DEFAULT_MARGIN, Pair, Paired
from locomo_assets.history.database import refresh
from locomo_assets.history.store import HistoryStore
from locomo_assets_tests.history.factories import (
    ASKED_AT,
    DATASET,
    answer,
    commit,
    commit_dataset,
    judgement,
    lineage,
)

CORRECT_OR_WRONG = {"+": "correct", "-": "wrong", "?": "unscored", "!": "unanswered"}


class HistoryBuilder:
    """Writes measured releases into a store, and compares them through its database."""

    def __init__(self, folder: Path) -> None:
        self.store = HistoryStore.open(folder.as_uri())
        self.database_path = folder / "history.duckdb"
        self._times = 0

    def dataset(self, conversations: Sequence[str], questions: int, sha256: str = DATASET) -> None:
        """A data set with questions of categories 1 to 5 in turn."""
        commit_dataset(self.store, conversations, questions, sha256)

    def measure(
        self,
        release: str,
        verdicts: Mapping[str, str],
        *,
        judge: str = "lexical",
        dataset_sha256: str = DATASET,
        ingestion: str | None = None,
        retrieved: Sequence[Mapping[str, Any]] = (),
        **columns: Any,
    ) -> None:
        """A round of answers and verdicts: conversation → `+-?!`, a sign a question."""
        self._times += 1
        for conversation, signs in verdicts.items():
            mark = f"{release}-{self._times}-{conversation}"
            answers = lineage("answers", release, conversation, dataset_sha256=dataset_sha256)
            judged = lineage("judgements", release, conversation, dataset_sha256=dataset_sha256)
            memory = ingestion or mark
            silent = {"outcome": "unanswered", "answer": None, "reason": "HTTP 500"}
            rows = [
                answer(n, mark, ingestion_id=memory, **columns, **(silent if sign == "!" else {}))
                for n, sign in enumerate(signs)
            ]
            memories = [{"answer_id": row["answer_id"], **one} for row in rows for one in retrieved]
            commit(self.store, answers, {"answers": rows, "retrieved_memories": memories})
            shared = {name: columns[name] for name in columns.keys() & {"question_protocol"}}
            verdict_rows = [
                judgement(n, CORRECT_OR_WRONG[sign], mark, judge=judge, **shared)
                for n, sign in enumerate(signs)
            ]
            commit(self.store, judged, {"judgements": verdict_rows})

    def judge_again(
        self, release: str, conversation: str, signs: str, judge: str, **columns: Any
    ) -> None:
        """Verdicts of another judge on the answers of the last round."""
        mark = f"{release}-{self._times}-{conversation}"
        verdict_rows = [
            judgement(n, CORRECT_OR_WRONG[sign], mark, judge=judge, **columns)
            for n, sign in enumerate(signs)
        ]
        commit(
            self.store, lineage("judgements", release, conversation), {"judgements": verdict_rows}
        )

    def compare(self, a: str, b: str, **options: Any) -> Comparison:
        """Compares two releases of the history as it is now."""
        refresh(self.store, self.database_path)
        return compare(self.database_path, a, b, **options)


def accuracy_row(**columns: Any) -> Accuracy:
    """A valid row of a real service, judged by a model, with these columns changed."""
    row = Accuracy(
        release="r1",
        system="backboard",
        judge="gpt-4.1/generous",
        question_protocol="isolated",
        dataset_sha256="d" * 64,
        category="all scored",
        vendor_category="overall",
        questions=100,
        scored=100,
        correct=84,
        unscored=0,
        unanswered=0,
        not_judged=0,
        error_percent=0.0,
        valid=True,
        accuracy_percent=84.0,
        low_percent=75.6,
        high_percent=89.9,
        latency_p50_ms=12.3,
        latency_p95_ms=45.6,
        tokens=1,
        cost_usd=0.0,
    )
    return replace(row, **columns)


def pairs_of(changes: dict[str, tuple[int, int, int]]) -> list[Pair]:
    """Conversation → gains, losses, and questions correct in both."""
    return [
        Pair(conversation, was, is_)
        for conversation, (gains, losses, same) in changes.items()
        for was, is_, count in ((False, True, gains), (True, False, losses), (True, True, same))
        for _ in range(count)
    ]


def decided(paired: Paired, margin: float = DEFAULT_MARGIN) -> Decision:
    """The decision of a single comparison in which every question has a verdict."""
    return decide(Evidence.alone(paired), margin=margin)


AUDIT = "a" * 64
CORRECTED_JUDGE = "lexical, gold corrected@aaaaaaaa"


def audited_history(folder: Path) -> HistoryBuilder:
    """Releases r1 and r2, judged on the data set's gold answers, then on an audit's corrected ones.

    Question 0 has a faulty gold answer.
    """
    history = HistoryBuilder(folder)
    history.dataset(["conv-1"], 4)
    fault = {"conversation": "conv-1", "question_index": 0, "corrupts_score": True}
    audit = replace(lineage("gold_audit", None, None), system=None)
    faults = [{**fault, "audit_sha256": AUDIT, "correct_answer": "better"}]
    commit(history.store, audit, {"gold_faults": faults})
    for release, signs in (("r1", "-++-"), ("r2", "-+++")):
        history.measure(release, {"conv-1": signs})
        history.judge_again(
            release,
            "conv-1",
            "++" + signs[2:],
            CORRECTED_JUDGE,
            audit_sha256=AUDIT,
            judged_at=ASKED_AT + timedelta(days=1),
        )
    refresh(history.store, history.database_path)
    return history
