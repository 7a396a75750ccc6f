"""Leases: one writer for each partition, also across processes and machines.

A lease is renewed while its holder works. The lease of a process that is gone is free at once
where that can be known, else when its time is over.
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
from locomo_assets.http.concurrency import first_failure


def machine() -> str | None:
    """This boot of this machine, and its process numbers' namespace; None where unknown."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot} {Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return None


def process(pid: int) -> str | None:
    """A process of this machine by number and start, which tells it from a later one of its number.

    None if there is none, or one that is dead and not yet buried. OSError where that can't be
    seen, which is no proof of anything.
    """
    try:
        # The name in parentheses may hold anything, so count from behind it.
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if fields[0] in "ZX" else f"{pid}@{fields[19]}"


def this_process() -> str:
    """As `process`, or the number alone where the start is not known."""
    try:
        return process(os.getpid()) or str(os.getpid())
    except OSError:
        return str(os.getpid())


def pid_of(name: str) -> int:
    """The number in a process's name."""
    return int(name.partition("@")[0])


def is_gone(machine_name: str | None, process_name: str) -> bool:
    """Whether a process is dead for certain; False for one that can't be seen from here."""
    if machine_name is None or machine_name != machine():
        return False
    try:
        found = process(pid_of(process_name))
    except OSError:
        return False
    return found is None or ("@" in process_name and found != process_name)


LASTS_S = 60.0
_LOOKS = 5


@dataclass(frozen=True, slots=True)
class Holder:
    """Who holds a lease. `token` is this holding's alone.

    `machine` names the set of processes that `process` is one of; None where that is not known.
    """

    run_id: str
    host: str
    machine: str | None
    process: str
    token: str

    def process_gone(self) -> bool:
        """Whether it is dead for certain."""
        return is_gone(self.machine, self.process)


@dataclass(frozen=True, slots=True)
class Lease:
    """A lease as it was written last."""

    path: str
    holder: Holder
    expires_at: datetime
    released: bool = False

    def is_over(self, now: datetime) -> bool:
        """Whether somebody else may take the next one."""
        return self.released or now >= self.expires_at or self.holder.process_gone()


def take(storage: Storage, lineage: Lineage, *, lasts_s: float = LASTS_S) -> Lease:
    """Take the lease of a lineage's asset and partition for its run; see `take_in`."""
    folder = _folder(lineage)
    what = f"{lineage.asset} of {lineage.conversation}, release {lineage.release}"
    return take_in(storage, folder, lineage.run_id, what, lasts_s=lasts_s)


def take_in(
    storage: Storage, folder: str, run_id: str, what: str, *, lasts_s: float = LASTS_S
) -> Lease:
    """Take the lease that lies in a folder, for a run; `what` names it for people.

    `LeaseTakenError` says who has it and until when.
    """
    holder = Holder(
        run_id=run_id,
        host=socket.gethostname(),
        machine=machine(),
        process=this_process(),
        token=secrets.token_hex(8),
    )
    for _ in range(_LOOKS):
        older = storage.list(folder)
        try:
            if older and not (last := _read(storage, older[-1])).is_over(datetime.now(UTC)):
                raise LeaseTakenError(_taken(what, last))
            generation = int(Path(older[-1]).stem) + 1 if older else 1
            lease = Lease(f"{folder}/{generation:08d}.json", holder, _until(lasts_s))
            storage.put_new(lease.path, _to_json(lease))
            got = _read(storage, lease.path)
        except HistoryDamagedError:
            # Whoever took the next one has tidied this one away: look again.
            continue
        if got.holder != holder:
            raise LeaseTakenError(_taken(what, got))
        storage.delete(older)
        return lease
    raise LeaseTakenError(
        f"{what}: its lease in {folder} can't be read; if no run is at work on it, "
        "delete that folder"
    )


def newest(storage: Storage, lineage: Lineage) -> Lease | None:
    """The lease of a lineage's asset and partition, whoever holds it; None: nobody ever did."""
    for _ in range(_LOOKS):
        there = storage.list(_folder(lineage))
        if not there:
            break
        with suppress(HistoryDamagedError):  # tidied away by whoever took the next one
            return _read(storage, there[-1])
    return None


def renew(storage: Storage, lease: Lease, *, lasts_s: float = LASTS_S) -> Lease:
    """Hold the lease for longer; `LeaseLostError` if somebody has taken the next one."""
    newest = storage.list(lease.path.rpartition("/")[0])
    if newest and newest[-1] > lease.path:
        other = _read(storage, newest[-1])
        raise LeaseLostError(
            f"run {lease.holder.run_id} was out of reach for too long and run "
            f"{other.holder.run_id} on {other.holder.host} took its partition over; "
            "what was done until then is kept"
        )
    renewed = replace(lease, expires_at=_until(lasts_s))
    storage.put(lease.path, _to_json(renewed))
    return renewed


def release(storage: Storage, lease: Lease) -> None:
    """Let the next one in."""
    storage.put(lease.path, _to_json(replace(lease, released=True)))


def _folder(lineage: Lineage) -> str:
    return "leases" + manifest_folder(lineage).removeprefix("attempts")


def _until(lasts_s: float) -> datetime:
    return datetime.now(UTC) + timedelta(seconds=lasts_s)


def _taken(what: str, lease: Lease) -> str:
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
    except (ValueError, KeyError, TypeError) as exc:
        raise HistoryDamagedError(f"lease {path} can't be read; delete it") from exc


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
    async with held_lease(storage, lease, lasts_s=lasts_s):
        yield


@asynccontextmanager
async def held_lease(
    storage: Storage, lease: Lease, *, lasts_s: float = LASTS_S
) -> AsyncIterator[None]:
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


async def wait_for_expiry(
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
