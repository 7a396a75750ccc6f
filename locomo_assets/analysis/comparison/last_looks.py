"""What the history says of releases that were measured until their comparison was decided."""

from dataclasses import dataclass
from pathlib import Path

import duckdb

from locomo_assets.analysis.comparison.decision import Conclusion, p_text
from locomo_assets.history import database


@dataclass(frozen=True, slots=True)
class LastLook:
    """The last look of a release's run, as the history has it.

    `is_stopped`: questions are still left out; else a later run asked them.
    """

    release: str
    against: str
    decision: str
    look: int
    looks: int
    questions: int
    of_questions: int
    difference: float | None
    p_differs: float | None
    p_equivalent: float | None
    bound_differs: float
    bound_equivalent: float
    margin_points: float
    is_stopped: bool

    @property
    def mark(self) -> str:
        """For the release in a list; nothing where all is asked."""
        if not self.is_stopped:
            return ""
        return f"stopped at {self.questions:,} of {self.of_questions:,}"

    @property
    def sentence(self) -> str:
        """What was decided when, and what is left out."""
        text = (
            f"{self.release} against {self.against}, look {self.look} of {self.looks} "
            f"({self.questions:,} of {self.of_questions:,} questions): {self._decided}."
        )
        if not self.is_stopped:
            return text
        return (
            f"{text} It was stopped there: its numbers are of these questions alone; `run` without "
            "--until-decided asks the rest."
        )

    @property
    def _decided(self) -> str:
        signed = "" if self.difference is None else f"{self.difference * 100:+.2f} points, "
        if self.decision == Conclusion.EQUIVALENT:
            why = f"{p_text(self.p_equivalent)}, below this look's {self.bound_equivalent:.3g}"
            return f"equivalent within {self.margin_points:g} ({signed}{why})"
        if self.decision == Conclusion.CANNOT_TELL:
            why = f"{p_text(self.p_differs)}, not below this look's {self.bound_differs:.3g}"
            return f"cannot tell ({signed}{why})"
        why = f"{p_text(self.p_differs)}, below this look's {self.bound_differs:.3g}"
        return f"{self.decision} ({signed}{why})"


def last_looks(connection: duckdb.DuckDBPyConnection) -> dict[str, LastLook]:
    """Release → its last look, for releases that were measured until decided."""
    sql = Path(__file__).with_name("last_looks.sql").read_text(encoding="utf-8")
    try:
        rows = connection.execute(sql).fetchall()
    except duckdb.CatalogException:  # a database of an earlier version, until its next refresh
        return {}
    return {row[0]: LastLook(*row) for row in rows}


def read_last_looks(database_path: Path) -> dict[str, LastLook]:
    """As `last_looks`, of a database."""
    with database.open_read_only(database_path) as connection:
        return last_looks(connection)
