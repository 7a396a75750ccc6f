"""Leases: one writer for each partition, also across processes and machines.

A holder renews its lease while it works, and sends nothing that must not be sent twice once its
time is over. When the holder's process is known to be dead, the lease is free at once; otherwise
it becomes free when it expires. Both sides allow for clocks that differ: `clock_margin_s`.
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
from functools import partial
from pathlib import Path

from locomo_assets.history.errors import (
    HistoryDamagedError,
    HistoryUnreachableError,
    LeaseLostError,
    LeaseTakenError,
)
from locomo_assets.history.provenance import Lineage, manifest_folder
from locomo_assets.history.storage import Storage
from locomo_assets.http.calls import guarded
from locomo_assets.http.limits import first_failure, start_in_daemon_thread

TTL_S = 60.0

_READ_TRIES = 5
_POLL_EVERY_S = 1.0

# A computer that wakes up may need some seconds to find the network.
_RENEWAL_TRIES = 3


def clock_margin_s(ttl_s: float) -> float:
    """How far the clock of each machine may be from the right time: 5 s for a lease of 60 s.

    A holder stops so long before its lease expires, and others wait so long after that.
    """
    return min(5.0, ttl_s / 12)


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
    ttl_s: float = TTL_S
    released: bool = False

    def is_over(self, now: datetime) -> bool:
        """Whether somebody else may acquire the next one."""
        holder = self.holder
        return (
            self.released
            or now >= self.expires_at + timedelta(seconds=clock_margin_s(self.ttl_s))
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
    async with held_lease(storage, lease):
        yield


@asynccontextmanager
async def held_lease(storage: Storage, lease: Lease) -> AsyncIterator[None]:
    """Renew a lease while the block runs, then release it; `LeaseLostError` as in `leased`.

    Once its time is over, calls of the block that must not be sent twice wait until it is renewed.
    """
    holding = _Holding(storage, lease)
    try:
        with first_failure():
            async with asyncio.TaskGroup() as group:
                heartbeat = group.create_task(holding.keep_renewing())
                with guarded(holding.until_allowed):
                    yield
                heartbeat.cancel()
    finally:
        await holding.end()


class _Holding:
    """A lease that this process holds, and until when it may rely on that."""

    def __init__(self, storage: Storage, lease: Lease) -> None:
        self._storage = storage
        self._lease = lease
        left_s = (lease.expires_at - datetime.now(UTC)).total_seconds()
        self._deadline_s = _uptime_s() + left_s - clock_margin_s(lease.ttl_s)
        self._deadline_at = _deadline_at(lease)
        self._time_out_s = lease.ttl_s / 4
        # The renewal under way and when it began, also after it took too long.
        self._renewal: tuple[float, asyncio.Future[Lease]] | None = None
        self._is_wanted = asyncio.Event()
        self._changed = asyncio.Event()
        self._has_ended = False

    async def until_allowed(self) -> bool:
        """A `Guard`: waits until the lease is renewed, if its time is over."""
        had_to_wait = False
        while self._has_ended or self._is_over():
            had_to_wait = True
            if self._has_ended:
                raise LeaseLostError(
                    f"run {self._lease.holder.run_id} no longer holds its lease; what was saved "
                    "until then is kept"
                )
            self._is_wanted.set()
            await self._changed.wait()
        return had_to_wait

    async def keep_renewing(self) -> None:
        """Renew the lease four times in its time, and when a call waits for it."""
        failed = 0
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(self._lease.ttl_s / (12 if failed else 4)):
                    await self._is_wanted.wait()
            self._is_wanted.clear()
            try:
                await self._renew()
            except HistoryUnreachableError:
                failed += 1
                if failed >= _RENEWAL_TRIES and self._is_over():
                    raise
            else:
                failed = 0
                self._tell_waiting()

    async def end(self) -> None:
        """Release it. If that can't be written in time, the lease expires by itself."""
        self._has_ended = True
        self._tell_waiting()
        if self._renewal is not None:
            # Written after the release, it would take that back.
            await asyncio.wait([self._renewal[1]], timeout=self._time_out_s)
            if not self._renewal[1].done():
                return
        releasing = start_in_daemon_thread(partial(release, self._storage, self._lease))
        await asyncio.wait([releasing], timeout=self._time_out_s)
        with suppress(HistoryUnreachableError):
            if releasing.done():
                releasing.result()

    async def _renew(self) -> None:
        if self._renewal is None:
            renewing = start_in_daemon_thread(partial(renew, self._storage, self._lease))
            # From before it is written, for that may take long.
            self._renewal = (_uptime_s(), renewing)
        begun_s, renewal = self._renewal
        done, _ = await asyncio.wait([renewal], timeout=self._time_out_s)
        if not done:
            raise HistoryUnreachableError(
                f"history {self._storage.url} does not answer: a lease could not be renewed within "
                f"{self._time_out_s:g} s; check the network and the storage, and run again"
            )
        self._renewal = None
        self._lease = renewal.result()
        self._deadline_s = begun_s + self._lease.ttl_s - clock_margin_s(self._lease.ttl_s)
        self._deadline_at = _deadline_at(self._lease)

    def _is_over(self) -> bool:
        """By whichever clock says so first: one may have stood still, or have been set back."""
        return datetime.now(UTC) >= self._deadline_at or _uptime_s() >= self._deadline_s

    def _tell_waiting(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()


async def wait_for_expiry(
    storage: Storage,
    lineages: Iterable[Lineage],
    run_ids: Collection[str],
    *,
    ttl_s: float = TTL_S,
) -> None:
    """Wait while one of these ended runs still holds a lease of these partitions.

    A crashed pod can't release its lease, and other machines can't see that it is dead. Waits not
    much longer than `ttl_s`: a lease held longer is being renewed, and acquiring it will fail with
    the reason.
    """
    deadline = time.monotonic() + ttl_s + 2 * clock_margin_s(ttl_s) + _POLL_EVERY_S
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
        # What is deleted between list and read: somebody acquired the next one, or gave up.
        with suppress(HistoryDamagedError):
            older = storage.list(folder)
            _refuse_held(storage, older, what)
            generation = int(Path(older[-1]).stem) + 1 if older else 1
            lease = Lease(f"{folder}/{generation:08d}.json", holder, _expiry(ttl_s), ttl_s)
            storage.put_new(lease.path, _to_json(lease))
            written = read(storage, lease.path)
            if written.holder != holder:
                raise LeaseTakenError(_taken_message(what, written))
            if _is_free_still(storage, lease, older, what):
                storage.delete(older)
                return lease
    raise LeaseTakenError(
        f"{what}: its lease in {folder} can't be read; if no run is at work on it, "
        "delete that folder"
    )


def _refuse_held(storage: Storage, paths: Iterable[str], what: str) -> None:
    for path in paths:
        lease = read(storage, path)
        if not lease.is_over(datetime.now(UTC)):
            raise LeaseTakenError(_taken_message(what, lease))


def _is_free_still(storage: Storage, lease: Lease, older: Iterable[str], what: str) -> bool:
    """Whether nobody renewed an older lease, or acquired a newer one, until this was written.

    Who renews writes its lease and then looks for a newer one; who acquires writes the newer one
    and then looks at the older ones. So one of the two sees the other. The lease is deleted
    unless it is kept.
    """
    is_kept = False
    try:
        if storage.list(lease.path.rpartition("/")[0])[-1] == lease.path:
            _refuse_held(storage, older, what)
            is_kept = True
    finally:
        if not is_kept:
            storage.delete([lease.path])
    return is_kept


def current(storage: Storage, lineage: Lineage) -> Lease | None:
    """The newest lease of a lineage's asset and partition; None if there never was one."""
    for _ in range(_READ_TRIES):
        paths = storage.list(_folder(lineage))
        if not paths:
            break
        # Deleted between list and read: somebody acquired the next one.
        with suppress(HistoryDamagedError):
            return read(storage, paths[-1])
    return None


def renew(storage: Storage, lease: Lease) -> Lease:
    """Extend the lease; `LeaseLostError` if somebody has acquired the next one."""
    _refuse_lost(storage, lease)
    renewed = replace(lease, expires_at=_expiry(lease.ttl_s))
    storage.put(lease.path, _to_json(renewed))
    # Somebody may have acquired the next one before that was written; see `_is_free_still`.
    _refuse_lost(storage, lease)
    return renewed


def _refuse_lost(storage: Storage, lease: Lease) -> None:
    for _ in range(_READ_TRIES):
        newest = storage.list(lease.path.rpartition("/")[0])[-1:]
        if newest <= [lease.path]:
            return
        # Deleted between list and read: its holder gave up, or there is a newer one.
        with suppress(HistoryDamagedError):
            other = read(storage, newest[0]).holder
            raise LeaseLostError(
                f"run {lease.holder.run_id} could not renew its lease in time, and run "
                f"{other.run_id} on {other.host} took its partition over; what was saved until "
                "then is kept"
            )
    raise LeaseLostError(
        f"run {lease.holder.run_id} could not renew its lease in time, and a later one in "
        f"{lease.path.rpartition('/')[0]} can't be read; what was saved until then is kept"
    )


def release(storage: Storage, lease: Lease) -> None:
    """Free the lease for the next run."""
    storage.put(lease.path, _to_json(replace(lease, released=True)))


def this_machine() -> str | None:
    """This boot of this machine, and its namespace of process ids; None where unknown."""
    try:
        boot = (
            Path("/proc/sys/kernel/random/boot_id")
            .read_text(encoding="utf-8", errors="replace")
            .strip()
        )
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

    None for a zombie. OSError where that can't be read, which proves nothing: another user's
    process may be hidden.
    """
    # The name in parentheses may hold anything, so count from behind it.
    fields = (
        Path(f"/proc/{pid}/stat")
        .read_text(encoding="utf-8", errors="replace")
        .rpartition(")")[2]
        .split()
    )
    return None if fields[0] in "ZX" else f"{pid}@{fields[19]}"


def pid_of(process: str) -> int:
    """The process id in a process's identity."""
    return int(process.partition("@")[0])


def process_is_gone(machine: str | None, process: str) -> bool:
    """Whether a process is certainly dead; False for one that can't be seen from here."""
    if machine is None or machine != this_machine():
        return False
    # Signal 0 reaches nobody, and fails in another way for a process of another user.
    try:
        os.kill(pid_of(process), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        pass
    try:
        found = process_identity(pid_of(process))
    except OSError:
        return False
    return found is None or ("@" in process and found != process)


def _folder(lineage: Lineage) -> str:
    return "leases" + manifest_folder(lineage).removeprefix("attempts")


def _uptime_s() -> float:
    """A clock that is never set, and goes on while the machine is suspended."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


def _deadline_at(lease: Lease) -> datetime:
    """Until when its holder may rely on it."""
    return lease.expires_at - timedelta(seconds=clock_margin_s(lease.ttl_s))


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
        "ttl_s": lease.ttl_s,
        "released": lease.released,
    }
    return json.dumps(value, indent=1).encode()


def read(storage: Storage, path: str) -> Lease:
    """A lease as it was written; `HistoryDamagedError` if it is gone or can't be read."""
    try:
        value = json.loads(storage.get(path))
        expires_at = datetime.fromisoformat(value["expires_at"])
        return Lease(
            path=path,
            holder=Holder(**value["holder"]),
            expires_at=expires_at,
            # Older versions held every lease for a minute, and did not say so.
            ttl_s=float(value.get("ttl_s", TTL_S)),
            released=value["released"],
        )
    except (ValueError, KeyError, TypeError, RecursionError) as exc:
        raise HistoryDamagedError(f"lease {path} can't be read; delete it") from exc
