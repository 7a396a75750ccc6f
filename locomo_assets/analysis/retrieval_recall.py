"""What k memories hold and are worth: evidence recall, accuracy and memory tokens at each k.

Read from the view `retrieval_recall`; only the question protocol `retrieval` has rows there.
"""

from dataclasses import dataclass
from pathlib import Path

from locomo_assets.history import database

_SQL = Path(__file__).with_suffix(".sql")


@dataclass(frozen=True, slots=True)
class RecallAtK:
    """Of one k: the recall in `questions`, and what the series with that k measured, else None."""

    release: str
    system: str
    question_protocol: str
    dataset_sha256: str
    k: int
    questions: int
    recall_percent: float | None
    memory_tokens: float | None
    judge: str | None
    accuracy_percent: float | None

    @property
    def family(self) -> tuple[str, str, str, str]:
        """Release, system, the protocol without its k, data set: they share their retrievals."""
        protocol = self.question_protocol.replace(f", k {self.k}", "", 1)
        return self.release, self.system, protocol, self.dataset_sha256


def read_recall(database_path: Path, release: str | None) -> list[RecallAtK]:
    """The rows of one release or of all, those of one family together, by k and judge."""
    with database.open_read_only(database_path) as connection:
        rows = connection.execute(_SQL.read_text(encoding="utf-8"), {"release": release}).fetchall()
    return [RecallAtK(*row) for row in rows]
