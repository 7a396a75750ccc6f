"""What the UI shows of the tables: columns, their lineage, and the SQL that shows the rows."""

import shlex
from collections.abc import Mapping

import dagster as dg

from locomo_assets.history.database.tables import column_comments
from locomo_assets.history.schema import TABLES
from locomo_assets.history.statements import literal
from locomo_assets.reporting.markdown import code_span

TABLE_OF = {
    "locomo_dataset": "questions",
    "ingested_memories": "ingestions",
    "answers": "answers",
    "judgements": "judgements",
}
"""Asset → the table that its rows are counted in."""

_FROM: dict[str, dict[str, tuple[str, ...]]] = {
    "ingested_memories": {
        "conversation": ("locomo_dataset.conversation",),
        "dataset_sha256": ("locomo_dataset.dataset_sha256",),
    },
    "answers": {
        "conversation": ("locomo_dataset.conversation",),
        "question": ("locomo_dataset.question",),
        "question_index": ("locomo_dataset.question_index",),
        "category": ("locomo_dataset.category",),
        "ingestion_id": ("ingested_memories.ingestion_id",),
        "answer": ("locomo_dataset.question", "ingested_memories.assistant_id"),
    },
    "judgements": {
        "question_index": ("answers.question_index",),
        "category": ("answers.category",),
        "answer_id": ("answers.answer_id",),
        "ingestion_id": ("answers.ingestion_id",),
        "question_protocol": ("answers.question_protocol",),
        "verdict": ("answers.question", "answers.answer", "locomo_dataset.gold_answer"),
    },
}


def table_schema(asset: str) -> dg.TableSchema:
    """The columns of an asset's table, with the comments that they have in the database."""
    table = TABLE_OF[asset]
    comments = column_comments(table)
    return dg.TableSchema(
        columns=[
            dg.TableColumn(field.name, str(field.type), description=comments.get(field.name))
            for field in TABLES[table]
        ]
    )


def column_lineage(asset: str) -> dg.TableColumnLineage:
    """Which columns upstream an asset's columns are made of."""
    return dg.TableColumnLineage(
        {
            column: [
                dg.TableColumnDep(asset_key=upstream, column_name=name)
                for upstream, _, name in (source.partition(".") for source in sources)
            ]
            for column, sources in _FROM.get(asset, {}).items()
        }
    )


def rows_sql(table: str, where: Mapping[str, str]) -> dg.MarkdownMetadataValue:
    """The command that shows just these rows, to copy."""
    terms = " AND ".join(f"{column} = {literal(value)}" for column, value in where.items())
    query = f"FROM {table} WHERE {terms}"
    # Within double quotes a shell would replace these.
    quoted = shlex.quote(query) if set(query) & set('$`"\\!') else f'"{query}"'
    return dg.MetadataValue.md(code_span(f"locomo-assets sql {quoted}"))
