"""What the stages of a conversation share: their reports, the queue between them, what is reused.

Each stage reads what the stage before it committed, so that it can run alone and later.
"""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, ClassVar

from locomo_assets.history.provenance import Manifest, path_label
from locomo_assets.locomo.model import Conversation, Question
from locomo_assets.locomo.sampling import share_of
from locomo_assets.runs.checkpoint import Row, first_complete
from locomo_assets.runs.context import NothingToMeasureError, RunContext, Task, fingerprint
from locomo_assets.runs.damage import damaged_ingestions
from locomo_assets.runs.releases import SAMPLE

Metadata = dict[str, float | int | str]


@dataclass(frozen=True, kw_only=True)
class StageReport(ABC):
    """What a stage did: `attempt_id` is None where everything was there already.

    `skipped`: why there was nothing to do at all; then nothing is there, either.
    """

    asset: ClassVar[str]

    attempt_id: str | None = None
    requests: int = 0
    skipped: str | None = None

    @property
    @abstractmethod
    def row_count(self) -> int:
        """How many rows of the asset the task has, reused ones included."""

    @abstractmethod
    def metadata(self) -> Metadata:
        """What people see of it; what is not known is left out."""


@dataclass(frozen=True, kw_only=True)
class IngestionCounts:
    """What an ingestion's manifest keeps of it, under `numbers`.

    An old one lacks what was not counted in its days: None.
    """

    sessions: int = 0
    turns: int = 0
    turns_ingested: int = 0
    operations_completed: int = 0
    operations_failed: int = 0
    operations_timed_out: int = 0
    memories: int = 0
    duration_s: float = 0.0
    messages_on_server: int | None = None
    operations: int | None = None
    release_check: str | None = None

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> "IngestionCounts":
        """The counts that a manifest of any version keeps."""
        names = {one.name for one in fields(cls)}
        kept = {name: value for name, value in stored.items() if name in names}
        return cls(**{name: value for name, value in kept.items() if value is not None})


@dataclass(frozen=True, kw_only=True)
class IngestionReport(StageReport):
    """`counts` are of the whole ingestion, the other numbers of this run."""

    asset = "ingested_memories"

    counts: IngestionCounts
    turns_of_killed_runs: int = 0
    turns_read_back: int = 0

    @property
    def row_count(self) -> int:
        return self.counts.turns

    def metadata(self) -> Metadata:
        if self.skipped is not None:
            return {"turns": 0, "requests": 0}
        metadata = _known(asdict(self.counts))
        if self.attempt_id is not None:
            metadata["turns_of_killed_runs"] = self.turns_of_killed_runs
            metadata["turns_read_back"] = self.turns_read_back
        return {**metadata, "requests": self.requests}


@dataclass(frozen=True, kw_only=True)
class AnswersReport(StageReport):
    """All but `questions` and `reused` is of the attempt; percentiles are of what was answered."""

    asset = "answers"

    questions: int
    reused: int
    answered: int = 0
    unanswered: int = 0
    latency_p50_ms: float | None = None
    latency_p95_ms: float | None = None
    tokens: int = 0
    cost_usd: float = 0.0
    cost_unknown: int = 0
    answers_of_killed_runs: int = 0
    release_check: str | None = None

    @property
    def row_count(self) -> int:
        return self.questions

    def metadata(self) -> Metadata:
        return _of_attempt(self, ("questions", "reused", "requests"))


SERIES = ("system", "question_protocol", "judge", "dataset_sha256")
"""What tells the series of a release apart, in the order of `Accuracy.series`."""


