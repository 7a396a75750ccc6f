"""A bound of what is the memory's fault: wrong answers that stay wrong with the evidence in hand.

The question protocol `evidence-only` gives them. Why a single answer is wrong belongs to
`diagnosis`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from locomo_assets.analysis.accuracy import Accuracy
from locomo_assets.history import database

_SQL = Path(__file__).with_name("blame.sql")
_BOUNDED = """
SELECT release, coalesce(system, 'unknown'), judge, question_protocol, dataset_sha256
FROM reference_lines
WHERE evidence_only_release IS NOT NULL
"""


@dataclass(frozen=True, slots=True)
class BlameBound:
    """Counts over categories 1–4. `reference_release` is the one that was asked with evidence.

    `asked_with_evidence` are those of the `wrong` that it has a verdict on; a question for which
    the data set names no evidence is not among them.
    """

    reference_release: str
    wrong: int
    asked_with_evidence: int
    wrong_with_evidence: int

    def line(self) -> str:
        """One sentence, such as `of 40 wrong answers, 6 are also wrong with the evidence …`."""
        known = self.asked_with_evidence
        asked = "" if known == self.wrong else f" of the {known} that were asked so"
        return (
            f"of {self.wrong} wrong answers, {self.wrong_with_evidence}{asked} are also wrong with "
            f"the evidence in hand (evidence-only, release {self.reference_release}): "
            "better memory alone would not mend them"
        )


def blame_bounds(database_path: Path, rows: Sequence[Accuracy]) -> list[BlameBound | None]:
    """The bound of each row's series, in their order; only those with a reference are looked at."""
    with database.open_read_only(database_path) as connection:
        bounded = {*connection.execute(_BOUNDED).fetchall()}
    return [
        blame_bound(database_path, row)
        if (row.release, row.system, row.judge, row.question_protocol, row.dataset_sha256)
        in bounded
        else None
        for row in rows
    ]


def blame_bound(database_path: Path, row: Accuracy) -> BlameBound | None:
    """The bound of a series, by the same system, judge and data set.

    None without wrong answers, without an `evidence-only` series, and for a series that is itself
    a reference.
    """
    series = {
        "release": row.release,
        "system": row.system,
        "judge": row.judge,
        "question_protocol": row.question_protocol,
        "dataset_sha256": row.dataset_sha256,
    }
    with database.open_read_only(database_path) as connection:
        found = connection.execute(_SQL.read_text(encoding="utf-8"), series).fetchone()
    return None if found is None else BlameBound(*found)
