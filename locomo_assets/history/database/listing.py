"""Which attempts a database lacks, and which have left the history.

The listing of all manifests is the truth, and grows with the history. Between two of those, at
most a day apart, the notes of recent commits say what is new. Reading attempts belongs in `store`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from locomo_assets.history.provenance import ManifestName
from locomo_assets.history.store import HistoryStore

_LISTED_AGAIN_AFTER = timedelta(days=1)


@dataclass(frozen=True)
class Held:
    """What a database holds. `listed_at`: when all attempts were listed that it was made from."""

    attempt_ids: frozenset[str]
    listed_at: datetime | None


@dataclass(frozen=True)
class Changes:
    """What makes a database current. `listed_at` as in `Held`, once that is done."""

    added: Sequence[ManifestName]
    removed: Sequence[str]
    attempts: int
    listed_at: datetime | None

    def __bool__(self) -> bool:
        return bool(self.added or self.removed)


class Listing:
    """The attempts of a history: all, or those committed since the databases were last current."""

    def __init__(self, store: HistoryStore, *held: Held | None, recent_only: bool = False) -> None:
        known = [one for one in held if one is not None]
        since = [one.listed_at for one in known if one.listed_at is not None]
        self._began_at = datetime.now(UTC)
        oldest = min(since, default=None)
        self._is_whole = (
            not recent_only
            or oldest is None
            or len(since) < len(held)
            or not timedelta() <= self._began_at - oldest < _LISTED_AGAIN_AFTER
        )
        if self._is_whole or oldest is None:
            names = store.manifest_names()
        else:
            in_all = frozenset.intersection(*(one.attempt_ids for one in known))
            notes = store.recent_notes(oldest)
            names = store.noted_names([path for i, path in notes.items() if i not in in_all])
        self._names: Mapping[str, ManifestName] = {name.attempt_id: name for name in names}

    def changes(self, held: Held | None) -> Changes:
        """What a database lacks; None is an empty one, which needs a listing of all."""
        ids = held.attempt_ids if held else frozenset()
        added = [name for i, name in self._names.items() if i not in ids]
        removed = sorted(ids - self._names.keys()) if self._is_whole else []
        return Changes(
            added=added,
            removed=removed,
            attempts=len(ids) + len(added) - len(removed),
            listed_at=self._began_at if self._is_whole or held is None else held.listed_at,
        )

    def changes_of_older(self, older: Held | None, held: Held) -> Changes | None:
        """What an older database lacks to become what `held` becomes; None where that is not known.

        Of recent commits alone it is not where `held` has what only a listing of all has shown.
        """
        if older is None:
            return None
        changes, of_held = self.changes(older), self.changes(held)
        if _after(older, changes) != _after(held, of_held):
            return None
        return replace(changes, listed_at=of_held.listed_at)


def _after(held: Held, changes: Changes) -> frozenset[str]:
    added = {name.attempt_id for name in changes.added}
    return (held.attempt_ids - frozenset(changes.removed)) | added
