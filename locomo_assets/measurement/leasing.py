"""Work under a lease, stopped when the lease is lost; and waiting for what a crashed run left.

Here: the heartbeat, and the patience of a retry. The lease itself is `history.lease`.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Collection, Iterable
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime

from locomo_assets.backboard.tasks import first_failure
from locomo_assets.history.errors import HistoryUnreachableError
from locomo_assets.history.lease import LASTS_S, Lease, newest, release, renew, take
from locomo_assets.history.lineage import Lineage
from locomo_assets.history.storage import Storage

_LOOK_EVERY_S = 1.0


@asynccontextmanager
async def leased(
    storage: Storage, lineage: Lineage, *, lasts_s: float = LASTS_S
) -> AsyncIterator[None]:
    """Alone on the asset and partition of a lineage while the block lasts.

    `LeaseTakenError` at once if another run is; `LeaseLostError` ends the block if this process
    did not come to renew its lease in time and another has taken it.
    """
    lease = await asyncio.to_thread(take, storage, lineage, lasts_s=lasts_s)
    async with kept(storage, lease, lasts_s=lasts_s):
        yield


@asynccontextmanager
async def kept(storage: Storage, lease: Lease, *, lasts_s: float = LASTS_S) -> AsyncIterator[None]:
    """Renews a lease while the block lasts, then releases it; `LeaseLostError` as in `leased`."""
    try:
        with first_failure():
            async with asyncio.TaskGroup() as group:
                beating = group.create_task(_beat(storage, lease, lasts_s))
                yield
                beating.cancel()
    finally:
        # Who can't be told finds out when the lease is over.
        with suppress(HistoryUnreachableError):
            release(storage, lease)


async def until_over(
    storage: Storage,
    lineages: Iterable[Lineage],
    run_ids: Collection[str],
    *,
    lasts_s: float = LASTS_S,
) -> None:
    """Waits while one of these runs, which have ended, still has a lease of these partitions.

    A pod that crashed could not release its own, and nobody else can see that it is gone. Waits
    for at most `lasts_s`: a lease that holds longer is being renewed, and taking it will tell.
    """
    deadline = time.monotonic() + lasts_s
    for lineage in lineages:
        while time.monotonic() < deadline:
            lease = await asyncio.to_thread(newest, storage, lineage)
            is_theirs = lease is not None and lease.holder.run_id in run_ids
            if lease is None or not is_theirs or lease.is_over(datetime.now(UTC)):
                break
            await asyncio.sleep(_LOOK_EVERY_S)


async def _beat(storage: Storage, lease: Lease, lasts_s: float) -> None:
    while True:
        await asyncio.sleep(lasts_s / 4)
        try:
            lease = await asyncio.to_thread(renew, storage, lease, lasts_s=lasts_s)
        except HistoryUnreachableError:
            if datetime.now(UTC) >= lease.expires_at:
                raise
