"""One moment of a history that others are writing to.

Here: which files make it up. Attempts are immutable and their markers are written last, so a
moment is a set of markers, the parts that they name, and the parts that unfinished attempts had
saved by then: these were paid for, and the next run of their partition goes on from them. Leases
are of that moment alone and the lens is made anew, so neither belongs to it.

A listing is not taken at one instant. Therefore there are two of each: what the second shows and
is not newer than the newest of the first holds, with each thing, also all that was there before
it. (Answers are committed before the verdicts on them, a turn is saved before its operation.)

An attempt that commits may remove its small parts at once. Therefore unfinished parts are saved
before the markers are listed: the attempt of one that was gone by then has its marker among them.
However much is committed meanwhile, no cut fails because of it.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from locomo_assets.backups.manifest import File
from locomo_assets.history.lens import LENS_NAME
from locomo_assets.history.lineage import Marker, MarkerName, Part, attempt_of, settled
from locomo_assets.history.store import HistoryStore

_ROUNDS = 5
_NOT_KEPT = ("attempts/", "tables/", "leases/", "doctor/", ".", LENS_NAME)


@dataclass(frozen=True, slots=True)
class Cut:
    """The files of one moment: markers, the parts they vouch for, others by path.

    `unfinished` are saved already.
    """

    markers: Sequence[Marker]
    unfinished: Sequence[File]
    others: Sequence[str]

    @property
    def parts(self) -> list[Part]:
        """Those that a marker vouches for, each once."""
        return list({part.path: part for m in self.markers for part in m.parts}.values())


def take_cut(store: HistoryStore, save: Callable[[Sequence[str]], Sequence[File]]) -> Cut:
    """A moment that is over by the time this returns.

    `save` is given the paths of unfinished parts, copies those that are still there, and returns
    them. `HistoryDamagedError` for a marker that is torn, or gone by now: then take another.
    """
    seen = {marker.path: marker for marker in store.markers()}
    unfinished = _saved(_unfinished(store, settled(seen.values())), save)
    names = _marker_names(store)
    new = store.read_markers([name for name in names if name.path not in seen])
    seen |= {marker.path: marker for marker in new}
    markers = [seen[name.path] for name in names]
    done = settled(markers)
    return Cut(
        markers=markers,
        unfinished=[file for file in unfinished if attempt_of(file.path) not in done],
        others=[path for path in store.storage.list("") if not path.startswith(_NOT_KEPT)],
    )


def _saved(paths: Sequence[str], save: Callable[[Sequence[str]], Sequence[File]]) -> list[File]:
    """The parts of attempts of which none was gone: the others are committed, or given up."""
    files = save(paths)
    gone = {attempt_of(path) for path in {*paths} - {file.path for file in files}}
    return [file for file in files if attempt_of(file.path) not in gone]


def _marker_names(store: HistoryStore) -> list[MarkerName]:
    first = store.marker_names()
    for _ in range(_ROUNDS):
        second = store.marker_names()
        newest = max((name.committed_at for name in first), default="")
        if not any(name.committed_at > newest for name in second):
            break
        first = second
    return [name for name in second if name.committed_at <= newest]


def _unfinished(store: HistoryStore, done: Collection[str]) -> list[str]:
    """Parts of attempts that are not done: those saved no later than the last one seen at first."""
    last: dict[str, int] = {}
    for path in _parts(store):
        if (attempt := attempt_of(path)) not in done:
            last[attempt] = max(_number(path), last.get(attempt, 0))
    if not last:
        return []
    return [path for path in _parts(store) if _number(path) <= last.get(attempt_of(path), -1)]


def _parts(store: HistoryStore) -> list[str]:
    return [path for path in store.storage.list("tables") if path.endswith(".parquet")]


def _number(path: str) -> int:
    digits = path.rpartition("-")[2].removesuffix(".parquet")
    return int(digits) if digits.isdigit() else 0
