"""What the stages of a conversation share: their report, and what is stored and may be reused.

Each stage reads what the stage before it committed, so that it can run alone and later.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from locomo_assets.history.provenance import Marker, path_label
from locomo_assets.locomo.model import Conversation, Question
from locomo_assets.runs.checkpoint import Numbers, Row, first_complete
from locomo_assets.runs.context import Bench, NothingToMeasureError, Order, fingerprint


@dataclass(frozen=True)
class StageReport:
    """What a stage did: `attempt_id` is None where everything was there already.

    `skipped`: why there was nothing to do at all; then nothing is there, either.
    """

    asset: str
    attempt_id: str | None
    numbers: Numbers = field(default_factory=dict)
    skipped: str | None = None


def ingest_fingerprint(bench: Bench, order: Order, dataset_sha256: str) -> str:
    """What an ingestion depends on: data set, conversation, release, protocol, system."""
    return fingerprint(
        {
            "dataset": dataset_sha256,
            "conversation": order.conversation,
            "release": order.release,
            "protocol": bench.ingest_protocol.canonical(),
            "system": bench.system,
            "base_url": bench.base_url,
        }
    )


def current_ingestion(bench: Bench, order: Order, dataset_sha256: str) -> Marker | None:
    """The newest committed ingestion of the partition with today's fingerprint.

    For a sample, which ingests nothing, that of whatever release has the newest.
    """
    if order.sample is not None:
        return _newest_ingestion(bench, order, dataset_sha256)
    wanted = ingest_fingerprint(bench, order, dataset_sha256)
    markers = bench.store.markers(
        asset="ingested_memories", release=order.release, conversation=order.conversation
    )
    return next((m for m in reversed(markers) if m.extra.get("fingerprint") == wanted), None)


def _newest_ingestion(bench: Bench, order: Order, dataset_sha256: str) -> Marker | None:
    folder = f"/conversation={path_label(order.conversation)}/"
    for name in reversed(bench.store.marker_names("attempts/asset=ingested_memories")):
        if folder not in name.path:
            continue
        [marker] = bench.store.read_markers([name])
        of_release = replace(order, release=str(marker.lineage.release))
        wanted = ingest_fingerprint(bench, of_release, dataset_sha256)
        if marker.extra.get("fingerprint") == wanted:
            return marker
    return None


def chosen_questions(conversation: Conversation, order: Order) -> list[Question]:
    """The questions an order asks for: without category 5 unless it is wanted."""
    if order.sample is not None:
        return [q for q in conversation.questions if q.question_index in order.sample]
    questions = [q for q in conversation.questions if order.adversarial or q.category != 5]
    return questions[: order.questions]


def stored_answers(bench: Bench, order: Order, answer_fingerprint: str) -> dict[int, Row]:
    """Question index → the stored row that counts under a fingerprint, answered or not.

    The newest attempt's, and within an attempt the first complete one.
    """
    markers = bench.store.markers(
        asset="answers", release=order.release, conversation=order.conversation
    )
    markers = [m for m in markers if m.extra.get("fingerprint") == answer_fingerprint]
    of_attempt: dict[str, list[Row]] = {marker.attempt_id: [] for marker in markers}
    for row in bench.store.read("answers", markers).to_pylist():
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
class Ground:
    """`ingestion` is None where the question protocol asks an assistant that was told nothing.

    `answers` is the fingerprint of what an answer depends on besides its question.
    """

    dataset_sha256: str
    answers: str
    ingestion: Marker | None

    @property
    def ingestion_id(self) -> str | None:
        return None if self.ingestion is None else str(self.ingestion.extra["ingestion_id"])

    @property
    def basis(self) -> str:
        """What verdicts depend on besides the judge and the answers themselves."""
        return self.answers if self.ingestion is None else self.ingestion.attempt_id


def ground_or_raise(bench: Bench, order: Order, sha256: str) -> Ground:
    """The ground of today's protocol; `NothingToMeasureError` if it lacks its ingestion."""
    protocol = bench.ask_protocol.canonical()
    if not bench.ask_protocol.needs_ingestion:
        depends: dict[str, object] = {
            "dataset": sha256,
            "conversation": order.conversation,
            "release": order.release,
            "protocol": protocol,
            "system": bench.system,
            "base_url": bench.base_url,
        }
        return Ground(sha256, fingerprint(depends), None)
    ingestion = current_ingestion(bench, order, sha256)
    if ingestion is None and order.sample is not None:
        raise NothingToMeasureError(
            f"{order.conversation}: a sample is asked of the memory that a full run ingested, and "
            "none has under the present data set, protocol and system; measure a release first"
        )
    if ingestion is None:
        raise NothingToMeasureError(
            f"{order.conversation} of release {order.release}: nothing is ingested under the "
            "present data set, protocol and system; materialize ingested_memories first"
        )
    answers = fingerprint({"ingestion": ingestion.attempt_id, "protocol": protocol})
    return Ground(sha256, answers, ingestion)
