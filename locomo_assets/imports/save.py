"""Storing imports in the history, each release as one attempt.

The rows are those of a measured release, so that every view works on them. The asset
`imported_results` marks them as imported, and `imported_files` says from where.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from locomo_assets import __version__
from locomo_assets.history.provenance import Lineage, Manifest
from locomo_assets.history.store import HistoryStore
from locomo_assets.imports.results import (
    ImportedAnswer,
    ImportedRelease,
    ImportedResults,
    ImportRefusedError,
)
from locomo_assets.labels import check_label, check_protocol
from locomo_assets.locomo.model import Dataset
from locomo_assets.runs import context
from locomo_assets.runs.checkpoint import Row
from locomo_assets.runs.datasets import store_dataset
from locomo_assets.runs.releases import IMPORTED, release_row

ASSET = "imported_results"
_PUBLISHED_AT = "published_at"
_MEASURED = ("releases", "ingested_memories", "answers", "judgements")


def save_imports(
    store: HistoryStore, dataset: Dataset, releases: Sequence[ImportedRelease], run_id: str
) -> list[Manifest | None]:
    """Commit results as releases, and the data set if it is new; all are checked before the first.

    None stands for one whose files are stored already, as they are. Importing other files under
    the same release supersedes the earlier import. Raises:
        BadLabelError: a release, the system or the protocol has an invalid name.
        ImportRefusedError: a release was measured here, or its earlier import has questions
            that these files lack, so that its accuracy would mix both.
    """
    due = [_unless_stored(store, dataset, one) for one in releases]
    if any(due):
        _store_dataset(store, dataset, run_id)
    return [None if one is None else _commit(store, dataset, one, run_id) for one in due]


def _unless_stored(
    store: HistoryStore, dataset: Dataset, one: ImportedRelease
) -> ImportedRelease | None:
    """What is to be stored. Once told, the time of publication stays known."""
    release, results = one.release, one.results
    check_label(release)
    check_label(results.system, "system")
    check_protocol(results.question_protocol)
    # Imported answers may have verdicts of one's own (`judge --release`): no measurement.
    is_imported = bool(store.manifests(asset=ASSET, release=release))
    measured = [asset for asset in _MEASURED if not (is_imported and asset == "judgements")]
    if any(store.manifests(asset=asset, release=release) for asset in measured):
        raise ImportRefusedError(
            f"release {release}: was measured here; import under another name with --release"
        )
    previous = _previous_import(store, dataset, results, release)
    if previous is None:
        return one
    known = previous.extra.get(_PUBLISHED_AT)
    if one.published_at is None and known is not None:
        one = replace(one, published_at=datetime.fromisoformat(known))
    if (previous.extra.get("fingerprint"), known) == (_fingerprint(results), _published_at(one)):
        return None
    _refuse_missing_questions(store, previous, results)
    return one


def _commit(store: HistoryStore, dataset: Dataset, one: ImportedRelease, run_id: str) -> Manifest:
    results = one.results
    attempt = store.begin(
        Lineage(
            asset=ASSET,
            run_id=run_id,
            release=one.release,
            conversation=None,
            code_version=__version__,
            dataset_sha256=dataset.sha256,
            system=results.system,
            extra={
                "fingerprint": _fingerprint(results),
                "format": results.format,
                "question_protocol": results.question_protocol,
                "files": {file.file: file.sha256 for file in results.files},
                _PUBLISHED_AT: _published_at(one),
            },
        )
    )
    attempt.append("releases", [{**release_row(IMPORTED), "published_at": one.published_at}])
    attempt.append("imported_files", _file_rows(results))
    protocol = results.question_protocol
    ids = [(f"{attempt.attempt_id}/{_question_key(answer)}", answer) for answer in results.answers]
    attempt.append("answers", [_answer_row(i, answer, protocol) for i, answer in ids])
    attempt.append("retrieved_memories", [r for i, a in ids for r in _retrieved_rows(i, a)])
    attempt.append("judgements", [r for i, a in ids for r in _judgement_rows(i, a, protocol)])
    return attempt.commit()


def _published_at(one: ImportedRelease) -> str | None:
    return None if one.published_at is None else one.published_at.isoformat()


def _fingerprint(results: ImportedResults) -> str:
    """Identifies an import by the files' contents, not their names, and how they were read."""
    files = sorted(file.sha256 for file in results.files)
    more: dict[str, object] = {"assumed": dict(results.assumed)} if results.assumed else {}
    if results.wordless:
        # Versions before read these as unanswered: such files are imported anew.
        more["wordless"] = results.wordless
    return context.fingerprint({"format": results.format, "files": files, **more})


