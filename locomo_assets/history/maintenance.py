"""Looking after the history: is it whole, can it be smaller.

Here: `check`, `compact` and `prune`. Each is safe beside writers and readers and may be killed
and run again. Making and reading attempts is `store`.

Compaction writes an attempt's parts anew as one per table, then a second marker that supersedes
the first; what it replaces is removed by a later run, a day after, so that whoever has read the
first marker can still read its parts. Pruning removes the marker first: an attempt is there
wholly or not at all.
"""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from locomo_assets.history.data_files import decode_part
from locomo_assets.history.database import open_read_only, refresh
from locomo_assets.history.errors import HistoryDamagedError
from locomo_assets.history.provenance import (
    Marker,
    Part,
    attempt_of,
    compacted_path,
    first_path,
    marker_from_json,
    marker_to_json,
    name_time,
    part_folder,
)
from locomo_assets.history.store import HistoryStore, merged_part

SUPERSEDED_KEPT = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class CheckReport:
    """What was looked at, and what is amiss.

    `problems` are damage, a line each. `unfinished` are attempts with parts and no marker: in
    progress, or left by a run that ended early. `superseded_parts` await removal by `compact`.
    """

    attempts: int
    parts: int
    rows: int
    size_bytes: int
    problems: tuple[str, ...]
    unfinished: tuple[str, ...]
    superseded_parts: int


@dataclass(frozen=True, slots=True)
class CompactReport:
    """What was merged, or in a dry run would be. `parts_removed` are those of earlier runs."""

    attempts: int
    parts_merged: int
    parts_written: int
    parts_removed: int
    dry_run: bool


@dataclass(frozen=True, slots=True)
class PruneReport:
    """Attempts removed, or in a dry run those that would be, and their parts."""

    attempts: tuple[str, ...]
    unfinished: tuple[str, ...]
    parts: int
    dry_run: bool


def check(store: HistoryStore) -> CheckReport:
    """Read every marker and part, and compare counts and hashes. Changes nothing."""
    # parts first: what commits meanwhile is then found by its marker
    lying = {path for path in store.storage.list("tables") if path.endswith(".parquet")}
    problems: list[str] = []
    committed: set[str] = set()
    vouched: set[str] = set()
    attempts = parts = rows = size_bytes = 0
    for name in store.marker_names():
        committed.add(name.attempt_id)
        try:
            (marker,) = store.read_markers([name])
        except HistoryDamagedError as exc:
            problems.append(str(exc))
            continue
        committed |= set(marker.continued)
        attempts += 1
        for part in marker.parts:
            vouched.add(part.path)
            try:
                decode_part(part, store.storage.get(part.path))
            except HistoryDamagedError as exc:
                problems.append(str(exc))
                continue
            parts, rows, size_bytes = (
                parts + 1,
                rows + part.rows,
                size_bytes + (part.size_bytes or 0),
            )
    rest = lying - vouched
    return CheckReport(
        attempts=attempts,
        parts=parts,
        rows=rows,
        size_bytes=size_bytes,
        problems=tuple(problems),
        unfinished=tuple(sorted({attempt_of(path) for path in rest} - committed)),
        superseded_parts=sum(attempt_of(path) in committed for path in rest),
    )


def compact(
    store: HistoryStore, *, older_than: timedelta, dry_run: bool, now: datetime | None = None
) -> CompactReport:
    """Merge the parts of each attempt committed before `now - older_than` to one per table.

    `HistoryDamagedError` stops at a part that is not whole; what was done before stands.
    """
    now = now or datetime.now(UTC)
    removed = _remove_superseded(store, now, dry_run=dry_run)
    attempts = merged = written = 0
    for name in store.marker_names():
        if name.compacted or name_time(name.committed_at) > now - older_than:
            continue
        (marker,) = store.read_markers([name])
        tables = list(dict.fromkeys(part.table for part in marker.parts))
        if len(tables) == len(marker.parts):
            continue
        attempts, merged, written = attempts + 1, merged + len(marker.parts), written + len(tables)
        if not dry_run:
            compacted = replace(
                marker,
                parts=tuple(_merge(store, marker, table) for table in tables),
                path=compacted_path(marker.path),
                compacted_at=now,
            )
            store.storage.put(compacted.path, marker_to_json(compacted))
    return CompactReport(attempts, merged, written, removed, dry_run)


