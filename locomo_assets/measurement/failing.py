"""What a conversation that fails as a whole leaves: its questions, unanswered.

Here: which questions, and that attempt. Without it a release would look complete without the
conversation. The next run asks them, since nothing of this is taken for an answer.
"""

from contextlib import suppress

from locomo_assets.backboard.answers import unanswered
from locomo_assets.history.errors import HistoryError
from locomo_assets.measurement.bench import Bench, Order
from locomo_assets.measurement.leasing import leased
from locomo_assets.measurement.stages import chosen_questions

_ASSET = "answers"
_COLUMNS = ("question_index", "question_protocol", "system", "dataset_sha256")


async def leave_unanswered(bench: Bench, order: Order, why: str) -> int:
    """Commits the order's questions of which nothing is stored as unanswered; how many they are.

    None are where another run is at them, or where the history can't be written.
    """
    with suppress(HistoryError, OSError):
        conversation, sha256 = bench.conversation(order.conversation)
        lineage = bench.lineage(_ASSET, order, sha256)
        async with leased(bench.store.storage, lineage):
            stored = _stored(bench, order, sha256)
            missing = [
                question
                for question in chosen_questions(conversation, order)
                if question.question_index not in stored
            ]
            if not missing:
                return 0
            attempt = bench.store.begin(lineage)
            rows = [
                {
                    **unanswered(
                        question, bench.ask_protocol, why, thread_id=None, asked_at=None, asks=0
                    ).row(),
                    "answer_id": f"{attempt.attempt_id}/{question.question_index}",
                    "cost_usd": 0.0,
                }
                for question in missing
            ]
            attempt.append("answers", rows)
            attempt.commit()
            return len(missing)
    return 0


def _stored(bench: Bench, order: Order, sha256: str) -> set[int]:
    """Questions asked before in the series, whatever came of them: that goes on to count."""
    markers = bench.store.markers(
        asset=_ASSET, release=order.release, conversation=order.conversation
    )
    series = (bench.ask_protocol.label(), bench.system, sha256)
    return {
        row["question_index"]
        for row in bench.store.read("answers", markers, _COLUMNS).to_pylist()
        if tuple(row[name] for name in _COLUMNS[1:]) == series
    }
