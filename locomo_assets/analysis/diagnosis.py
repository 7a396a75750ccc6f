"""Where the wrong answers of a series come from: its reasons counted, from the view `diagnosis`."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from locomo_assets.analysis.accuracy import Accuracy
from locomo_assets.history import database

MEANINGS = {
    "gold_faulty": "gold answer faulty",
    "judge_doubtful": "verdict doubtful",
    "never_stored": "evidence never stored",
    "not_retrieved": "evidence stored, not retrieved",
    "declined": "said that it does not know",
    "retrieved_not_used": "evidence retrieved, not used",
    "not_declined": "answered what has no answer",
    "unknown": "evidence not to be traced",
}
"""Each reason in words, in the order in which they are asked for."""

_SQL = Path(__file__).with_suffix(".sql")


@dataclass(frozen=True, slots=True)
class Stage:
    """How many wrong answers have a reason, and their share of all wrong ones."""

    reason: str
    meaning: str
    questions: int
    share_percent: float


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """Why answers of categories 1–4 are wrong; `stages` has the reasons that occur, in order.

    `untraceable_percent` of the wrong answers have evidence of which it is not known whether it
    was stored and retrieved; None where none is wrong.
    """

    wrong: int
    stages: tuple[Stage, ...]
    untraceable_percent: float | None

    def line(self) -> str:
        """All of it in a sentence, the commonest reason first."""
        if not self.wrong:
            return "No answer is wrong."
        stages = sorted(self.stages, key=lambda one: -one.questions)
        told = "; ".join(f"{one.meaning} {one.questions}" for one in stages)
        lost = self.untraceable_percent or 0.0
        traced = f"{lost:.1f} % can't be traced to their evidence" if lost else "all can be traced"
        answers = "answer" if self.wrong == 1 else "answers"
        return f"Of {self.wrong} wrong {answers}: {told}; {traced}."


def read_diagnosis(database_path: Path, row: Accuracy) -> Diagnosis:
    """The diagnosis of the row's series in its release."""
    return read_diagnoses(database_path, [row])[0]


def read_diagnoses(database_path: Path, rows: Sequence[Accuracy]) -> list[Diagnosis]:
    """The diagnosis of each row's series, in their order: as quick for a hundred as for ten."""
    releases = {row.release for row in rows}
    given = {"release": releases.pop() if len(releases) == 1 else None}
    with database.open_read_only(database_path) as connection:
        found = connection.execute(_SQL.read_text(encoding="utf-8"), given).fetchall()
    by_series: dict[tuple[str, ...], list[tuple[str, int, int]]] = {}
    for *series, reason, questions, untraceable in found:
        by_series.setdefault(tuple(series), []).append((reason, questions, untraceable))
    return [
        _diagnosis_of(
            by_series.get(
                (row.release, row.system, row.judge, row.question_protocol, row.dataset_sha256), []
            )
        )
        for row in rows
    ]


def _diagnosis_of(rows: Sequence[tuple[str, int, int]]) -> Diagnosis:
    counts = {reason: questions for reason, questions, _ in rows}
    wrong = sum(counts.values())
    return Diagnosis(
        wrong=wrong,
        stages=tuple(
            Stage(reason, meaning, counts[reason], 100 * counts[reason] / wrong)
            for reason, meaning in MEANINGS.items()
            if reason in counts
        ),
        untraceable_percent=100 * sum(row[2] for row in rows) / wrong if wrong else None,
    )
