"""What a release has cost so far.

Here: the sum over its requests in the history, those of attempts that never committed included,
because they were paid for as well.
"""

from collections.abc import Iterable

from tenacity import retry, retry_if_exception_type, stop_after_attempt

from locomo_assets.history.errors import HistoryDamagedError
from locomo_assets.history.lineage import Marker, UnfinishedAttempt, settled
from locomo_assets.history.store import HistoryStore

PAID_ASSETS = ("answers", "judgements")


def spent_usd(store: HistoryStore, partitions: Iterable[tuple[str, str]]) -> float:
    """USD of all requests for these (release, conversation); unknown costs count as nothing."""
    return sum(
        cost or 0.0
        for release, conversation in partitions
        for asset in PAID_ASSETS
        for cost in _costs_usd(store, asset, release, conversation)
    )


# Others may be at work: the small parts of an attempt that commits before they are read are gone.
@retry(retry=retry_if_exception_type(HistoryDamagedError), stop=stop_after_attempt(5), reraise=True)
def _costs_usd(
    store: HistoryStore, asset: str, release: str, conversation: str
) -> list[float | None]:
    # unfinished ones first: what commits in between is found twice, not never
    unfinished = store.unfinished(asset, release, conversation)
    markers = store.markers(asset=asset, release=release, conversation=conversation)
    done = settled(markers)
    attempts: list[Marker | UnfinishedAttempt] = [
        *markers,
        *(attempt for attempt in unfinished if attempt.attempt_id not in done),
    ]
    costs: list[float | None] = store.read("calls", attempts, ("cost_usd",))["cost_usd"].to_pylist()
    return costs
