"""The asset `locomo_dataset`: a file, checked, stored, its conversations registered."""

from collections.abc import Mapping

import dagster as dg

from locomo_assets.analysis.checks import Finding, counts_by_category, schema
from locomo_assets.errors import LocomoError
from locomo_assets.locomo.model import Dataset, DatasetError
from locomo_assets.locomo.parsing import read_dataset
from locomo_assets.locomo.sample import packaged_sample
from locomo_assets.pipeline import checks
from locomo_assets.pipeline.assets.launch_config import LaunchConfig
from locomo_assets.pipeline.column_metadata import rows_sql, table_schema
from locomo_assets.pipeline.partitions import register_conversations, register_ladders
from locomo_assets.runs.datasets import store_dataset
from locomo_assets.services import Services
from locomo_assets.settings import Settings
from locomo_assets.settings.variants import packaged_ladders


class DatasetConfig(LaunchConfig):
    """Launch options of the data set."""

    source: str | None = None
    """Path or https URL of a LoCoMo file; empty: LOCOMO_DATASET, else the packaged sample."""


@dg.asset(
    check_specs=checks.DATASET,
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
    services: dg.ResourceParam[Services],
) -> dg.MaterializeResult:  # type: ignore[type-arg]  # with checks Dagster 1.13 reads it bare
    """Reads and registers the data set; its SHA-256 is the data version."""
    try:
        dataset = services.dataset or read_source(services.settings, config.source)
        found = _findings(dataset)
        if (refused := _refusal(dataset, found)) is not None:
            for name, finding in found.items():
                checks.log(context, name, "locomo_dataset", finding)
            # Nothing is stored, so that no run, whenever it is, measures with it.
            raise refused
        audit_sha256 = services.keep_audit(dataset, context.run.run_id)
        written = store_dataset(services.store(), dataset, context.run.run_id)
    except (LocomoError, OSError) as error:
        raise dg.Failure(str(error), allow_retries=False) from error
    names = [conversation.conversation for conversation in dataset.conversations]
    register_conversations(context.instance, names)
    register_ladders(context.instance, packaged_ladders())
    questions = sum(len(c.questions) for c in dataset.conversations)
    return dg.MaterializeResult(
        metadata={
            "source": dataset.source,
            "sha256": dataset.sha256,
            "conversations": len(names),
            "sessions": sum(len(c.sessions) for c in dataset.conversations),
            "turns": sum(len(c.turns) for c in dataset.conversations),
            "questions": questions,
            **found["counts_by_category"].numbers,
            "conversations_written": written,
            **({"audit_sha256": audit_sha256} if audit_sha256 else {}),
            "dagster/row_count": questions,
            "rows": rows_sql("questions", {"dataset_sha256": dataset.sha256}),
        },
        data_version=dg.DataVersion(dataset.sha256),
        check_results=[checks.result(name, finding) for name, finding in found.items()],
    )


def read_source(settings: Settings, source: str | None) -> Dataset:
    """The data set at a path or URL; None: LOCOMO_DATASET's, else the packaged sample."""
    chosen = source or settings.dataset
    if chosen is None:
        return read_dataset(packaged_sample())
    return read_dataset(chosen, settings.dataset_sha256)


def refuse_failed(dataset: Dataset) -> None:
    """Raises DatasetError where a check of the asset fails."""
    if (refused := _refusal(dataset, _findings(dataset))) is not None:
        raise refused


def _findings(dataset: Dataset) -> dict[str, Finding]:
    return {"counts_by_category": counts_by_category(dataset), "schema": schema(dataset)}


def _refusal(dataset: Dataset, found: Mapping[str, Finding]) -> DatasetError | None:
    failed = next((name for name, finding in found.items() if not finding.passed), None)
    if failed is None:
        return None
    return DatasetError(
        f"data set {dataset.source}: {failed}: expected {found[failed].expected}; found "
        f"{found[failed].actual}; nothing of it is stored"
    )
