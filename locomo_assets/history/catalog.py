"""What there is to ask in the database: its tables, views and functions, and their columns.

Which of them are for people, and in which group, is said here and nowhere else.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb

from locomo_assets.history.database import open_read_only
from locomo_assets.history.errors import HistoryQueryError
from locomo_assets.near_names import nearest

FOR_PEOPLE: dict[str, tuple[str, ...]] = {
    "Accuracy": (
        "accuracy_by_release",
        "accuracy_by_category",
        "accuracy_by_conversation",
        "accuracy_by_category_and_conversation",
        "accuracy_trend",
        "accuracy_by_repeat",
        "accuracy_and_gold_faults",
        "published_results",
        "sample_trend",
        "categories",
    ),
    "Questions, answers and verdicts": (
        "current_questions",
        "current_answers",
        "current_judgements",
        "imported_results",
        "sample_results",
        "repeats",
    ),
    "Comparison": ("flips", "reference_lines", "ladder_steps"),
    "Why answers are wrong": ("diagnosis", "answer_evidence", "current_gold_faults"),
    "Without a judge": (
        "answer_scores",
        "scores_by_release",
        "scores_by_category",
        "retrieval_by_category",
        "retrieval_recall",
        "abstention_by_release",
    ),
    "Judges": ("canary_rates", "judge_error_rates", "labelled_verdicts"),
    "Memories": ("memories", "memory_turns", "memory_operations", "retrieved_memories"),
    "Time, cost and failures": (
        "latency_by_release",
        "cost_by_run",
        "cost_by_month",
        "errors_by_endpoint",
    ),
    "Releases": (
        "release_order",
        "release_status",
        "release_verdicts",
        "current_baseline",
        "stopped_releases",
    ),
    "Provenance": ("lineage", "attempts", "damaged_ingestions"),
    "The data set": ("conversations", "sessions", "turns"),
}
"""The tables and views that are listed, by group."""

OTHERS: dict[str, tuple[str, ...]] = {
    "Rows of all attempts": (
        "questions",
        "answers",
        "judgements",
        "calls",
        "ingestions",
        "ingested_turns",
        "retrievals",
        "gold_faults",
        "canary_verdicts",
        "judge_labels",
        "imported_files",
        "releases",
        "pinned_baselines",
        "release_checks",
        "stopped_runs",
    ),
    "Internal": (
        "accuracy_cells",
        "call_counts",
        "ingest_journal",
        "question_threads",
        "judge_batches",
        "lens_meta",
        "touched_partitions",
        "touched_attempts",
        "last_listing",
    ),
}
"""The other ones: the views above are made from them."""

FUNCTIONS = "Functions"


class UnknownTableError(HistoryQueryError):
    """A table, view or function that the database does not have."""

    exit_code = 2


@dataclass(frozen=True, slots=True)
class Entry:
    """A table, view or function. `call`: how it is written in a query; `columns`: their names."""

    group: str
    name: str
    kind: str
    call: str
    comment: str
    columns: tuple[str, ...]

    @property
    def line(self) -> str:
        """The part of the comment that fits a listing."""
        return self.comment.partition(";")[0]

    @property
    def for_people(self) -> bool:
        return self.group not in OTHERS


@dataclass(frozen=True, slots=True)
class Column:
    """A column, with its comment."""

    name: str
    type: str
    comment: str


@dataclass(frozen=True, slots=True)
class Description:
    """A table, view or function in full; a function has no rows to count and no columns."""

    entry: Entry
    row_count: int | None
    columns: Sequence[Column]


def entries(database_path: Path) -> list[Entry]:
    """All tables, views and functions, group by group."""
    with open_read_only(database_path) as connection:
        return [*_tables(connection), *_functions(connection)]


def describe(database_path: Path, name: str) -> Description:
    """A table or view with its columns; UnknownTableError suggests the nearest name."""
    with open_read_only(database_path) as connection:
        known = {e.name: e for e in (*_functions(connection), *_tables(connection))}
        entry = known.get(name.strip().casefold())
        if entry is None:
            raise UnknownTableError(_unknown(name, known))
        if entry.group == FUNCTIONS:
            return Description(entry, None, ())
        columns = connection.execute(
            "SELECT column_name, data_type, comment FROM duckdb_columns() "
            "WHERE database_name = current_database() AND table_name = $1 ORDER BY column_index",
            [entry.name],
        ).fetchall()
        counted = connection.execute(f"SELECT count(*) FROM {entry.name}").fetchone()  # noqa: S608  # our own names
        rows = None if counted is None else int(counted[0])
        return Description(entry, rows, [Column(*column) for column in columns])


def _tables(connection: duckdb.DuckDBPyConnection) -> Iterator[Entry]:
    found = {
        name: (kind, comment)
        for name, kind, comment in connection.execute(
            "SELECT table_name, 'table', comment FROM duckdb_tables() "
            "WHERE database_name = current_database() "
            "UNION ALL SELECT view_name, 'view', comment FROM duckdb_views() "
            "WHERE database_name = current_database() AND NOT internal"
        ).fetchall()
    }
    columns = dict(
        connection.execute(
            "SELECT table_name, list(column_name ORDER BY column_index) FROM duckdb_columns() "
            "WHERE database_name = current_database() GROUP BY table_name"
        ).fetchall()
    )
    for group, names in (*FOR_PEOPLE.items(), *OTHERS.items()):
        for name in names:
            kind, comment = found[name]
            yield Entry(group, name, kind, name, comment, tuple(columns[name]))


def _functions(connection: duckdb.DuckDBPyConnection) -> Iterator[Entry]:
    """Those with a comment: the others are parts of views."""
    for name, parameters, comment in connection.execute(
        "SELECT function_name, parameters, comment FROM duckdb_functions() "
        "WHERE database_name = current_database() AND comment IS NOT NULL ORDER BY function_name"
    ).fetchall():
        yield Entry(FUNCTIONS, name, "function", f"{name}({', '.join(parameters)})", comment, ())


def _unknown(name: str, known: Collection[str]) -> str:
    near = nearest(name.casefold(), known)
    meant = f"did you mean {near}? " if near else ""
    return f"{name}: no table or view of the history; {meant}`locomo-assets sql` lists them"
