"""Leases: one writer for each partition, also across processes and machines.

A holder renews its lease while it works. When the holder's process is known to be dead, the
lease is free at once; otherwise it becomes free when it expires.
"""

import asyncio
import json
import os
import secrets
import socket
import time
from collections.abc import AsyncIterator, Collection, Iterable
from contextlib import asynccontextmanager, suppress
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from locomo_assets.history.errors import (
    HistoryDamagedError,
    HistoryUnreachableError,
    LeaseLostError,
    LeaseTakenError,
)
from locomo_assets.history.provenance import Lineage, manifest_folder
from locomo_assets.history.storage import Storage
from locomo_assets.http.limits import first_failure

TTL_S = 60.0

_READ_TRIES = 5
_POLL_EVERY_S = 1.0


@dataclass(frozen=True, slots=True)
class Holder:
    """Who holds a lease. `token` is unique to this one acquisition.

    `machine` and `process` are as in `this_machine` and `this_process`.
    """

    run_id: str
    host: str
    machine: str | None
    process: str
    token: str


@dataclass(frozen=True, slots=True)
class Lease:
    """A lease as it was last written."""

    path: str
    holder: Holder
    expires_at: datetime
    released: bool = False

    def is_over(self, now: datetime) -> bool:
        """Whether somebody else may acquire the next one."""
        holder = self.holder
        return (
            self.released
            or now >= self.expires_at
            or process_is_gone(holder.machine, holder.process)
        )


@asynccontextmanager
async def leased(
    storage: Storage, lineage: Lineage, *, ttl_s: float = TTL_S
) -> AsyncIterator[None]:
    """Hold the lease of a lineage's asset and partition while the block runs.

    `LeaseTakenError` at once if another run holds it. `LeaseLostError` ends the block if this
    process failed to renew its lease in time and another run acquired it.
    """
    lease = await asyncio.to_thread(acquire, storage, lineage, ttl_s=ttl_s)
    async with held_lease(storage, lease, ttl_s=ttl_s):
        yield


@asynccontextmanager
async def held_lease(
    storage: Storage, lease: Lease, *, ttl_s: float = TTL_S
) -> AsyncIterator[None]:
    """Renew a lease while the block runs, then release it; `LeaseLostError` as in `leased`."""
    try:
        with first_failure():
            async with asyncio.TaskGroup() as group:
                heartbeat = group.create_task(_keep_renewing(storage, lease, ttl_s))
                yield
                heartbeat.cancel()
    finally:
        # If the release can't be written, the lease expires by itself.
        with suppress(HistoryUnreachableError):
            release(storage, lease)


async def wait_for_expiry(
    storage: Storage,
    lineages: Iterable[Lineage],
    run_ids: Collection[str],
    *,
    ttl_s: float = TTL_S,
) -> None:
    """Wait while one of these ended runs still holds a lease of these partitions.

    A crashed pod can't release its lease, and other machines can't see that it is dead. Waits at
    most `ttl_s`: a lease held longer is being renewed, and acquiring it will fail with the reason.
    """
    deadline = time.monotonic() + ttl_s
    for lineage in lineages:
        while time.monotonic() < deadline:
            lease = await asyncio.to_thread(current, storage, lineage)
            is_theirs = lease is not None and lease.holder.run_id in run_ids
            if lease is None or not is_theirs or lease.is_over(datetime.now(UTC)):
                break
            await asyncio.sleep(_POLL_EVERY_S)


def acquire(storage: Storage, lineage: Lineage, *, ttl_s: float = TTL_S) -> Lease:
    """Acquire the lease of a lineage's asset and partition for its run; see `acquire_at`."""
    what = f"{lineage.asset} of {lineage.conversation}, release {lineage.release}"
    return acquire_at(storage, _folder(lineage), lineage.run_id, what, ttl_s=ttl_s)


def acquire_at(
    storage: Storage, folder: str, run_id: str, what: str, *, ttl_s: float = TTL_S
) -> Lease:
    """Acquire the lease kept in a folder, for a run; `what` names it in messages.

    `LeaseTakenError` says who holds it and until when.
    """
    holder = Holder(
        run_id=run_id,
        host=socket.gethostname(),
        machine=this_machine(),
        process=this_process(),
        token=secrets.token_hex(8),
    )
    for _ in range(_READ_TRIES):
        older = storage.list(folder)
        try:
            if older and not (last := _read(storage, older[-1])).is_over(datetime.now(UTC)):
                raise LeaseTakenError(_taken_message(what, last))
            generation = int(Path(older[-1]).stem) + 1 if older else 1
            lease = Lease(f"{folder}/{generation:08d}.json", holder, _expiry(ttl_s))
            storage.put_new(lease.path, _to_json(lease))
            written = _read(storage, lease.path)
        except HistoryDamagedError:
            # Whoever acquired the next generation deleted this one: list again.
            continue
        if written.holder != holder:
            raise LeaseTakenError(_taken_message(what, written))
        storage.delete(older)
        return lease
    raise LeaseTakenError(
        f"{what}: its lease in {folder} can't be read; if no run is at work on it, "
        "delete that folder"
    )


