"""A new Dagster instance learns which partitions the history holds.

Here: that, for an instance that was lost. In daily life conversations are registered by
`locomo_dataset` and releases by whoever launches them.
"""

import os
from pathlib import Path

import dagster as dg

from locomo_assets.history.store import HistoryStore
from locomo_assets.pipeline.launch import prepare_home
from locomo_assets.pipeline.partitions import RELEASE, register_conversations

_MEASURED = ("ingested_memories", "answers", "judgements")


def register_history(store: HistoryStore, home: Path) -> tuple[list[str], list[str]]:
    """Registers what was measured in the instance of DAGSTER_HOME, else in that of `home`.

    Conversations become those of the data set stored last; releases are added in the order in
    which they were measured. Returns both.
    """
    markers = store.markers()
    datasets = [m.lineage for m in markers if m.lineage.asset == "locomo_dataset"]
    newest = {lineage.conversation: lineage.dataset_sha256 for lineage in datasets}
    conversations = [
        name for name, sha in newest.items() if name and sha == datasets[-1].dataset_sha256
    ]
    measured = [m.lineage.release for m in markers if m.lineage.asset in _MEASURED]
    releases = [release for release in dict.fromkeys(measured) if release is not None]
    os.environ.setdefault("DAGSTER_HOME", str(prepare_home(home)))
    with dg.DagsterInstance.get() as instance:
        register_conversations(instance, conversations)
        instance.add_dynamic_partitions(RELEASE, releases)
    return conversations, releases
