"""Who is at work on a partition, so that two runs never pay for the same; or at a service.

Here: taking, renewing and releasing a lease, as small objects beside the attempts. Renewing in
time and stopping the work when a lease is lost is `measurement.leasing`; a service's leases are
`measurement.seats`.

A lease is `leases/asset=…/release=…/conversation=…/<generation>.json`; the highest generation
counts. It is created only where it does not exist, so of several that want the next generation
one gets it. The highest is never deleted, only marked as released: a run that woke up late
must find that it lost. Expiry goes by the machines' clocks, so they may differ by less than the
lease's time. A holder on this machine whose process is gone is not waited for.
"""

import json
import secrets
import socket
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from locomo_assets.history import processes
from locomo_assets.history.errors import HistoryDamagedError, LeaseLostError, LeaseTakenError
from locomo_assets.history.lineage import Lineage, marker_folder
from locomo_assets.history.storage import Storage

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
        return processes.is_gone(self.machine, self.process)


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
        machine=processes.machine(),
        process=processes.this_process(),
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
    return "leases" + marker_folder(lineage).removeprefix("attempts")


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
