"""What an earlier run left behind, and which of several rows counts.

Here: finding unfinished attempts that may be gone on with, and the rule of the first complete
row. How their rows are used is the stages' business. To be called under the partition's lease,
because only then nobody is at work on what is unfinished.
"""

from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import replace
from typing import Any, TypeVar

from locomo_assets.history.lineage import Lineage, UnfinishedAttempt
from locomo_assets.history.store import Attempt, HistoryStore
from locomo_assets.measurement.aside import aside
from locomo_assets.measurement.bench import Order

K = TypeVar("K", bound=Hashable)
AnyRow = Mapping[str, Any]


def resumable(lineage: Lineage, order: Order, fingerprint: str, **extra: Any) -> Lineage:
    """The lineage under which `left_behind` finds an attempt again."""
    own = {"fingerprint": fingerprint, "forced": order.force, **extra}
    return replace(lineage, extra={**lineage.extra, **own})


def left_behind(
    store: HistoryStore, asset: str, order: Order, fingerprint: str
) -> list[UnfinishedAttempt]:
    """Unfinished attempts at just this work, oldest first.

    A forced order pays for everything anew, so it goes on only with what a forced one began.
    """
    return [
        attempt
        for attempt in store.unfinished(asset, order.release, order.conversation)
        if attempt.lineage.extra.get("fingerprint") == fingerprint
        and (attempt.lineage.extra.get("forced") or not order.force)
    ]


async def finish(
    attempt: Attempt, store: HistoryStore, left: Iterable[UnfinishedAttempt], **extra: Any
) -> None:
    """Commit the attempt with the rows of those it went on with."""

    def commit() -> None:
        for earlier in left:
            attempt.take_over(store, earlier)
        attempt.merge()
        attempt.commit(**extra)

    await aside(commit)


def first_complete(
    rows: Iterable[AnyRow], key: Callable[[AnyRow], K], is_complete: Callable[[AnyRow], bool]
) -> dict[K, AnyRow]:
    """Of the rows of one attempt that have the same key, the one that counts.

    It is the first complete one, or where none is complete the first. Rows must come in the
    order of their times. The others stay in the history as superseded; the views
    `current_answers` and `current_judgements` go by the same rule.
    """
    counts: dict[K, AnyRow] = {}
    for row in rows:
        known = counts.get(key(row))
        if known is None or (is_complete(row) and not is_complete(known)):
            counts[key(row)] = row
    return counts
