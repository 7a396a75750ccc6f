"""What a release has cost so far.

Here: the sum over its requests in the history, those of attempts that never committed included,
because they were paid for as well.
"""

from collections.abc import Iterable

from locomo_assets.history.lineage import Marker, UnfinishedAttempt
from locomo_assets.history.store import HistoryStore

PAID_ASSETS = ("answers", "judgements")


def spent_usd(store: HistoryStore, partitions: Iterable[tuple[str, str]]) -> float:
    """USD of all requests for these (release, conversation); unknown costs count as nothing."""
    total = 0.0
    for release, conversation in partitions:
        for asset in PAID_ASSETS:
            attempts: list[Marker | UnfinishedAttempt] = [
                *store.markers(asset=asset, release=release, conversation=conversation),
                *store.unfinished(asset, release, conversation),
            ]
            costs = store.read("calls", attempts, ("cost_usd",))["cost_usd"].to_pylist()
            total += sum(cost or 0.0 for cost in costs)
    return total
