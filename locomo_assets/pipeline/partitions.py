"""The grids of partitions: conversation × release, and ladder × release, all dynamic.

Dagster sorts a key's dimensions by name, so keys read `conv-26|r1`.
"""

from collections.abc import Iterable, Sequence

import dagster as dg

from locomo_assets.pipeline.unexported import (
    ASSET_PARTITION_RANGE_START_TAG,
    MULTIDIMENSIONAL_PARTITION_PREFIX,
)
from locomo_assets.runs.stages import SERIES

CONVERSATION = "conversation"
RELEASE = "release"
LADDER = "ladder"
RELEASE_TAG = "locomo/release"
"""Of every run that works on a release, so that the list of runs can be filtered by it."""

conversations = dg.DynamicPartitionsDefinition(name=CONVERSATION)
releases = dg.DynamicPartitionsDefinition(name=RELEASE)
grid = dg.MultiPartitionsDefinition({CONVERSATION: conversations, RELEASE: releases})
ladder_grid = dg.MultiPartitionsDefinition(
    {LADDER: dg.DynamicPartitionsDefinition(name=LADDER), RELEASE: releases}
)


def split(key: str) -> tuple[str, str]:
    """A grid key's conversation (or ladder) and release."""
    first, _, release = key.partition("|")
    return first, release


def use_whole_range(run: dg.DagsterRun) -> None:
    """Lets the step of a run over a range see all of it.

    A job's backfill writes the dimensions of the first partition into the tags of the whole range,
    and Dagster 1.13 then takes the run for one over that partition. Only the step's copy changes.
    """
    tags = run.tags
    if ASSET_PARTITION_RANGE_START_TAG in tags and isinstance(tags, dict):
        for tag in [one for one in tags if one.startswith(MULTIDIMENSIONAL_PARTITION_PREFIX)]:
            del tags[tag]


def register_conversations(instance: dg.DagsterInstance, names: Sequence[str]) -> None:
    """Makes the conversation partitions exactly these.

    Those of another data set go: what the grid offers to backfill is what would be paid for.
    Their results stay in the history.
    """
    known = instance.get_dynamic_partitions(CONVERSATION)
    for gone in set(known) - set(names):
        instance.delete_dynamic_partition(CONVERSATION, gone)
    instance.add_dynamic_partitions(CONVERSATION, [n for n in names if n not in known])


def register_ladders(instance: dg.DagsterInstance, names: Iterable[str]) -> None:
    """Adds ladders to what can be materialized; those that are there stay."""
    known = instance.get_dynamic_partitions(LADDER)
    instance.add_dynamic_partitions(LADDER, [name for name in names if name not in known])


def last_judged_series(instance: dg.DagsterInstance, release: str) -> tuple[str, ...] | None:
    """The series that the newest run judged, even if it only reused verdicts; `Accuracy.series`.

    None where the instance knows of none: it is new, or an older version judged.
    """
    keys = [f"{name}|{release}" for name in instance.get_dynamic_partitions(CONVERSATION)]
    if not keys:  # Dagster would take that for any
        return None
    wanted = dg.AssetRecordsFilter(asset_key=dg.AssetKey("judgements"), asset_partitions=keys)
    for record in instance.fetch_materializations(wanted, limit=1).records:
        if (made := record.asset_materialization) and set(SERIES) <= set(made.metadata):
            return tuple(str(made.metadata[name].value) for name in SERIES)
    return None


def ranges(instance: dg.DagsterInstance, names: Sequence[str]) -> list[tuple[str, str]]:
    """The fewest first–last ranges of registered conversations that cover just `names`."""
    found: list[tuple[str, str]] = []
    before_was_wanted = False
    for name in instance.get_dynamic_partitions(CONVERSATION):
        wanted = name in names
        if wanted and before_was_wanted:
            found[-1] = (found[-1][0], name)
        elif wanted:
            found.append((name, name))
        before_was_wanted = wanted
    return found
