"""The data set and its audit, committed to the history."""

import uuid
from dataclasses import asdict, replace

from locomo_assets import __version__
from locomo_assets.history.provenance import Lineage
from locomo_assets.history.store import HistoryStore
from locomo_assets.locomo.audit import Audit, Fault, match_faults, read_audit
from locomo_assets.locomo.model import (
    AuditError,
    Conversation,
    Dataset,
    DatasetError,
    from_rows,
    to_rows,
)
from locomo_assets.runs.context import NothingToMeasureError, stored_conversation
from locomo_assets.runs.verdicts import GOLD_AUDIT

_TABLES = ("conversations", "sessions", "turns", "questions")


def keep_audit(
    store: HistoryStore,
    source: str,
    expected_sha256: str | None,
    dataset: Dataset | None = None,
    run_id: str | None = None,
) -> str:
    """Stores the faults that an audit finds in a data set; returns the audit's SHA-256.

    Without a data set: in each of the history's that it fits. It need fit only one of them, since
    a history may hold several, but with each of its facts. What the history has under a given
    hash is not fetched again. Raises AuditError: it can't be read, or fits none.
    """
    known = _known(store)
    missing = _dataset_hashes(store) if dataset is None else [dataset.sha256]
    if (pinned := _kept(known, expected_sha256, dataset)) is not None:
        return pinned
    audit = read_audit(source, expected_sha256)
    run_id = run_id or f"audit-{uuid.uuid4()}"
    fits = any(sha256 == audit.sha256 for sha256, _ in known)
    doubts: list[AuditError] = []
    for sha256 in missing:
        if (audit.sha256, sha256) in known:
            continue
        found = dataset or _stored_dataset(store, sha256)
        try:
            _commit(store, audit, found, match_faults(audit, found), run_id)
            fits = True
        except AuditError as error:
            doubts.append(error)
    if doubts and (dataset is not None or not fits):
        raise doubts[-1]
    return audit.sha256


def check_audit(
    store: HistoryStore, source: str, expected_sha256: str | None, dataset: Dataset
) -> None:
    """Raises AuditError as `keep_audit` would; stores nothing."""
    if _kept(_known(store), expected_sha256, dataset) is None:
        match_faults(read_audit(source, expected_sha256), dataset)


def _kept(
    known: set[tuple[str, str]], expected_sha256: str | None, dataset: Dataset | None
) -> str | None:
    """The audit's hash where the history has it already, for this data set."""
    pinned = (expected_sha256 or "").strip().lower()
    has = {sha256 for one, sha256 in known if one == pinned}
    return pinned if has and (dataset is None or dataset.sha256 in has) else None


def _known(store: HistoryStore) -> set[tuple[str, str]]:
    """Audit and data set of each stored pair."""
    return {
        (str(manifest.extra.get("audit_sha256")), str(manifest.lineage.dataset_sha256))
        for manifest in store.manifests(asset=GOLD_AUDIT)
    }


def _dataset_hashes(store: HistoryStore) -> list[str]:
    manifests = store.manifests(asset="locomo_dataset")
    return list(dict.fromkeys(str(manifest.lineage.dataset_sha256) for manifest in manifests))


def _stored_dataset(store: HistoryStore, sha256: str) -> Dataset:
    """A data set as the history has it: its conversations as they were stored last, in the order
    they were first stored in, which is the file's.
    """
    manifests = [
        manifest
        for manifest in store.manifests(asset="locomo_dataset")
        if manifest.lineage.dataset_sha256 == sha256
    ]
    rows = {table: store.read(table, manifests).to_pylist() for table in _TABLES}
    by_time = sorted(rows["conversations"], key=lambda row: row["attempt_id"])
    last = {row["conversation"]: row["attempt_id"] for row in by_time}
    once = {
        table: [row for row in its if row["attempt_id"] == last.get(row["conversation"])]
        for table, its in rows.items()
    }
    return Dataset(
        sha256=sha256,
        source=str(rows["conversations"][0]["source"]),
        size_bytes=0,
        conversations=tuple(from_rows(once, name) for name in last),
    )


def _commit(
    store: HistoryStore, audit: Audit, dataset: Dataset, faults: tuple[Fault, ...], run_id: str
) -> None:
    attempt = store.begin(
        Lineage(
            asset=GOLD_AUDIT,
            run_id=run_id,
            release=None,
            conversation=None,
            code_version=__version__,
            dataset_sha256=dataset.sha256,
            system=None,
            extra={"audit_sha256": audit.sha256},
        )
    )
    head = {"audit_sha256": audit.sha256, "audit_source": audit.source}
    attempt.append("gold_faults", [{**head, **asdict(fault)} for fault in faults])
    attempt.commit()


def store_dataset(store: HistoryStore, dataset: Dataset, run_id: str) -> int:
    """Commits each conversation whose newest stored version is of another file, or was read from
    it otherwise by an older program.

    Returns how many were written; the rest were there already, from an equal file.
    """
    written = 0
    for conversation in dataset.conversations:
        name = conversation.conversation
        if _stored_sha256(store, conversation) == dataset.sha256:
            continue
        attempt = store.begin(
            Lineage(
                asset="locomo_dataset",
                run_id=run_id,
                release=None,
                conversation=name,
                code_version=__version__,
                dataset_sha256=dataset.sha256,
                system=None,
            )
        )
        for table, rows in to_rows(replace(dataset, conversations=(conversation,))).items():
            # Which conversation they are of is said once, by the attempt.
            attempt.append(
                table, [{k: v for k, v in row.items() if k != "conversation"} for row in rows]
            )
        attempt.commit(source=dataset.source, size_bytes=dataset.size_bytes)
        written += 1
    return written


def _stored_sha256(store: HistoryStore, conversation: Conversation) -> str | None:
    """The data set whose conversation is stored last, if that is just this one."""
    try:
        stored, sha256 = stored_conversation(store, conversation.conversation)
    except (NothingToMeasureError, DatasetError):
        return None
    return sha256 if stored == conversation else None
