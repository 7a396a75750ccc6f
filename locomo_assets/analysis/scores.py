"""What is scored beside the judge, as people read it: rows from the database, laid out.

Here: reading `scores_by_…`, `retrieval_by_category`, `abstention_by_release` and `reference_lines`.
What the numbers mean is the views'.
"""

from dataclasses import dataclass
from pathlib import Path

from locomo_assets.history import database


@dataclass(frozen=True)
class Scores:
    """One series, for a release (`category` None) or one category of it.

    A number is None where there is nothing to score: retrieval without memory, category 5's
    exact match.
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
    def series(self) -> tuple[str, str, str, str]:
        return self.release, self.system, self.question_protocol, self.dataset_sha256


HEADINGS = ("category", "F1 %", "exact %", "recall@1 %", "recall@5 %", "recall@10 %", "MRR",
            "traceable %", "words", "p50 ms")  # fmt: skip
_SQL = Path(__file__).with_name("scores.sql")
_REFERENCES = Path(__file__).with_name("reference_lines.sql")
_ABSTENTION = """
SELECT answered, abstained, trapped, other
FROM abstention_by_release
WHERE
    release = $1
    AND coalesce(system, 'unknown') = $2
    AND question_protocol = $3
    AND dataset_sha256 = $4
"""


def read_scores(database_path: Path, release: str | None) -> list[Scores]:
    """Of one release or of all: a series' categories, and its whole after them."""
    with database.open_read_only(database_path) as connection:
        rows = connection.execute(_SQL.read_text(), {"release": release}).fetchall()
    return [Scores(*row) for row in rows]


def cells(row: Scores) -> tuple[str, ...]:
    """A row as text, in the order of `HEADINGS`."""
    return (
        row.shown,
        _fixed(row.f1_percent, 1),
        _fixed(row.exact_match_percent, 1),
        _fixed(row.recall_at_1_percent, 1),
        _fixed(row.recall_at_5_percent, 1),
        _fixed(row.recall_at_10_percent, 1),
        _fixed(row.mrr, 3),
        _fixed(row.traceable_percent, 1),
        _fixed(row.answer_words_p50, 0),
        _fixed(row.latency_p50_ms, 0),
    )


def abstention_line(database_path: Path, whole: Scores) -> str | None:
    """What became of category 5, in words; None where it was not asked."""
    counts = _abstention(database_path, whole)
    if counts is None:
        return None
    answered, abstained, trapped, other = counts
    return (
        f"category 5: {abstained} of {answered} declined, {trapped} fell for the trap, "
        f"{other} claimed something else"
    )


def reference_text(database_path: Path, release: str | None) -> list[str]:
    """For each series with references: what the memory adds, in words."""
    with database.open_read_only(database_path) as connection:
        rows = connection.execute(_REFERENCES.read_text(), [release]).fetchall()
    lines = []
    for name, system, judge, protocol, *numbers in rows:
        floor, ceiling = numbers[:4], numbers[4:]
        said = []
        if floor[0] is not None:
            said.append(f"memory adds {floor[3]:+.1f} points to {_of('no-memory', *floor[:3])}")
        if ceiling[0] is not None:
            said.append(f"{ceiling[3]:+.1f} points lead to {_of('full-context', *ceiling[:3])}")
        head = f"release {name} · system {system} · judge {judge} · questions {protocol}"
        lines.append(f"{head}: {'; '.join(said)}")
    return lines


def metadata_numbers(database_path: Path, series: tuple[str, str, str, str]) -> dict[str, float]:
    """The scores of a whole series by name, those that exist, for `accuracy_metrics`."""
    whole = next(
        (
            r
            for r in read_scores(database_path, series[0])
            if r.category is None and r.series == series
        ),
        None,
    )
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
    counts = _abstention(database_path, whole)
    if counts is not None and counts[0]:
        numbers["abstention_percent"] = round(100 * counts[1] / counts[0], 2)
        numbers["trapped_percent"] = round(100 * counts[2] / counts[0], 2)
    return {name: value for name, value in numbers.items() if value is not None}


def _abstention(database_path: Path, whole: Scores) -> tuple[int, int, int, int] | None:
    with database.open_read_only(database_path) as connection:
        found = connection.execute(_ABSTENTION, list(whole.series)).fetchone()
    return None if found is None else (found[0], found[1], found[2], found[3])


def _of(reference: str, accuracy: float, questions: int, release: str) -> str:
    return f"{reference} ({100 * accuracy:.1f} % of {questions} questions, release {release})"


def _fixed(value: float | None, digits: int) -> str:
    return "–" if value is None else f"{value:.{digits}f}"
