"""Runs that measure a release, as sensors and schedules request them.

Here: the job they are of, and a release's run requests: one range run, or one run per
conversation, as LOCOMO_PARTITIONS_PER_RUN says. When they are requested is `release_sensor` and
`schedules`. What follows from their results is the sensor `results_automation`'s.
"""

from collections.abc import Mapping, Sequence

import dagster as dg

# Not exported; the version of Dagster is pinned.
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition
from dagster._core.storage.tags import (
    ASSET_PARTITION_RANGE_END_TAG,
    ASSET_PARTITION_RANGE_START_TAG,
)

from locomo_assets.pipeline.partitions import CONVERSATION, ranges

JOB = "release_measurement"


def release_job() -> UnresolvedAssetJobDefinition:
    """Ingests, asks and judges; costs what its conversations cost."""
    return dg.define_asset_job(
        JOB,
        selection=dg.AssetSelection.assets("ingested_memories", "answers", "judgements"),
        description="A release's conversations, ingested, asked and judged. What is stored is not "
        "paid for again.",
    )


def release_run_requests(
    instance: dg.DagsterInstance,
    release: str,
    *,
    partitions_per_run: str,
    tags: Mapping[str, str],
    names: Sequence[str] | None = None,
) -> list[dg.RunRequest]:
    """For the registered conversations, or those of `names`; none where none is registered.

    The same release has the same run keys, so that Dagster never starts its runs twice.
    """
    wanted = instance.get_dynamic_partitions(CONVERSATION) if names is None else names
    # A range of one, not a partition key: Dagster's own check of keys with several dimensions does
    # not see partitions that the same tick adds.
    each = [(name, name) for name in wanted]
    return [
        dg.RunRequest(
            run_key=f"{release}/{first}" if first == last else f"{release}/{first}-{last}",
            tags={
                **tags,
                ASSET_PARTITION_RANGE_START_TAG: f"{first}|{release}",
                ASSET_PARTITION_RANGE_END_TAG: f"{last}|{release}",
            },
        )
        for first, last in (each if partitions_per_run == "one" else ranges(instance, wanted))
    ]