def _previous_import(
    store: HistoryStore, dataset: Dataset, results: ImportedResults, release: str
) -> Manifest | None:
    """The newest import of the same release, data set, system and question protocol."""
    series = (dataset.sha256, results.system, results.question_protocol)
    found = [
        manifest
        for manifest in store.manifests(asset=ASSET, release=release)
        if series
        == (
            manifest.lineage.dataset_sha256,
            manifest.lineage.system,
            manifest.extra.get("question_protocol"),
        )
    ]
    return found[-1] if found else None


def _refuse_missing_questions(
    store: HistoryStore, previous: Manifest, results: ImportedResults
) -> None:
    rows = store.read("answers", [previous], ("conversation", "question_index")).to_pylist()
    stored = {f"{row['conversation']}/{row['question_index']}" for row in rows}
    missing = stored - {_question_key(answer) for answer in results.answers}
    if missing:
        raise ImportRefusedError(
            f"release {previous.lineage.release}: an earlier import of it has {len(missing)} "
            f"questions that these files lack ({min(missing)}); import under another name with "
            "--release"
        )


def _store_dataset(store: HistoryStore, dataset: Dataset, run_id: str) -> None:
    """Store conversations not stored before; a data set in use stays the newest."""
    missing = tuple(
        one
        for one in dataset.conversations
        if dataset.sha256
        not in {
            manifest.lineage.dataset_sha256
            for manifest in store.manifests(asset="locomo_dataset", conversation=one.conversation)
        }
    )
    store_dataset(store, replace(dataset, conversations=missing), run_id)


def _question_key(answer: ImportedAnswer) -> str:
    return f"{answer.conversation}/{answer.question.question_index}"


def _file_rows(results: ImportedResults) -> list[Row]:
    return [
        {
            "conversation": file.conversation,
            "file": file.file,
            "file_sha256": file.sha256,
            "size_bytes": file.size_bytes,
            "format": results.format.partition("/")[0],
            "questions": file.questions,
        }
        for file in results.files
    ]


def _answer_row(answer_id: str, answer: ImportedAnswer, protocol: str) -> Row:
    return {
        "answer_id": answer_id,
        "conversation": answer.conversation,
        "question_index": answer.question.question_index,
        "category": answer.question.category,
        "question": answer.question.question,
        "question_protocol": protocol,
        "memory_mode": answer.memory_mode,
        "llm_provider": answer.llm_provider,
        "llm_model": answer.llm_model,
        "outcome": "answered" if answer.reason is None else "unanswered",
        "reason": answer.reason,
        "answer": answer.answer,
        "retrieved": None if answer.retrieved is None else len(answer.retrieved),
        "input_tokens": answer.input_tokens,
        "output_tokens": answer.output_tokens,
        "latency_ms": answer.latency_ms,
        **answer.measured,
    }


def _retrieved_rows(answer_id: str, answer: ImportedAnswer) -> list[Row]:
    return [
        {
            "conversation": answer.conversation,
            "answer_id": answer_id,
            "question_index": answer.question.question_index,
            "rank": rank,
            **memory._asdict(),
        }
        for rank, memory in enumerate(answer.retrieved or (), start=1)
    ]


def _judgement_rows(answer_id: str, answer: ImportedAnswer, protocol: str) -> list[Row]:
    return [
        {
            **one.judge,
            "judgement_id": f"{answer_id}/{one.judge['judge']}",
            "conversation": answer.conversation,
            "answer_id": answer_id,
            "question_index": answer.question.question_index,
            "category": answer.question.category,
            "question_protocol": protocol,
            "votes": one.votes,
            "agreement": one.agreement,
            "verdict": one.verdict.value,
            "reasoning": one.reasoning,
            "reason": one.reason,
            **one.measured,
        }
        for one in answer.verdicts
    ]