def prune(
    store: HistoryStore,
    lens_path: Path,
    *,
    keep_days: int,
    dry_run: bool,
    now: datetime | None = None,
) -> PruneReport:
    """Remove attempts older than `keep_days` that nothing current rests on.

    Kept whatever their age: attempts with a current answer, verdict or question, ingestions that
    current answers were given from, registered releases, audits, and the newest attempt of each
    asset, data set, system and partition. Unfinished attempts begun earlier than that go too.
    Refreshes the lens, before and after.
    """
    limit = (now or datetime.now(UTC)) - timedelta(days=keep_days)
    refresh(store, lens_path)
    kept = _current(lens_path)
    old = [m for m in store.markers() if m.committed_at < limit and m.attempt_id not in kept]
    committed = {name.attempt_id for name in store.marker_names()}
    parts = [part for part in store.storage.list("tables") if part.endswith(".parquet")]
    unfinished = sorted(
        attempt
        for attempt in {attempt_of(part) for part in parts} - committed
        if name_time(attempt.partition("-")[0]) < limit
    )
    goes = {*unfinished, *(marker.attempt_id for marker in old)}
    doomed = [part for part in parts if attempt_of(part) in goes]
    if not dry_run:
        store.storage.delete([p for m in old for p in {m.path, first_path(m.path)}])
        store.storage.delete(doomed)
        refresh(store, lens_path)
    return PruneReport(
        tuple(marker.attempt_id for marker in old), tuple(unfinished), len(doomed), dry_run
    )


def _merge(store: HistoryStore, marker: Marker, table: str) -> Part:
    parts = [part for part in marker.parts if part.table == table]
    if len(parts) == 1:
        return parts[0]
    path = f"{part_folder(table, marker.lineage)}/{marker.attempt_id}-compacted.parquet"
    return merged_part(store.storage, parts, path)


def _remove_superseded(store: HistoryStore, now: datetime, *, dry_run: bool) -> int:
    """The parts and markers that compactions of more than a day ago have replaced."""
    names = store.marker_names()
    lying = set(store.storage.list("attempts"))
    removed = 0
    for marker in store.read_markers([name for name in names if name.compacted]):
        first = first_path(marker.path)
        if (
            first not in lying
            or marker.compacted_at is None
            or marker.compacted_at > now - SUPERSEDED_KEPT
        ):
            continue
        superseded = marker_from_json(first, store.storage.get(first))
        gone = {part.path for part in superseded.parts} - {part.path for part in marker.parts}
        removed += len(gone)
        if not dry_run:
            store.storage.delete(sorted(gone))
            store.storage.delete([first])
    return removed


_CURRENT = """
SELECT attempt_id FROM current_answers
UNION SELECT judgement_attempt_id FROM current_judgements
UNION SELECT attempt_id FROM ingestions SEMI JOIN current_answers USING (ingestion_id)
UNION SELECT attempt_id FROM attempts WHERE asset IN ('releases', 'gold_audit')
UNION
SELECT arg_max(attempt_id, (committed_at, attempt_id))
FROM attempts
GROUP BY asset, dataset_sha256, system, release, conversation
UNION
SELECT arg_max(attempt_id, (committed_at, attempt_id))
FROM questions JOIN (SELECT attempt_id, committed_at FROM attempts) USING (attempt_id)
GROUP BY dataset_sha256, conversation, question_index
"""


def _current(lens_path: Path) -> set[str]:
    with open_read_only(lens_path) as connection:
        return {attempt_id for (attempt_id,) in connection.execute(_CURRENT).fetchall()}
