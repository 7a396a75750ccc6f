"""What is to be judged, and the rows that come of it.

Here: one answer beside its question and gold answer, what its verdict depends on, and the row of
each way to have one. Which way is taken is `judging`.
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

from locomo_assets.judging.batches import Case
from locomo_assets.judging.judge import JudgeIdentity, Judgement
from locomo_assets.locomo.model import Question
from locomo_assets.measurement.gold import Gold
from locomo_assets.measurement.identity import fingerprint
from locomo_assets.measurement.reusing import COPIED
from locomo_assets.measurement.rows import Row


@dataclass(frozen=True)
class Due:
    """An answer (a row of `answers`) whose verdict is due, by this judge on these gold answers."""

    question: Question
    answer: Row
    judge: JudgeIdentity
    gold: Gold = field(default_factory=Gold)

    @cached_property
    def case(self) -> Case:
        """What the judge is shown."""
        gold_answer = self.gold.answer(self.question)
        return Case(self.question.question, gold_answer, str(self.answer["answer"]))

    @cached_property
    def fingerprint(self) -> str:
        """Of all that the verdict depends on."""
        case = self.case
        return fingerprint(
            {
                "question": case.question,
                "gold": case.gold_answer,
                "answer": self.answer["answer"],
                "judge": self.judge.digest(),
            }
        )

    @property
    def is_answered(self) -> bool:
        return bool(self.answer["outcome"] == "answered")

    def unanswered(self) -> dict[str, Any]:
        """The row where there is nothing to judge."""
        reason = self.answer["reason"]
        return {**self._row(), "verdict": "unanswered", "reason": reason, "cost_usd": 0.0}

    def reused(self, known: Row) -> dict[str, Any]:
        """The row where an equal verdict was paid for before."""
        return {
            **self._row(),
            **{name: known.get(name) for name in COPIED},
            "reused_from_judgement_id": known["judgement_id"],
            "cost_usd": 0.0,
        }

    def judged(self, judgement: Judgement, batch_id: str | None = None) -> dict[str, Any]:
        """The row of a verdict that was asked for, by a batch or at once."""
        return {
            **self._row(),
            **judgement.row(),
            "asked_by": "batch" if batch_id else "direct",
            "batch_id": batch_id,
        }

    def _row(self) -> dict[str, Any]:
        return {
            "fingerprint": self.fingerprint,
            "answer_id": self.answer["answer_id"],
            "ingestion_id": self.answer["ingestion_id"],
            "question_index": self.question.question_index,
            "category": self.question.category,
            "question_protocol": self.answer["question_protocol"],
            **self.gold.row(self.judge, self.question),
            "judged_at": datetime.now(UTC),
        }
