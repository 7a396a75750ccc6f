"""Accuracy without the questions whose gold answer an audit calls wrong."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from locomo_assets.analysis.accuracy import Accuracy, interval_percent
from locomo_assets.history import database

if TYPE_CHECKING:
    from locomo_assets.analysis.checks import Finding

_SQL = Path(__file__).with_name("gold_faults.sql")


@dataclass(frozen=True)
class GoldFaults:
    """One series by one audit, over a release (`category` None) or in one category of it.

    `accuracy_percent` is as published. `without_faults_percent` leaves out the `faulty` questions,
    whose gold answer the audit calls wrong; its `…_low_…` and `…_high_…` are Wilson's, and
    `interval_percent` is the one to show. `ceiling_percent` is the most that a perfect system can
    reach with them, if the judge keeps to the gold answers. Of the `faulty_given` that the judge
    was given uncorrected, it marked `faulty_correct` right. A percentage is None where nothing is
    scored.
    """

    release: str
    system: str
    question_protocol: str
    judge: str
    dataset_sha256: str
    category: int | None
    shown: str
    vendor_shown: str
    scored: int
    correct: int
    scored_without_faults: int
    correct_without_faults: int
    faulty: int
    accuracy_percent: float | None
    without_faults_percent: float | None
    without_faults_low_percent: float | None
    without_faults_high_percent: float | None
    ceiling_percent: float | None
    audit_sha256: str
    faulty_given: int
    faulty_correct: int
    faulty_correct_percent: float | None
    by_conversation: list[tuple[int, int]]

    @property
    def conversations(self) -> int:
        """How many conversations have scored questions without a fault."""
        return len(self.by_conversation)

    @property
    def interval_percent(self) -> tuple[float, float] | None:
        """The 95 % interval without the faults, as of `Accuracy`."""
        low, high = self.without_faults_low_percent, self.without_faults_high_percent
        return interval_percent(self.by_conversation, low, high)

    @property
    def is_above_ceiling(self) -> bool:
        """Whether more is right than a judge that keeps to the gold answers could accept."""
        return self.correct > self.scored - self.faulty_given

    def marked_right(self) -> str:
        """How many of the faulty gold answers the judge marked an answer right on, in words."""
        if self.faulty_correct_percent is None:
            return "none of them was given to the judge"
        share = f"{self.faulty_correct_percent:.1f} %"
        return f"{self.faulty_correct} of {self.faulty_given} faulty ones ({share})"

    def ceiling_warning(self) -> str:
        """For a row above its ceiling: what that means."""
        return (
            f"{self.shown}: {self.accuracy_percent:.2f} % is above the ceiling of "
            f"{self.ceiling_percent:.2f} %, {self.marked_right()} are marked right; the judge "
            "does not keep to the gold answers, or the answers repeat their faults"
        )

    def is_of(self, row: Accuracy) -> bool:
        """Whether both are of the same series and release."""
        series = (self.system, self.question_protocol, self.judge, self.dataset_sha256)
        return self.release == row.release and series == row.series


def read_gold_faults(
    database_path: Path, release: str | None, audit_sha256: str | None = None
) -> list[GoldFaults]:
    """The rows of one release or of all, by one audit or by the newest of each data set.

    Each series has its categories first and its whole last. Empty where the history has no audit.
    """
    parameters = {"release": release, "audit_sha256": audit_sha256}
    with database.open_read_only(database_path) as connection:
        rows = connection.execute(_SQL.read_text(encoding="utf-8"), parameters).fetchall()
    return [GoldFaults(*row) for row in rows]


def gold_faults_of(
    database_path: Path, whole: Accuracy, audit_sha256: str | None = None
) -> list[GoldFaults]:
    """The rows of one series of a release: its categories, and last the whole."""
    rows = read_gold_faults(database_path, whole.release, audit_sha256)
    return [row for row in rows if row.is_of(whole)]


def gold_fault_numbers(
    database_path: Path, whole: Accuracy, audit_sha256: str | None = None
) -> dict[str, float | str]:
    """The scores of a whole series by name, for asset metadata; empty without an audit."""
    rows = gold_faults_of(database_path, whole, audit_sha256)
    found = next((row for row in rows if row.category is None), None)
    if found is None:
        return {}
    numbers: dict[str, float | str | None] = {
        "accuracy_without_gold_faults_percent": found.without_faults_percent,
        "accuracy_ceiling_percent": found.ceiling_percent,
        "gold_faults": found.faulty,
        "gold_faults_marked_right": found.faulty_correct if found.faulty_given else None,
        "gold_faults_marked_right_percent": found.faulty_correct_percent,
        "audit_sha256": found.audit_sha256,
    }
    if not whole.valid:
        del numbers["accuracy_without_gold_faults_percent"]
    return {name: value for name, value in numbers.items() if value is not None}


def within_ceiling(rows: Sequence[GoldFaults]) -> "Finding":
    """No more is right, overall or in a category, than the faulty gold answers leave room for.

    More can only be where the judge marked answers right on faulty gold answers.
    """
    from locomo_assets.analysis.checks import CheckSeverity, Finding

    above = [row for row in rows if row.is_above_ceiling]
    whole = next((row for row in rows if row.category is None), None)
    expected = "accuracy at most the ceiling that faulty gold answers leave, in each category"
    if whole is None:
        return Finding(True, expected, "no audit of the gold answers (LOCOMO_AUDIT)")
    return Finding(
        passed=not above,
        expected=expected,
        actual="; ".join(row.ceiling_warning() for row in above)
        or f"{whole.accuracy_percent or 0.0:.2f} % of at most "
        f"{whole.ceiling_percent or 0.0:.2f} %; {whole.marked_right()} are marked right",
        numbers={
            "categories_above_ceiling": len(above),
            "gold_faults_given": whole.faulty_given,
            "gold_faults_marked_right": whole.faulty_correct,
        },
        severity=CheckSeverity.WARN,
    )
