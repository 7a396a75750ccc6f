"""One conversation of one release: what its stages share.

Here: a stage's report, and what is stored and may be reused. The stages are `ingesting`, `asking`
and `judging`; many conversations side by side are `runner`.

Each stage reads what the stage before it committed, so that any of them can run alone and later.
A stage saves its rows while it works, under a lease of the partition; a killed one is gone on
with by the next run.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from locomo_assets.history.lineage import Marker, path_label
from locomo_assets.locomo.model import Conversation, Question
from locomo_assets.measurement.bench import Bench, Order
from locomo_assets.measurement.identity import fingerprint
from locomo_assets.measurement.resuming import first_complete
from locomo_assets.measurement.rows import Numbers, Row


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
