"""The answers that a release has, measured here or imported, ready to be judged.

Of several answers to a question the one counts that the view `current_answers` shows.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from locomo_assets.history.provenance import Manifest
from locomo_assets.history.store import HistoryStore
from locomo_assets.locomo.model import ADVERSARIAL
from locomo_assets.near_names import unknown_release
from locomo_assets.runs.checkpoint import Row, first_complete
from locomo_assets.runs.context import NothingToMeasureError, Task, stored_conversation
from locomo_assets.runs.judge import GivenAnswers
from locomo_assets.runs.releases import SAMPLE
from locomo_assets.runs.stages import MemorySource

IMPORTS = "imported_results"
_LONG_AGO = datetime.min.replace(tzinfo=UTC)
_NO_SYSTEM = "unknown"


@dataclass(frozen=True)
class AnswerSet:
    """A release's answers to one conversation: who gave them, and what there is to judge."""

    task: Task
    system: str
    given: GivenAnswers

    @property
    def key(self) -> tuple[str, str, str]:
        """What tells the answers of a release apart: system, question protocol, data set."""
        return self.system, self.given.question_protocol, self.given.source.dataset_sha256


def answer_sets(
    store: HistoryStore,
    release: str,
    question_protocol: str | None = None,
    conversations: Sequence[str] | None = None,
) -> list[AnswerSet]:
    """All answer sets of a release, or those of one question protocol or some conversations.

    Raises NothingToMeasureError where there are none, with what there is.
    """
    manifests = [
        *store.manifests(asset="answers", release=release),
        *store.manifests(asset=IMPORTS, release=release),
    ]
    newest = _newest(store, manifests)
    if not newest:
        known = sorted(
            (one.committed_at, one.lineage.release)
            for asset in ("answers", IMPORTS)
            for one in store.manifests(asset)
            if one.lineage.release is not None
        )
        unknown = unknown_release(release, (name for _, name in reversed(known)), "no answers")
        raise NothingToMeasureError(
            f"{unknown} (a daily sample's answers are judged by its own run)"
        )
    found = [
        key
        for key in newest
        if question_protocol in (None, key[2]) and (not conversations or key[3] in conversations)
    ]
    if not found:
        protocols = ", ".join(sorted({key[2] for key in newest}))
        names = ", ".join(sorted({key[3] for key in newest}))
        raise NothingToMeasureError(
            f"release {release}: has no such answers; its question protocols are {protocols}, its "
            f"conversations {names}"
        )
    fingerprints = {one.attempt_id: one.extra.get("fingerprint") for one in manifests}
    imported = _imported_judges(store, manifests)
    return [
        AnswerSet(
            Task(release, key[3], adversarial=_has_adversarial(newest[key])),
            key[1],
            GivenAnswers(
                stored_conversation(store, key[3], key[0])[0],
                _source(store, release, key, newest[key], fingerprints),
                key[2],
                newest[key],
                imported,
            ),
        )
        for key in found
    ]


_Key = tuple[str, str, str, str]


def _newest(store: HistoryStore, manifests: Sequence[Manifest]) -> dict[_Key, dict[int, Row]]:
    """(data set, system, question protocol, conversation) → question index → its answer."""
    places = {manifest.attempt_id: place for place, manifest in enumerate(manifests)}
    by_attempt: dict[tuple[int, _Key], list[Row]] = {}
    for row in store.read("answers", manifests).to_pylist():
        if row["kind"] == SAMPLE:
            continue
        system, protocol = row["system"] or _NO_SYSTEM, row["question_protocol"]
        key = (row["dataset_sha256"], system, protocol, row["conversation"])
        by_attempt.setdefault((places[row["attempt_id"]], key), []).append(row)
    newest: dict[_Key, dict[int, Row]] = {}
    for _, key in sorted(by_attempt):
        newest.setdefault(key, {}).update(_counted(by_attempt[_, key]))
    return newest


def _counted(rows: Sequence[Row]) -> dict[int, Row]:
    # Imported answers don't say when they were asked; each question has one of them.
    return first_complete(
        sorted(rows, key=lambda row: row["asked_at"] or _LONG_AGO),
        lambda row: int(row["question_index"]),
        lambda row: bool(row["outcome"] == "answered"),
    )


def _imported_judges(store: HistoryStore, manifests: Sequence[Manifest]) -> frozenset[str]:
    imports = [one for one in manifests if one.lineage.asset == IMPORTS]
    judges: list[str | None] = store.read("judgements", imports, ("judge",))["judge"].to_pylist()
    return frozenset(judge for judge in judges if judge)


def _has_adversarial(answers: Mapping[int, Row]) -> bool:
    return any(row["category"] == ADVERSARIAL for row in answers.values())


def _source(
    store: HistoryStore,
    release: str,
    key: _Key,
    answers: Mapping[int, Row],
    fingerprints: Mapping[str, Any],
) -> MemorySource:
    """As the run's that asked them, so that what it began to judge is gone on with."""
    dataset_sha256, _, _, conversation = key
    ingestions = {row["ingestion_id"] for row in answers.values()}
    if len(ingestions) == 1 and None not in ingestions:
        for manifest in store.manifests("ingested_memories", release, conversation):
            if manifest.extra.get("ingestion_id") in ingestions:
                return MemorySource(dataset_sha256, "", manifest)
    newest = max(row["attempt_id"] for row in answers.values())
    return MemorySource(dataset_sha256, str(fingerprints.get(newest) or newest), None)
