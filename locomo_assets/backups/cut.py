"""One moment of a history that others are writing to.

Here: which files make it up. Attempts are immutable and their markers are written last, so a
moment is a set of markers, the parts that they name, and the parts that unfinished attempts had
saved by then: these were paid for, and the next run of their partition goes on from them. Leases
are of that moment alone and the lens is made anew, so neither belongs to it.

A listing is not taken at one instant. Therefore there are two of each: what the second shows and
is not newer than the newest of the first holds, with each thing, also all that was there before
it. (Answers are committed before the verdicts on them, a turn is saved before its operation.)
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from locomo_assets.history.lens import LENS_NAME
from locomo_assets.history.lineage import Marker, MarkerName, Part, attempt_of
from locomo_assets.history.store import HistoryStore

_ROUNDS = 5
_NOT_KEPT = ("attempts/", "tables/", "leases/", "doctor/", ".", LENS_NAME)


@dataclass(frozen=True, slots=True)
class Cut:
    """The files of one moment: markers, the parts they vouch for, others by path."""

    markers: Sequence[Marker]
    unfinished: Sequence[str]
    others: Sequence[str]

    @property
    def parts(self) -> list[Part]:
        """Those that a marker vouches for, each once."""
        return list({part.path: part for m in self.markers for part in m.parts}.values())


def take_cut(store: HistoryStore) -> Cut:
    """A moment that is over by the time this returns.

    `HistoryDamagedError` for a marker that is torn, or gone by now: then take another.
    """
    before = _parts(store)
    names, rest = _marker_names(store)
    markers = store.read_markers(names)
    done = {name.attempt_id for name in rest}
    for marker in markers:
        done |= {marker.attempt_id, *marker.continued}
    return Cut(
        markers=markers,
        unfinished=_unfinished(store, before, done),
        others=[path for path in store.storage.list("") if not path.startswith(_NOT_KEPT)],
    )


def _marker_names(store: HistoryStore) -> tuple[list[MarkerName], list[MarkerName]]:
    """Those of the moment, and those committed after it."""
    first = store.marker_names()
    for _ in range(_ROUNDS):
        second = store.marker_names()
        newest = max((name.committed_at for name in first), default="")
        later = [name for name in second if name.committed_at > newest]
        if not later:
            break
        first = second
    return [name for name in second if name.committed_at <= newest], later


def _parts(store: HistoryStore) -> list[str]:
    return [path for path in store.storage.list("tables") if path.endswith(".parquet")]


def _unfinished(store: HistoryStore, before: Sequence[str], done: Collection[str]) -> list[str]:
    """Parts of attempts that are not done: those saved no later than the last one seen before."""
    last: dict[str, int] = {}
    for path in before:
        if (attempt := attempt_of(path)) not in done:
            last[attempt] = max(_number(path), last.get(attempt, 0))
    if not last:
        return []
    return [path for path in _parts(store) if _number(path) <= last.get(attempt_of(path), -1)]


def _number(path: str) -> int:
    digits = path.rpartition("-")[2].removesuffix(".parquet")
    return int(digits) if digits.isdigit() else 0
