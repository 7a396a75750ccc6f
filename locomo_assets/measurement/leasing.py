"""Work under a lease, stopped when the lease is lost.

Here: the heartbeat. The lease itself is `history.lease`.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime

from locomo_assets.backboard.tasks import first_failure
from locomo_assets.history.errors import HistoryUnreachableError
from locomo_assets.history.lease import LASTS_S, Lease, release, renew, take
from locomo_assets.history.lineage import Lineage
from locomo_assets.history.storage import Storage


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


async def _beat(storage: Storage, lease: Lease, lasts_s: float) -> None:
    while True:
        await asyncio.sleep(lasts_s / 4)
        try:
            lease = await asyncio.to_thread(renew, storage, lease, lasts_s=lasts_s)
        except HistoryUnreachableError:
            if datetime.now(UTC) >= lease.expires_at:
                raise
