"""What a conversation's answers rest on: its ingestion, or nothing where memory is off.

Here: finding it, and the answers' fingerprint that follows from it. Who asks is `asking`, who
judges `judging`.
"""

from dataclasses import dataclass

from locomo_assets.history.lineage import Marker
from locomo_assets.measurement.bench import Bench, NothingToMeasureError, Order
from locomo_assets.measurement.identity import fingerprint
from locomo_assets.measurement.stages import current_ingestion


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
