"""The tables and views of `history.duckdb`: creating them, filling them and deriving them.

The SQL is in `sql/`; the Python functions it calls are in `functions`.
"""

import hashlib
import json
import tomllib
from collections.abc import Collection, Sequence
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, NamedTuple

import duckdb

from locomo_assets.history.column_types import I64, STR, TIME, Columns, arrow_schema, schema_text
from locomo_assets.history.schema import SCHEMA_VERSION, TABLES, schema_texts
from locomo_assets.locomo import diagnosis, text_scores

if TYPE_CHECKING:  # a command that only asks writes nothing
    import pyarrow as pa

    from locomo_assets.history.provenance import Manifest
    from locomo_assets.history.store import HistoryStore

# In the order of their dependencies.
DERIVED = (
    "current_questions",
    "current_answers",
    "current_judgements",
    "answer_scores",
    "memory_turns",
    "answer_evidence",
    "accuracy_cells",
    "latency_by_release",
    "scores_by_release",
    "call_counts",
    "release_order",
)
_BY_PARTITION = (
    "current_answers",
    "current_judgements",
    "answer_scores",
    "memory_turns",
    "answer_evidence",
)
_VIEW_FILES = (
    "categories",
    "accuracy",
    "flips",
    "flip_details",
    "repeats",
    "operations",
    "lineage",
    "imports",
    "scores",
    "retrieval_recall",
    "reference_lines",
    "canary_rates",
    "judge_errors",
    "gold_faults",
    "samples",
    "release_status",
    "stopped_releases",
    "diagnosis",
)
_ATTEMPTS: Columns = (
    ("attempt_id", STR),
    ("asset", STR),
    ("run_id", STR),
    ("release", STR),
    ("conversation", STR),
    ("code_version", STR),
    ("dataset_sha256", STR),
    ("system", STR),
    ("begun_at", TIME),
    ("committed_at", TIME),
    ("row_count", I64),
    ("extra_json", STR),
    ("kind", STR),
)


class Arrived(NamedTuple):
    """Attempts on their way into the database. `rows`: the tables that have any."""

    manifests: "Sequence[Manifest]"
    rows: "dict[str, pa.Table]"


def read_attempts(store: "HistoryStore", manifests: "Sequence[Manifest]") -> Arrived:
    """These attempts, with all their rows."""
    written = {data_file.table for manifest in manifests for data_file in manifest.data_files}
    return Arrived(
        manifests, {table: store.read(table, manifests) for table in TABLES if table in written}
    )


def add_attempts(
    connection: duckdb.DuckDBPyConnection, arrived: Arrived, removed: Sequence[str]
) -> int:
    """Add and remove attempts within a transaction; return how many rows were added."""
    count, before = 0, _datasets(connection)
    _reset_touched(connection, removed)
    for table in (*TABLES, "attempts", "call_counts") if removed else ():
        connection.execute(f"DELETE FROM {table} WHERE attempt_id IN (FROM removed)")  # noqa: S608  # our own names
    _insert(connection, "attempts", _attempt_rows(arrived.manifests))
    for table in list(arrived.rows):
        rows = arrived.rows.pop(table)
        _insert(connection, table, rows)
        count += rows.num_rows
    _derive(connection, before, [manifest.attempt_id for manifest in arrived.manifests])
    return count


def create_tables(connection: duckdb.DuckDBPyConnection) -> None:
    """Create the views and all tables, empty; `lens_meta` names no history yet."""
    _insert(connection, "attempts", arrow_schema(_ATTEMPTS).empty_table(), create=True)
    for table, schema in TABLES.items():
        _insert(connection, table, schema.empty_table(), create=True)
    connection.execute("CREATE TABLE touched_partitions (release VARCHAR, conversation VARCHAR)")
    connection.execute("CREATE TABLE touched_attempts (attempt_id VARCHAR)")
    connection.execute("CREATE TABLE last_listing (listed_at TIMESTAMPTZ)")
    connection.execute(
        "CREATE TABLE lens_meta AS SELECT $1::INTEGER AS schema_version, "
        "NULL::VARCHAR AS history_id, $2::VARCHAR AS definitions_sha256",
        [SCHEMA_VERSION, definitions_sha256()],
    )
    connection.execute(_sql("macros.sql"))
    for table in DERIVED:
        connection.execute(f"CREATE TABLE {table} AS FROM ({_sql(f'derived/{table}.sql')}) LIMIT 0")
    for name in _VIEW_FILES:
        connection.execute(_sql(f"views/{name}.sql"))
    connection.execute(_sql("comments.sql"))
    _comment_on_columns(connection)


def _reset_touched(connection: duckdb.DuckDBPyConnection, removed: Sequence[str]) -> None:
    connection.execute("DELETE FROM touched_partitions; DELETE FROM touched_attempts")
    connection.execute(
        "CREATE OR REPLACE TEMP TABLE removed AS SELECT unnest($1::VARCHAR[])", [list(removed)]
    )
    connection.execute(
        "CREATE OR REPLACE TEMP TABLE changed AS FROM attempts WHERE attempt_id IN (FROM removed)"
    )
    connection.execute(_sql("touched_by_imports.sql"))


