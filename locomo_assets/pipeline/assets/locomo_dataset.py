"""The data set asset: a file read, checked, normalized into the history, its conversations
registered as partitions.
"""

import dagster as dg

from locomo_assets.errors import LocomoError
from locomo_assets.locomo.reading import read_dataset
from locomo_assets.locomo.sample import packaged_sample
from locomo_assets.measurement.dataset import store_dataset
from locomo_assets.pipeline.lineage import rows_sql, table_schema
from locomo_assets.pipeline.partitions import register_conversations
from locomo_assets.pipeline.workplace import Workplace


class DatasetConfig(dg.Config):
    """Launch options of the data set."""

    source: str | None = None
    """Path or https URL of a LoCoMo file; empty: LOCOMO_DATASET, else the packaged sample."""


@dg.asset(
    group_name="dataset",
    kinds={"json", "parquet"},
    owners=["team:evaluation"],
    metadata={"dagster/column_schema": table_schema("locomo_dataset")},
    description="The LoCoMo file: conversations, sessions, turns and questions, validated and "
    "written to the history. Registers the conversations as partitions. Costs nothing.",
)
def locomo_dataset(
    context: dg.AssetExecutionContext,
    config: DatasetConfig,
    workplace: dg.ResourceParam[Workplace],
) -> dg.MaterializeResult[None]:
    """Reads and registers the data set; its SHA-256 is the data version."""
    chosen = workplace.settings
    source = config.source or chosen.dataset or packaged_sample()
    pinned = chosen.dataset_sha256 if source == chosen.dataset or config.source else None
    try:
        dataset = read_dataset(source, pinned)
        written = store_dataset(workplace.store(), dataset, context.run.run_id)
    except (LocomoError, OSError) as error:
        raise dg.Failure(str(error), allow_retries=False) from error
    names = [conversation.conversation for conversation in dataset.conversations]
    register_conversations(context.instance, names)
    questions = [q for c in dataset.conversations for q in c.questions]
    categories = {
        f"questions_category_{n}": sum(q.category == n for q in questions) for n in range(1, 6)
    }
    return dg.MaterializeResult(
        metadata={
            "source": dataset.source,
            "sha256": dataset.sha256,
            "conversations": len(names),
            "sessions": sum(len(c.sessions) for c in dataset.conversations),
            "turns": sum(len(c.turns) for c in dataset.conversations),
            "questions": len(questions),
            **categories,
            "conversations_written": written,
            "dagster/row_count": len(questions),
            "rows": rows_sql("questions", {"dataset_sha256": dataset.sha256}),
        },
        data_version=dg.DataVersion(dataset.sha256),
    )
