"""Maintenance of the history: `check` it for damage, `prune` what nothing current depends on.

Both are safe beside writers and readers, and safe to kill and run again. Pruning deletes an
attempt's manifest first, so that the attempt exists as a whole or not at all.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa

from locomo_assets.history.data_files import decode_data_file
from locomo_assets.history.database import open_read_only, refresh
from locomo_assets.history.errors import HistoryDamagedError
from locomo_assets.history.provenance import (
    DataFile,
    Manifest,
    attempt_id_of,
    data_file_folder,
    first_path,
    manifest_path,
    name_time,
    parse_manifest_name,
)
from locomo_assets.history.store import HistoryStore


@dataclass(frozen=True, slots=True)
class CheckReport:
    """What was checked, and what is wrong.

    `problems` describe damage, a line each. `unfinished` are attempts with data files but no
    manifest: in progress, or left by a run that ended early. `superseded_files` belong to
    committed attempts, but no manifest names them; `prune` deletes them with their attempt.
    """

    attempts: int
    data_files: int
    rows: int
    size_bytes: int
    problems: tuple[str, ...]
    unfinished: tuple[str, ...]
    superseded_files: int


@dataclass(frozen=True, slots=True)
class PruneReport:
    """Attempts and data files deleted, or in a dry run those that would be."""

    attempts: tuple[str, ...]
    unfinished: tuple[str, ...]
    data_files: int
    dry_run: bool


def check(store: HistoryStore) -> CheckReport:
    """Read every manifest and data file; compare counts, hashes, and what each says of itself.

    Changes nothing.
    """
    # Data files first: an attempt that commits meanwhile is then found by its manifest.
    existing = {path for path in store.storage.list("tables") if path.endswith(".parquet")}
    problems = _contradicting_manifests(store)
    committed: set[str] = set()
    named: set[str] = set()
    attempts = data_files = rows = size_bytes = 0
    for name in store.manifest_names():
        committed.add(name.attempt_id)
        try:
            (manifest,) = store.read_manifests([name])
        except HistoryDamagedError as exc:
            problems.append(str(exc))
            continue
        committed |= set(manifest.continued)
        attempts += 1
        own_path = manifest_path(manifest.lineage, manifest.committed_at, manifest.attempt_id)
        if first_path(manifest.path) != own_path:
            problems.append(
                f"manifest {manifest.path} is that of {own_path}; restore it from a copy"
            )
        for data_file in manifest.data_files:
            if data_file.path in named:
                problems.append(
                    f"{data_file.path} is named twice, the second time by {manifest.path}; "
                    "restore that from a copy"
                )
            named.add(data_file.path)
            try:
                found = decode_data_file(data_file, store.storage.get(data_file.path))
            except HistoryDamagedError as exc:
                problems.append(str(exc))
                continue
            problems += _contradictions(manifest, data_file, found)
            data_files += 1
            rows += data_file.rows
            size_bytes += data_file.size_bytes or 0
    rest = existing - named
    return CheckReport(
        attempts=attempts,
        data_files=data_files,
        rows=rows,
        size_bytes=size_bytes,
        problems=tuple(problems),
        unfinished=tuple(sorted({attempt_id_of(path) for path in rest} - committed)),
        superseded_files=sum(attempt_id_of(path) in committed for path in rest),
    )


def _contradicting_manifests(store: HistoryStore) -> list[str]:
    """Attempts with manifests in several places: readers take one of them for the attempt."""
    places: dict[str, set[str]] = {}
    for path in store.storage.list("attempts"):
        if name := parse_manifest_name(path):
            places.setdefault(name.attempt_id, set()).add(first_path(path))
    return [
        f"attempt {attempt_id} has {len(paths)} manifests ({', '.join(sorted(paths))}); delete "
        "those that are not its own"
        for attempt_id, paths in places.items()
        if len(paths) > 1
    ]


def _contradictions(manifest: Manifest, data_file: DataFile, found: pa.Table) -> list[str]:
    """Where a data file's folder, or the lineage in its rows, is not its manifest's."""
    lineage = manifest.lineage
    problems = []
    if (
        data_file.path.rpartition("/")[0] != data_file_folder(data_file.table, lineage)
        or attempt_id_of(data_file.path) != manifest.attempt_id
    ):
        problems.append(f"{data_file.path} lies where no file of {manifest.path} does")
    expected = {
        "attempt_id": manifest.attempt_id,
        "run_id": lineage.run_id,
        "asset": lineage.asset,
        "release": lineage.release,
        "conversation": lineage.conversation,
        "dataset_sha256": lineage.dataset_sha256,
        "system": lineage.system,
    }
    for name, value in expected.items():
        # Where the lineage has none, the rows name their own.
        other = set(found.column(name).unique().to_pylist()) - {value}
        if value is not None and other:
            problems.append(
                f"{data_file.path} has rows of {name} {min(map(str, other))!r:.100}, its manifest "
                f"says {value!r:.100}"
            )
    return [f"{problem}; restore both from a copy" for problem in problems]


def prune(
    store: HistoryStore,
    database_path: Path,
    *,
    keep_days: int,
    dry_run: bool,
    now: datetime | None = None,
) -> PruneReport:
    """Delete attempts older than `keep_days` that nothing current depends on.

    Keeps, whatever their age: attempts with a current answer, verdict or question, with a repeat of
    one, the ingestions and retrievals behind them, registered releases, ladders, audits, and the
    newest attempt of each asset, data set, system and partition. Deletes unfinished attempts of
    that age too. Refreshes the database before and after.
    """
    limit = (now or datetime.now(UTC)) - timedelta(days=keep_days)
    refresh(store, database_path)
    kept = _current(database_path)
    old = [m for m in store.manifests() if m.committed_at < limit and m.attempt_id not in kept]
    committed = {name.attempt_id for name in store.manifest_names()}
    paths = [path for path in store.storage.list("tables") if path.endswith(".parquet")]
    unfinished = sorted(
        attempt_id
        for attempt_id in {attempt_id_of(path) for path in paths} - committed
        if name_time(attempt_id.partition("-")[0]) < limit
    )
    deleted = {*unfinished, *(manifest.attempt_id for manifest in old)}
    deleted_paths = [path for path in paths if attempt_id_of(path) in deleted]
    if not dry_run:
        store.storage.delete([p for m in old for p in {m.path, first_path(m.path)}])
        store.storage.delete(deleted_paths)
        refresh(store, database_path)
    return PruneReport(
        tuple(manifest.attempt_id for manifest in old),
        tuple(unfinished),
        len(deleted_paths),
        dry_run,
    )


_CURRENT = """
SELECT attempt_id FROM current_answers
UNION SELECT judgement_attempt_id FROM current_judgements
UNION SELECT attempt_id FROM answers SEMI JOIN repeats USING (release, conversation, answer_id)
UNION SELECT attempt_id FROM judgements SEMI JOIN repeats USING (release, conversation, answer_id)
UNION SELECT attempt_id FROM ingestions SEMI JOIN current_answers USING (ingestion_id)
UNION SELECT attempt_id FROM ingestions SEMI JOIN repeats USING (ingestion_id)
UNION SELECT attempt_id FROM retrievals SEMI JOIN current_answers USING (retrieval_id)
UNION SELECT attempt_id FROM attempts
WHERE asset IN ('releases', 'gold_audit', 'judge_labels', 'ladder')
UNION
SELECT arg_max(attempt_id, (committed_at, attempt_id))
FROM attempts
GROUP BY asset, dataset_sha256, system, release, conversation
UNION
SELECT arg_max(attempt_id, (committed_at, attempt_id))
FROM questions JOIN (SELECT attempt_id, committed_at FROM attempts) USING (attempt_id)
GROUP BY dataset_sha256, conversation, question_index
"""


def _current(database_path: Path) -> set[str]:
    with open_read_only(database_path) as connection:
        return {attempt_id for (attempt_id,) in connection.execute(_CURRENT).fetchall()}