def _derive(
    connection: duckdb.DuckDBPyConnection,
    datasets_before: set[tuple[str, str]],
    added: Sequence[str],
) -> None:
    """Recompute the current rows of what was added or removed, or has another data set now."""
    connection.execute("INSERT INTO touched_attempts SELECT unnest($1::VARCHAR[])", [list(added)])
    connection.execute(
        "INSERT INTO changed FROM attempts SEMI JOIN touched_attempts USING (attempt_id)"
    )
    for sha256, conversation in datasets_before ^ _datasets(connection):
        connection.execute(
            "INSERT INTO touched_partitions SELECT DISTINCT release, conversation FROM answers "
            "WHERE dataset_sha256 = $1 AND conversation = $2",
            [sha256, conversation],
        )
    connection.execute(
        "INSERT INTO touched_partitions "
        "SELECT DISTINCT release, conversation FROM changed "
        "WHERE asset IN ('ingested_memories', 'answers', 'judgements')"
    )
    connection.execute(_sql("touched_by_imports.sql"))
    touched_questions = connection.execute(
        "SELECT 1 FROM changed WHERE asset = 'locomo_dataset' LIMIT 1"
    ).fetchone()
    if touched_questions:
        connection.execute("DELETE FROM current_questions")
        connection.execute(f"INSERT INTO current_questions {_sql('derived/current_questions.sql')}")
    for table in _BY_PARTITION:
        connection.execute(
            f"DELETE FROM {table} AS c USING touched_partitions AS t "  # noqa: S608  # our own names
            "WHERE c.release = t.release AND c.conversation = t.conversation"
        )
        connection.execute(f"INSERT INTO {table} {_sql(f'derived/{table}.sql')}")
    for table in ("accuracy_cells", "latency_by_release", "scores_by_release"):
        connection.execute(
            f"DELETE FROM {table} WHERE release IN (SELECT release FROM touched_partitions)"  # noqa: S608  # our own names
        )
        connection.execute(f"INSERT INTO {table} {_sql(f'derived/{table}.sql')}")
    connection.execute(f"INSERT INTO call_counts {_sql('derived/call_counts.sql')}")
    connection.execute("DELETE FROM release_order")
    connection.execute(f"INSERT INTO release_order {_sql('derived/release_order.sql')}")


def _datasets(connection: duckdb.DuckDBPyConnection) -> set[tuple[str, str]]:
    found = connection.execute("SELECT DISTINCT dataset_sha256, conversation FROM questions")
    return {(sha256, conversation) for sha256, conversation in found.fetchall()}


def _attempt_rows(manifests: "Sequence[Manifest]") -> "pa.Table":
    import pyarrow as pa

    rows = [
        {
            "attempt_id": manifest.attempt_id,
            "asset": manifest.lineage.asset,
            "run_id": manifest.lineage.run_id,
            "release": manifest.lineage.release,
            "conversation": manifest.lineage.conversation,
            "code_version": manifest.lineage.code_version,
            "dataset_sha256": manifest.lineage.dataset_sha256,
            "system": manifest.lineage.system,
            "begun_at": manifest.begun_at,
            "committed_at": manifest.committed_at,
            "row_count": sum(data_file.rows for data_file in manifest.data_files),
            "extra_json": json.dumps(dict(manifest.extra), ensure_ascii=False, sort_keys=True),
            "kind": None
            if manifest.lineage.release is None
            else manifest.extra.get("kind", "full"),
        }
        for manifest in manifests
    ]
    return pa.Table.from_pylist(rows, schema=arrow_schema(_ATTEMPTS))


def _insert(
    connection: duckdb.DuckDBPyConnection,
    table: str,
    rows: "pa.Table",
    *,
    create: bool = False,
) -> None:
    # DuckDB inserts many small chunks slowly.
    connection.register("arriving", rows.combine_chunks())
    if create:
        connection.execute(f"CREATE TABLE {table} AS FROM arriving")
    elif rows.num_rows:
        connection.execute(f"INSERT INTO {table} FROM arriving")
    connection.unregister("arriving")


@cache
def definitions_sha256() -> str:
    """Identifies tables and views: a database with other definitions is rebuilt."""
    texts = schema_texts() | {"attempts": schema_text(_ATTEMPTS)}
    definitions = [f"{name}: {schema}" for name, schema in texts.items()]
    definitions.append(f"scoring {text_scores.VERSION}, diagnosis {diagnosis.VERSION}")
    names = ("macros", *(f"derived/{name}" for name in DERIVED))
    for name in (*names, *(f"views/{name}" for name in _VIEW_FILES), "comments"):
        definitions.append(_sql(f"{name}.sql"))
    definitions.append(_sql("column_comments.toml"))
    return hashlib.sha256("\n".join(definitions).encode()).hexdigest()


def column_comments(table: str, columns: Collection[str] | None = None) -> dict[str, str]:
    """What each column of a table or view holds; by default of a table of `schema.TABLES`."""
    wanted = TABLES[table].names if columns is None else columns
    sections = [
        comments
        for names, comments in all_column_comments().items()
        if names == "everywhere" or table in names.split()
    ]
    found = ((column, (one[column] for one in sections if column in one)) for column in wanted)
    return {column: comment for column, its in found if (comment := next(its, None))}


def _comment_on_columns(connection: duckdb.DuckDBPyConnection) -> None:
    columns: dict[str, list[str]] = {}
    for table, column in connection.execute(
        "SELECT table_name, column_name FROM duckdb_columns() "
        "WHERE database_name = current_database() AND NOT internal"
    ).fetchall():
        columns.setdefault(table, []).append(column)
    for table, its in columns.items():
        for column, comment in column_comments(table, its).items():
            text = comment.replace("'", "''")
            connection.execute(f"COMMENT ON COLUMN {table}.\"{column}\" IS '{text}'")


@cache
def all_column_comments() -> dict[str, dict[str, str]]:
    """Comments by section and column; a section's name lists its tables, or is `everywhere`."""
    return tomllib.loads(_sql("column_comments.toml"))


@cache
def _sql(name: str) -> str:
    return files("locomo_assets.history").joinpath("sql", *name.split("/")).read_text("utf-8")