def current(storage: Storage, lineage: Lineage) -> Lease | None:
    """The newest lease of a lineage's asset and partition; None if there never was one."""
    for _ in range(_READ_TRIES):
        paths = storage.list(_folder(lineage))
        if not paths:
            break
        # Deleted between list and read: somebody acquired the next one.
        with suppress(HistoryDamagedError):
            return _read(storage, paths[-1])
    return None


def renew(storage: Storage, lease: Lease, *, ttl_s: float = TTL_S) -> Lease:
    """Extend the lease; `LeaseLostError` if somebody has acquired the next one."""
    paths = storage.list(lease.path.rpartition("/")[0])
    if paths and paths[-1] > lease.path:
        other = _read(storage, paths[-1])
        raise LeaseLostError(
            f"run {lease.holder.run_id} could not renew its lease in time, and run "
            f"{other.holder.run_id} on {other.holder.host} took its partition over; "
            "what was saved until then is kept"
        )
    renewed = replace(lease, expires_at=_expiry(ttl_s))
    storage.put(lease.path, _to_json(renewed))
    return renewed


def release(storage: Storage, lease: Lease) -> None:
    """Free the lease for the next run."""
    storage.put(lease.path, _to_json(replace(lease, released=True)))


def this_machine() -> str | None:
    """This boot of this machine, and its namespace of process ids; None where unknown."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot} {Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return None


def this_process() -> str:
    """This process as in `process_identity`, or its id alone where the start is unknown."""
    try:
        return process_identity(os.getpid()) or str(os.getpid())
    except OSError:
        return str(os.getpid())


def process_identity(pid: int) -> str | None:
    """A process of this machine as `pid@start`, which differs if the id is reused.

    None if there is no such process, or it is a zombie. OSError where that can't be read, which
    proves nothing.
    """
    try:
        # The name in parentheses may hold anything, so count from behind it.
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if fields[0] in "ZX" else f"{pid}@{fields[19]}"


def pid_of(process: str) -> int:
    """The process id in a process's identity."""
    return int(process.partition("@")[0])


def process_is_gone(machine: str | None, process: str) -> bool:
    """Whether a process is certainly dead; False for one that can't be seen from here."""
    if machine is None or machine != this_machine():
        return False
    try:
        found = process_identity(pid_of(process))
    except OSError:
        return False
    return found is None or ("@" in process and found != process)


async def _keep_renewing(storage: Storage, lease: Lease, ttl_s: float) -> None:
    while True:
        await asyncio.sleep(ttl_s / 4)
        try:
            lease = await asyncio.to_thread(renew, storage, lease, ttl_s=ttl_s)
        except HistoryUnreachableError:
            if datetime.now(UTC) >= lease.expires_at:
                raise


def _folder(lineage: Lineage) -> str:
    return "leases" + manifest_folder(lineage).removeprefix("attempts")


def _expiry(ttl_s: float) -> datetime:
    return datetime.now(UTC) + timedelta(seconds=ttl_s)


def _taken_message(what: str, lease: Lease) -> str:
    return (
        f"{what}: run {lease.holder.run_id} on {lease.holder.host} is at work on it "
        f"(its lease lasts until {lease.expires_at:%Y-%m-%d %H:%M:%S} UTC and is renewed while it "
        "lives); wait for that run or stop it"
    )


def _to_json(lease: Lease) -> bytes:
    value = {
        "holder": asdict(lease.holder),
        "expires_at": lease.expires_at.isoformat(),
        "released": lease.released,
    }
    return json.dumps(value, indent=1).encode()


def _read(storage: Storage, path: str) -> Lease:
    try:
        value = json.loads(storage.get(path))
        expires_at = datetime.fromisoformat(value["expires_at"])
        return Lease(path, Holder(**value["holder"]), expires_at, value["released"])
    except (ValueError, KeyError, TypeError, RecursionError) as exc:
        raise HistoryDamagedError(f"lease {path} can't be read; delete it") from exc