@dataclass(frozen=True, kw_only=True)
class JudgementsReport(StageReport):
    """Who was judged by whom, `verdicts` and `reused`; the rest is of the attempt.

    `verdicts_ahead`: how many were asked for while other answers of the conversation still were.
    """

    asset = "judgements"

    system: str
    question_protocol: str
    judge: str
    dataset_sha256: str
    verdicts: int
    reused: int
    correct: int = 0
    wrong: int = 0
    unscored: int = 0
    unanswered: int = 0
    cost_usd: float = 0.0
    verdicts_ahead: int = 0
    verdicts_of_killed_runs: int = 0

    @property
    def row_count(self) -> int:
        return self.verdicts

    def metadata(self) -> Metadata:
        return _of_attempt(self, (*SERIES, "verdicts", "reused", "requests"))


def _of_attempt(report: AnswersReport | JudgementsReport, without: Sequence[str]) -> Metadata:
    """All its numbers; those named in `without` if there was no attempt."""
    metadata = asdict(report)
    for name in ("attempt_id", "skipped"):
        del metadata[name]
    return _known(metadata if report.attempt_id else {name: metadata[name] for name in without})


def _known(metadata: Mapping[str, float | int | str | None]) -> Metadata:
    return {name: value for name, value in metadata.items() if value is not None}


class AnswerQueue:
    """Answers on their way to the judge while others are still asked for.

    Used from one event loop. Closed once all the conversation's answers are committed; where they
    never are, whoever takes them is cancelled.
    """

    def __init__(self) -> None:
        self._answers: list[Row] = []
        self._changed = asyncio.Event()
        self._closed = asyncio.Event()

    def put(self, answers: Sequence[Row]) -> None:
        """Rows of `answers` that are saved."""
        self._answers += answers
        self._changed.set()

    def close(self) -> None:
        self._closed.set()
        self._changed.set()

    async def has_answers(self) -> bool:
        """Waits for answers; False where none are left and none will come."""
        while not self._answers and not self._closed.is_set():
            self._changed.clear()
            await self._changed.wait()
        return bool(self._answers)

    def take(self) -> list[Row]:
        """All that are there."""
        taken, self._answers = self._answers, []
        return taken

    async def until_closed(self) -> None:
        await self._closed.wait()


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
    """The newest undamaged ingestion of the partition with today's fingerprint.

    For a sample, which ingests nothing, that of whatever release has the newest.
    """
    if task.sample is not None:
        return _newest_ingestion(run, task, dataset_sha256)
    usable = usable_ingestions(run, task, dataset_sha256)
    return usable[-1] if usable else None


def is_ingested(run: RunContext, task: Task, dataset_sha256: str) -> bool:
    """Whether the task has all the ingestions that it is to rest on; a forced one has none."""
    if task.force:
        return False
    if not task.repeat_ingestion:
        return current_ingestion(run, task, dataset_sha256) is not None
    return len(usable_ingestions(run, task, dataset_sha256)) >= task.repeat


def usable_ingestions(run: RunContext, task: Task, dataset_sha256: str) -> list[Manifest]:
    """The partition's undamaged ingestions with today's fingerprint, oldest first."""
    wanted = ingest_fingerprint(run, task, dataset_sha256)
    manifests = run.store.manifests(
        asset="ingested_memories", release=task.release, conversation=task.conversation
    )
    damaged = damaged_ingestions(run.store, task.release, task.conversation)
    return [manifest for manifest in manifests if _is_usable(manifest, wanted, damaged)]


def _is_usable(ingestion: Manifest, wanted: str, damaged: Collection[str]) -> bool:
    extra = ingestion.extra
    return extra.get("fingerprint") == wanted and extra.get("ingestion_id") not in damaged


def _newest_ingestion(run: RunContext, task: Task, dataset_sha256: str) -> Manifest | None:
    folder = f"/conversation={path_label(task.conversation)}/"
    damaged = damaged_ingestions(run.store)
    for name in reversed(run.store.manifest_names("attempts/asset=ingested_memories")):
        if folder not in name.path:
            continue
        [manifest] = run.store.read_manifests([name])
        of_release = replace(task, release=str(manifest.lineage.release))
        wanted = ingest_fingerprint(run, of_release, dataset_sha256)
        if _is_usable(manifest, wanted, damaged):
            return manifest
    return None


