"""What the stages of a conversation share: their report, and what is stored and may be reused.

Each stage reads what the stage before it committed, so that it can run alone and later.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from locomo_assets.history.provenance import Manifest, path_label
from locomo_assets.locomo.model import Conversation, Question
from locomo_assets.runs.checkpoint import Numbers, Row, first_complete
from locomo_assets.runs.context import NothingToMeasureError, RunContext, Task, fingerprint


@dataclass(frozen=True)
class StageReport:
    """What a stage did: `attempt_id` is None where everything was there already.

    `skipped`: why there was nothing to do at all; then nothing is there, either.
    """

    asset: str
    attempt_id: str | None
    numbers: Numbers = field(default_factory=dict)
    skipped: str | None = None


def ingest_fingerprint(run: RunContext, task: Task, dataset_sha256: str) -> str:
    """What an ingestion depends on: data set, conversation, release, protocol, system."""
    return fingerprint(
        {
            "dataset": dataset_sha256,
            "conversation": task.conversation,
            "release": task.release,
            "protocol": run.ingest_protocol.canonical(),
            "system": run.system,
            "base_url": run.base_url,
        }
    )


def current_ingestion(run: RunContext, task: Task, dataset_sha256: str) -> Manifest | None:
    """The newest committed ingestion of the partition with today's fingerprint.

    For a sample, which ingests nothing, that of whatever release has the newest.
    """
    if task.sample is not None:
        return _newest_ingestion(run, task, dataset_sha256)
    wanted = ingest_fingerprint(run, task, dataset_sha256)
    manifests = run.store.manifests(
        asset="ingested_memories", release=task.release, conversation=task.conversation
    )
    return next((m for m in reversed(manifests) if m.extra.get("fingerprint") == wanted), None)


def _newest_ingestion(run: RunContext, task: Task, dataset_sha256: str) -> Manifest | None:
    folder = f"/conversation={path_label(task.conversation)}/"
    for name in reversed(run.store.manifest_names("attempts/asset=ingested_memories")):
        if folder not in name.path:
            continue
        [manifest] = run.store.read_manifests([name])
        of_release = replace(task, release=str(manifest.lineage.release))
        wanted = ingest_fingerprint(run, of_release, dataset_sha256)
        if manifest.extra.get("fingerprint") == wanted:
            return manifest
    return None


def chosen_questions(conversation: Conversation, task: Task) -> list[Question]:
    """The questions an order asks for: without category 5 unless it is wanted."""
    if task.sample is not None:
        return [q for q in conversation.questions if q.question_index in task.sample]
    questions = [q for q in conversation.questions if task.adversarial or q.category != 5]
    return questions[: task.questions]


def stored_answers(run: RunContext, task: Task, answer_fingerprint: str) -> dict[int, Row]:
    """Question index → the stored row that counts under a fingerprint, answered or not.

    The newest attempt's, and within an attempt the first complete one.
    """
    manifests = run.store.manifests(
        asset="answers", release=task.release, conversation=task.conversation
    )
    manifests = [m for m in manifests if m.extra.get("fingerprint") == answer_fingerprint]
    of_attempt: dict[str, list[Row]] = {manifest.attempt_id: [] for manifest in manifests}
    for row in run.store.read("answers", manifests).to_pylist():
        of_attempt[row["attempt_id"]].append(row)
    stored: dict[int, Row] = {}
    for rows in of_attempt.values():
        stored |= counted_answers(rows)
    return stored


def counted_answers(rows: Iterable[Row]) -> dict[int, Row]:
    """Of one attempt's rows, those before it that it went on with included: those that count.

    By question index: the first answer that was given, and where there is none the first try.
    """
    return first_complete(
        sorted(rows, key=lambda row: row["asked_at"]),
        lambda row: int(row["question_index"]),
        lambda row: bool(row["outcome"] == "answered"),
    )


@dataclass(frozen=True)
class MemorySource:
    """`ingestion` is None where the question protocol asks an assistant that was told nothing.

    `answers` is the fingerprint of what an answer depends on besides its question.
    """

    dataset_sha256: str
    answers: str
    ingestion: Manifest | None

    @property
    def ingestion_id(self) -> str | None:
        return None if self.ingestion is None else str(self.ingestion.extra["ingestion_id"])

    @property
    def basis(self) -> str:
        """What verdicts depend on besides the judge and the answers themselves."""
        return self.answers if self.ingestion is None else self.ingestion.attempt_id


def memory_source(run: RunContext, task: Task, sha256: str) -> MemorySource:
    """The ground of today's protocol; `NothingToMeasureError` if it lacks its ingestion."""
    protocol = run.ask_protocol.canonical()
    if not run.ask_protocol.needs_ingestion:
        depends: dict[str, object] = {
            "dataset": sha256,
            "conversation": task.conversation,
            "release": task.release,
            "protocol": protocol,
            "system": run.system,
            "base_url": run.base_url,
        }
        return MemorySource(sha256, fingerprint(depends), None)
    ingestion = current_ingestion(run, task, sha256)
    if ingestion is None and task.sample is not None:
        raise NothingToMeasureError(
            f"{task.conversation}: a sample is asked of the memory that a full run ingested, and "
            "none has under the present data set, protocol and system; measure a release first"
        )
    if ingestion is None:
        raise NothingToMeasureError(
            f"{task.conversation} of release {task.release}: nothing is ingested under the "
            "present data set, protocol and system; materialize ingested_memories first"
        )
    answers = fingerprint({"ingestion": ingestion.attempt_id, "protocol": protocol})
    return MemorySource(sha256, answers, ingestion)
