"""Scores that need no judge: text overlap, evidence recall, abstention, and the references.

Read from `scores_by_…`, `retrieval_by_category`, `abstention_by_release` and `reference_lines`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from locomo_assets.analysis.accuracy import Accuracy
from locomo_assets.history import database

_Key = tuple[str, str, str, str]


@dataclass(frozen=True)
class Scores:
    """One series, over a release (`category` None) or in one category of it.

    A number is None where there is nothing to score, such as retrieval without memory.
    """

    release: str
    system: str
    question_protocol: str
    dataset_sha256: str
    category: int | None
    shown: str
    answered: int
    f1_percent: float | None
    exact_match_percent: float | None
    recall_at_1_percent: float | None
    recall_at_5_percent: float | None
    recall_at_10_percent: float | None
    mrr: float | None
    traceable_percent: float | None
    answer_words_p50: float | None
    latency_p50_ms: float | None

    @property
    def key(self) -> _Key:
        """The release and the series, without a judge: these scores need none."""
        return self.release, self.system, self.question_protocol, self.dataset_sha256

    def is_of(self, row: Accuracy) -> bool:
        """Whether both are of the same series and release, whoever judged it."""
        return self.key == (row.release, row.system, row.question_protocol, row.dataset_sha256)


_SQL = Path(__file__).with_name("scores.sql")
_REFERENCES = Path(__file__).with_name("reference_lines.sql")
_ABSTENTION = """
SELECT
    release,
    coalesce(system, 'unknown'),
    question_protocol,
    dataset_sha256,
    answered,
    abstained,
    trapped,
    other
FROM abstention_by_release
WHERE $release IS NULL OR release = $release
"""


def read_scores(database_path: Path, release: str | None) -> list[Scores]:
    """The rows of one release or of all. Each series has its categories first, its whole last."""
    with database.open_read_only(database_path) as connection:
        rows = connection.execute(_SQL.read_text(encoding="utf-8"), {"release": release}).fetchall()
    return [Scores(*row) for row in rows]


def abstention_lines(database_path: Path, release: str | None) -> dict[_Key, str]:
    """How category 5 was answered, in words, by the `key` of each series that was asked it."""
    return {
        key: f"category 5: {abstained} of {answered} declined, {trapped} fell for the trap, "
        f"{other} claimed something else"
        for key, (answered, abstained, trapped, other) in _abstentions(
            database_path, release
        ).items()
    }


def reference_lines(
    database_path: Path, release: str | None, wholes: Sequence[Accuracy] = ()
) -> list[str]:
    """What the memory adds to each series that has references, in words, in the order of these."""
    with database.open_read_only(database_path) as connection:
        rows = connection.execute(_REFERENCES.read_text(encoding="utf-8"), [release]).fetchall()
    keys = [(row.release, row.system, row.judge, row.question_protocol) for row in wholes]
    order = {key: place for place, key in reversed([*enumerate(keys)])}
    lines = []
    rows.sort(key=lambda row: order.get(row[:4], len(keys)))
    for name, system, judge, protocol, *numbers in rows:
        parts = []
        for begin, reference, lead in (
            (0, "no-memory", "memory adds {:+.1f} points to {}"),
            (4, "full-context", "{:+.1f} points lead to {}"),
            (8, "evidence-only", "{:+.1f} points lead to {}"),
        ):
            accuracy, questions, of_release, points = numbers[begin : begin + 4]
            if accuracy is not None:
                shown = _reference(reference, accuracy, questions, of_release)
                parts.append(lead.format(points, shown))
        head = f"release {name} · system {system} · judge {judge} · questions {protocol}"
        lines.append(f"{head}: {'; '.join(parts)}")
    return lines


def score_numbers(database_path: Path, row: Accuracy) -> dict[str, float]:
    """The scores of a whole series by name, those that exist, for asset metadata."""
    rows = read_scores(database_path, row.release)
    whole = next((one for one in rows if one.category is None and one.is_of(row)), None)
    if whole is None:
        return {}
    numbers: dict[str, float | None] = {
        "f1_percent": whole.f1_percent,
        "exact_match_percent": whole.exact_match_percent,
        "recall_at_1_percent": whole.recall_at_1_percent,
        "recall_at_5_percent": whole.recall_at_5_percent,
        "recall_at_10_percent": whole.recall_at_10_percent,
        "mrr": whole.mrr,
        "memories_traceable_percent": whole.traceable_percent,
        "answer_words_p50": whole.answer_words_p50,
    }
    counts = _abstentions(database_path, row.release).get(whole.key)
    if counts is not None and counts[0]:
        numbers["abstention_percent"] = round(100 * counts[1] / counts[0], 2)
        numbers["trapped_percent"] = round(100 * counts[2] / counts[0], 2)
    return {name: value for name, value in numbers.items() if value is not None}


def _abstentions(database_path: Path, release: str | None) -> dict[_Key, tuple[int, int, int, int]]:
    with database.open_read_only(database_path) as connection:
        rows = connection.execute(_ABSTENTION, {"release": release}).fetchall()
    return {row[:4]: row[4:] for row in rows}


def _reference(reference: str, accuracy: float, questions: int, release: str) -> str:
    return f"{reference} ({100 * accuracy:.1f} % of {questions} questions, release {release})"
