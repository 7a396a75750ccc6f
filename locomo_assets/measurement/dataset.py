"""A data set's way into the history: one attempt a conversation, written where it is new.

Here: that writing. Reading and validating the file is `locomo.reading`.
"""

from dataclasses import replace

from locomo_assets import __version__
from locomo_assets.history.lineage import Lineage
from locomo_assets.history.store import HistoryStore
from locomo_assets.locomo.model import Dataset
from locomo_assets.locomo.rows import to_rows


def store_dataset(store: HistoryStore, dataset: Dataset, run_id: str) -> int:
    """Commits each conversation whose newest stored version is of another file.

    Returns how many were written; the rest were there already, from an equal file.
    """
    written = 0
    for conversation in dataset.conversations:
        name = conversation.conversation
        known = store.markers(asset="locomo_dataset", conversation=name)
        if known and known[-1].lineage.dataset_sha256 == dataset.sha256:
            continue
        attempt = store.begin(
            Lineage(
                asset="locomo_dataset",
                run_id=run_id,
                release=None,
                conversation=name,
                code_version=__version__,
                dataset_sha256=dataset.sha256,
                system=None,
            )
        )
        for table, rows in to_rows(replace(dataset, conversations=(conversation,))).items():
            # Which conversation they are of is said once, by the attempt.
            attempt.append(
                table, [{k: v for k, v in row.items() if k != "conversation"} for row in rows]
            )
        attempt.commit(source=dataset.source, size_bytes=dataset.size_bytes)
        written += 1
    return written
