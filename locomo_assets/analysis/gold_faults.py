"""Accuracy beside the gold answers' faults, as people read it: rows from the database, laid out.

Here: reading `accuracy_and_gold_faults`. What the numbers mean is the view's.
"""

from dataclasses import dataclass
from pathlib import Path

from locomo_assets.analysis.accuracy import Accuracy
from locomo_assets.history import database


@dataclass(frozen=True)
class GoldFaults:
    """One series by one audit, for a release (`category` None) or one category of it.

    `accuracy_percent` is as published; `without_faults_percent` leaves out the `faulty` questions
    whose gold answer the audit calls wrong; `ceiling_percent` is the most that a perfect system
    can reach while they are in. A percentage is None where nothing is scored.
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

    def is_of(self, row: Accuracy) -> bool:
        """Whether it is of the series of a row of `reporting.accuracy`."""
        return all(
            getattr(self, name) == getattr(row, name)
            for name in ("release", "system", "question_protocol", "judge", "dataset_sha256")
        )


HEADINGS = ("category", "vendor's name", "as published %", "without faults %", "95 % interval",
            "ceiling %", "faulty", "correct without", "scored without")  # fmt: skip
_SQL = Path(__file__).with_name("gold_faults.sql")


def read_gold_faults(
    database_path: Path, release: str | None, audit_sha256: str | None = None
) -> list[GoldFaults]:
    """Of one release or of all, by one audit or by the newest of each data set.

    A series' categories, and its whole after them; empty where no audit is in the history.
    """
    given = {"release": release, "audit_sha256": audit_sha256}
    with database.open_read_only(database_path) as connection:
        rows = connection.execute(_SQL.read_text(), given).fetchall()
    return [GoldFaults(*row) for row in rows]


def cells(row: GoldFaults, whole: Accuracy) -> tuple[str, ...]:
    """A row as text, in the order of `HEADINGS`; no bare number where its series is not valid."""
    low, high = row.without_faults_low_percent, row.without_faults_high_percent
    return (
        row.shown,
        row.vendor_shown,
        _percent(row.accuracy_percent, whole),
        _percent(row.without_faults_percent, whole),
        f"{_fixed(low, 1)} – {_fixed(high, 1)}",
        _fixed(row.ceiling_percent, 2),
        str(row.faulty),
        str(row.correct_without_faults),
        str(row.scored_without_faults),
    )


def metadata_numbers(
    database_path: Path, whole: Accuracy, audit_sha256: str | None = None
) -> dict[str, float | str]:
    """The scores of a whole series by name, for `accuracy_metrics`; empty without an audit."""
    rows = read_gold_faults(database_path, whole.release, audit_sha256)
    found = next((row for row in rows if row.category is None and row.is_of(whole)), None)
    if found is None:
        return {}
    numbers: dict[str, float | str | None] = {
        "accuracy_without_gold_faults_percent": found.without_faults_percent,
        "accuracy_ceiling_percent": found.ceiling_percent,
        "gold_faults": found.faulty,
        "audit_sha256": found.audit_sha256,
    }
    if not whole.valid:
        del numbers["accuracy_without_gold_faults_percent"]
    return {name: value for name, value in numbers.items() if value is not None}


def _percent(value: float | None, whole: Accuracy) -> str:
    return _fixed(value, 2) if whole.valid else f"invalid ({_fixed(value, 2)})"


def _fixed(value: float | None, digits: int) -> str:
    return "–" if value is None else f"{value:.{digits}f}"
