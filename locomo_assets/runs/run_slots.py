"""How many runs use a service at once, so that together they stay within its limits.

Each service has a number of slots, and a slot is a lease in the history. Dagster's pool queues the
runs that Dagster starts; slots also hold for `locomo-assets run`, and for other machines that share
the history.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from urllib.parse import unquote, urlsplit

from locomo_assets.history.errors import HistoryDamagedError, LeaseTakenError
from locomo_assets.history.lease import TTL_S, Lease, acquire_at, held_lease, read
from locomo_assets.history.provenance import path_label
from locomo_assets.history.storage import Storage

POLL_EVERY_S = 2.0

_log = logging.getLogger(__name__)


def services_at(urls: Iterable[str]) -> list[str]:
    """The services that answer at these URLs, `host:port`, each once, in the order of acquiring.

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
    on_wait: Callable[[str], None],
    ttl_s: float = TTL_S,
) -> AsyncIterator[None]:
    """Hold a slot at each service while the block lasts.

    Waits as long as it takes. `on_wait` gets, at each poll, who holds the slots, and an empty text
    once one is free. `LeaseLostError` ends the block, as in `lease.leased`.
    """
    async with AsyncExitStack() as stack:
        for service in services:
            lease = await _acquire_slot(storage, service, run_id, slots, on_wait, ttl_s=ttl_s)
            await stack.enter_async_context(held_lease(storage, lease))
        yield


def services_of_earlier_runs(storage: Storage, run_id: str) -> set[str]:
    """The services, as `services_at` names them, at which another run than this has held a slot.

    A lease stays when it is released, so this holds for as long as the folder of leases does.
    """
    found = set()
    for path in storage.list("leases"):
        folder, *_ = path.removeprefix("leases/").split("/")
        kind, _, service = folder.partition("=")
        if kind != "service":
            continue
        # A run that is at work replaced the lease of the run before, and counted on.
        with suppress(HistoryDamagedError):
            is_first = path.endswith("/00000001.json")
            if not is_first or read(storage, path).holder.run_id != run_id:
                found.add(unquote(service))
    return found


async def _acquire_slot(
    storage: Storage,
    service: str,
    run_id: str,
    slots: int,
    on_wait: Callable[[str], None],
    *,
    ttl_s: float,
) -> Lease:
    warned = False
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
                on_wait("")
                return lease
        if not warned:
            _log.warning("waiting: %s", taken)
        warned = True
        on_wait(taken)
        await asyncio.sleep(POLL_EVERY_S)
