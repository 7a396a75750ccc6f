"""How many runs are at a service at once, so that together they stay within what it is to bear.

Here: a service has so many seats, each a lease in the history; a run waits for one and keeps it
while it measures. How much of the limits goes with a seat is `pipeline.services`'s. Dagster's
pool keeps runs in its queue; this also holds for runs that Dagster's queue does not see: those of
`locomo-assets run`, and of other machines that share the history.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from urllib.parse import urlsplit

from locomo_assets.history.errors import LeaseTakenError
from locomo_assets.history.lease import TTL_S, Lease, acquire_at, held_lease
from locomo_assets.history.provenance import path_label
from locomo_assets.history.storage import Storage

LOOKS_EVERY_S = 2.0

_log = logging.getLogger(__name__)


def services_at(urls: Iterable[str]) -> list[str]:
    """The services that answer at these URLs, `host:port`, each once, in the order of taking seats.

    What is no URL names none: the client refuses it.
    """
    found = set()
    for url in urls:
        try:
            parts = urlsplit(url)
            port = parts.port or {"http": 80, "https": 443}.get(parts.scheme)
        except ValueError:
            continue
        if parts.hostname:
            found.add(f"{parts.hostname}:{port}")
    # One order for all, or two runs could wait for each other.
    return sorted(found)


@asynccontextmanager
async def hold_run_slots(
    storage: Storage,
    services: Iterable[str],
    run_id: str,
    *,
    slots: int,
    waiting: Callable[[str], None],
    ttl_s: float = TTL_S,
) -> AsyncIterator[None]:
    """With a seat at each service while the block lasts.

    Waits as long as it takes; `waiting` is told at each look who has the seats, and the empty
    text once there is one. `LeaseLostError` ends the block as in `leasing.leased`.
    """
    async with AsyncExitStack() as stack:
        for service in services:
            lease = await _take_slot(storage, service, run_id, slots, waiting, ttl_s=ttl_s)
            await stack.enter_async_context(held_lease(storage, lease, ttl_s=ttl_s))
        yield


async def _take_slot(
    storage: Storage,
    service: str,
    run_id: str,
    slots: int,
    waiting: Callable[[str], None],
    *,
    ttl_s: float,
) -> Lease:
    told = False
    while True:
        for number in range(1, slots + 1):
            folder = f"leases/service={path_label(service)}/seat={number}"
            try:
                lease = await asyncio.to_thread(
                    acquire_at, storage, folder, run_id, service, ttl_s=ttl_s
                )
            except LeaseTakenError as error:
                taken = str(error)
            else:
                waiting("")
                return lease
        if not told:
            _log.warning("waiting: %s", taken)
        told = True
        waiting(taken)
        await asyncio.sleep(LOOKS_EVERY_S)
