"""What must hold of a data set before anything is paid for on it.

Here: the counts of the data sets that are known by their SHA-256, and that the rows are those of
the history's tables. What a file must hold to be read at all is `locomo.parsing`.
"""

from collections.abc import Mapping

import pyarrow as pa

from locomo_assets.history.schema import LINEAGE, TABLES
from locomo_assets.locomo.categories import OFFICIAL_NAMES
from locomo_assets.locomo.model import Dataset
from locomo_assets.locomo.rows import to_rows
from locomo_assets.quality.finding import Finding

LOCOMO10 = "79fa87e90f04081343b8c8debecb80a9a6842b76a7aa537dc9fdf651ea698ff4"
"""`data/locomo10.json` of snap-research/locomo."""

KNOWN_COUNTS: dict[str, Mapping[int, int]] = {LOCOMO10: {1: 282, 2: 321, 3: 96, 4: 841, 5: 446}}
"""SHA-256 of a file → questions by category."""

_LINEAGE_COLUMNS = frozenset(name for name, _ in LINEAGE)


def counts_by_category(dataset: Dataset) -> Finding:
    """Questions by category are those of the known file; of another file they are only told."""
    questions = [q.category for one in dataset.conversations for q in one.questions]
    counts = {category: questions.count(category) for category in OFFICIAL_NAMES}
    known = KNOWN_COUNTS.get(dataset.sha256)
    return Finding(
        passed=known is None or counts == known,
        expected=_in_words(known) if known else "nothing: this file is not one that is known",
        actual=_in_words(counts),
        numbers={
            "known_data_set": known is not None,
            **{f"questions_category_{category}": count for category, count in counts.items()},
        },
    )


def _in_words(counts: Mapping[int, int]) -> str:
    each = ", ".join(f"{count} of category {category}" for category, count in counts.items())
    return f"{sum(counts.values())} questions: {each}"


def schema(dataset: Dataset) -> Finding:
    """Rows have the columns and types of the history, and each conversation can be measured."""
    problems = []
    rows = to_rows(dataset)
    for table, its in rows.items():
        own = [f for f in TABLES[table] if f.name not in _LINEAGE_COLUMNS]
        wanted = {f.name for f in own} | {"conversation"}
        found = set().union(*its)
        if its and found != wanted:
            problems.append(f"{table} has the columns {', '.join(sorted(found ^ wanted))} amiss")
            continue
        try:
            pa.Table.from_pylist(its, schema=pa.schema(own))
        except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
            problems.append(f"{table}: {' '.join(str(error).split())[:200]}")
    for one in dataset.conversations:
        said = {turn.dia_id for turn in one.turns}
        if not one.turns or not one.questions:
            problems.append(f"{one.conversation} has no turns or no questions")
        if any(not said.issuperset(question.evidence) for question in one.questions):
            problems.append(f"{one.conversation} has evidence that is no turn of it")
    unresolved = sum(
        bool(q.evidence_unresolved) for one in dataset.conversations for q in one.questions
    )
    return Finding(
        passed=not problems,
        expected="rows of the history's tables; turns, questions and their evidence in each "
        "conversation",
        actual="; ".join(problems[:5]) or "as expected",
        numbers={
            "problems": len(problems),
            **{f"rows_{table}": len(its) for table, its in rows.items()},
            "questions_with_unreadable_evidence": unresolved,
        },
    )