def chosen_questions(conversation: Conversation, task: Task) -> list[Question]:
    """The questions a task asks: without category 5 unless it is wanted."""
    if task.sample is not None:
        return [q for q in conversation.questions if q.question_index in task.sample]
    questions = [q for q in conversation.questions if task.adversarial or q.category != 5]
    questions = questions[: task.questions]
    if task.share is None:
        return questions
    share = share_of(task.conversation, questions, task.share, task.order_seed)
    return [question for question in questions if question.question_index in share]


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


def questions_to_ask(
    run: RunContext, task: Task, source: "MemorySource", wanted: Iterable[Question]
) -> list[Question]:
    """Those of the wanted questions that lack an answer, or in a repeat so many answers."""
    if task.force:
        return list(wanted)
    if task.repeat > 1 and not task.repeat_ingestion:
        times = times_answered(run, task, source.dataset_sha256)
        return [q for q in wanted if times.get(q.question_index, 0) < task.repeat]
    stored = stored_answers(run, task, source.answers)
    kept = {index for index, row in stored.items() if row["outcome"] == "answered"}
    return [question for question in wanted if question.question_index not in kept]


def times_answered(run: RunContext, task: Task, dataset_sha256: str) -> dict[int, int]:
    """Question index → how many repeats answered it; the view `repeats` says what a repeat is."""
    partition = {"release": task.release, "conversation": task.conversation}
    ingestions = run.store.manifests(asset="ingested_memories", **partition)
    columns = ("ingestion_id", "ingest_protocol")
    protocols = {
        row["ingestion_id"]: row["ingest_protocol"]
        for row in run.store.read("ingestions", ingestions, columns).to_pylist()
    }
    manifests = run.store.manifests(asset="answers", **partition)
    places = {manifest.attempt_id: place for place, manifest in enumerate(manifests)}
    series = (dataset_sha256, run.system, run.ask_protocol.label())
    answered: dict[int, dict[int, Row]] = {}
    for row in run.store.read("answers", manifests).to_pylist():
        of_series = (row["dataset_sha256"], row["system"], row["question_protocol"]) == series
        if of_series and row["kind"] != SAMPLE and row["outcome"] == "answered":
            of_question = answered.setdefault(row["question_index"], {})
            of_question[places[row["attempt_id"]]] = row

    def alike(one: Row, newest: Row) -> bool:
        columns = ("llm_provider", "llm_model", "memory_mode")
        protocol = protocols.get(one["ingestion_id"]) == protocols.get(newest["ingestion_id"])
        if protocol and all(one[name] == newest[name] for name in columns):
            return True
        # What was read back does not say which model gave it.
        read_back = None in (one["retrieved"], newest["retrieved"])
        return bool(read_back and one["fingerprint"] == newest["fingerprint"])

    return {
        index: sum(alike(one, rows[max(rows)]) for one in rows.values())
        for index, rows in answered.items()
    }


def counted_answers(rows: Iterable[Row]) -> dict[int, Row]:
    """Of one attempt's rows, those before it that it went on with included: those that count.

    By question index: the first answer that was given, and where there is none the first try.
    """
    return first_complete(
        sorted(rows, key=lambda row: row["asked_at"]),
        lambda row: int(row["question_index"]),
        lambda row: bool(row["outcome"] == "answered"),
    )


def is_answered(run: RunContext, task: Task, conversation: Conversation, sha256: str) -> bool:
    """Whether all that a task asks is ingested and answered, so that a run of it asks nothing."""
    if run.ask_protocol.needs_ingestion and not is_ingested(run, task, sha256):
        return False
    source = memory_source(run, task, sha256)
    return not questions_to_ask(run, task, source, chosen_questions(conversation, task))


@dataclass(frozen=True)
class MemorySource:
    """`ingestion` is None where the question protocol asks an assistant without memories.

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
    """The memory that today's protocol asks; `NothingToMeasureError` if it lacks its ingestion."""
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
