"""Looking after the history: `check` whether it is whole, `prune` what nothing current rests on.

Both are safe beside writers and readers, and may be killed and run again. Pruning removes the
manifest first: an attempt is there wholly or not at all.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from locomo_assets.history.data_files import decode_data_file
from locomo_assets.history.database import open_read_only, refresh
from locomo_assets.history.errors import HistoryDamagedError
from locomo_assets.history.provenance import (
    attempt_id_of,
    first_path,
    name_time,
)
from locomo_assets.history.store import HistoryStore


@dataclass(frozen=True, slots=True)
class CheckReport:
    """What was looked at, and what is amiss.

    `problems` are damage, a line each. `unfinished` are attempts with data files and no manifest:
    in progress, or left by a run that ended early. `superseded_files` are of committed
    attempts and no manifest names them any more; `prune` removes them with their attempt.
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
    """Attempts removed, or in a dry run those that would be, and their parts."""

    attempts: tuple[str, ...]
    unfinished: tuple[str, ...]
    data_files: int
    dry_run: bool


def check(store: HistoryStore) -> CheckReport:
    """Read every manifest and data file, and compare counts and hashes. Changes nothing."""
    # parts first: what commits meanwhile is then found by its manifest
    lying = {path for path in store.storage.list("tables") if path.endswith(".parquet")}
    problems: list[str] = []
    committed: set[str] = set()
    vouched: set[str] = set()
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
        for data_file in manifest.data_files:
            vouched.add(data_file.path)
            try:
                decode_data_file(data_file, store.storage.get(data_file.path))
            except HistoryDamagedError as exc:
                problems.append(str(exc))
                continue
            data_files += 1
            rows += data_file.rows
            size_bytes += data_file.size_bytes or 0
    rest = lying - vouched
    return CheckReport(
        attempts=attempts,
        data_files=data_files,
        rows=rows,
        size_bytes=size_bytes,
        problems=tuple(problems),
        unfinished=tuple(sorted({attempt_id_of(path) for path in rest} - committed)),
        superseded_files=sum(attempt_id_of(path) in committed for path in rest),
    )


def prune(
    store: HistoryStore,
    database_path: Path,
    *,
    keep_days: int,
    dry_run: bool,
    now: datetime | None = None,
) -> PruneReport:
    """Remove attempts older than `keep_days` that nothing current rests on.

    Kept whatever their age: attempts with a current answer, verdict or question, ingestions that
    current answers were given from, registered releases, audits, and the newest attempt of each
    asset, data set, system and partition. Unfinished attempts begun earlier than that go too.
    Refreshes the database, before and after.
    """
    limit = (now or datetime.now(UTC)) - timedelta(days=keep_days)
    refresh(store, database_path)
    kept = _current(database_path)
    old = [m for m in store.manifests() if m.committed_at < limit and m.attempt_id not in kept]
    committed = {name.attempt_id for name in store.manifest_names()}
    data_files = [
        data_file for data_file in store.storage.list("tables") if data_file.endswith(".parquet")
    ]
    unfinished = sorted(
        attempt
        for attempt in {attempt_id_of(data_file) for data_file in data_files} - committed
        if name_time(attempt.partition("-")[0]) < limit
    )
    goes = {*unfinished, *(manifest.attempt_id for manifest in old)}
    doomed = [data_file for data_file in data_files if attempt_id_of(data_file) in goes]
    if not dry_run:
        store.storage.delete([p for m in old for p in {m.path, first_path(m.path)}])
        store.storage.delete(doomed)
        refresh(store, database_path)
    return PruneReport(
        tuple(manifest.attempt_id for manifest in old), tuple(unfinished), len(doomed), dry_run
    )


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


def _current(database_path: Path) -> set[str]:
    with open_read_only(database_path) as connection:
        return {attempt_id for (attempt_id,) in connection.execute(_CURRENT).fetchall()}
