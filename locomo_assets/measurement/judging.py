"""The stage that has a conversation's answers judged, or goes on with it.

Here: which verdicts are reused, gone on with and written. The judges are `judging`.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from locomo_assets.locomo.model import Question
from locomo_assets.measurement.bench import (
    Bench,
    NothingToMeasureError,
    Order,
    noted_calls,
    stored_conversation,
)
from locomo_assets.measurement.gathering import gather_limited
from locomo_assets.measurement.grounds import Ground, ground_or_raise
from locomo_assets.measurement.identity import fingerprint
from locomo_assets.measurement.leasing import leased
from locomo_assets.measurement.resuming import finish, first_complete, left_behind, resumable
from locomo_assets.measurement.reusing import COPIED, is_by, verdicts_by_content
from locomo_assets.measurement.rows import Row
from locomo_assets.measurement.saving import Saver, saving
from locomo_assets.measurement.stages import (
    StageReport,
    chosen_questions,
    stored_answers,
)

_ASSET = "judgements"


async def judge_answers(bench: Bench, order: Order) -> StageReport:
    """Gives each current answer its verdict by today's judge, where it has none yet.

    Verdicts that a killed run saved are gone on with; of two on the same answer within an
    attempt the first that is scored counts. `LeaseTakenError` if another run is at it.
    """
    conversation, sha256 = stored_conversation(bench.store, order.conversation)
    ground = ground_or_raise(bench, order, sha256)
    answers = stored_answers(bench, order, ground.answers)
    wanted = [q for q in chosen_questions(conversation, order) if q.question_index in answers]
    if not wanted:
        raise NothingToMeasureError(
            f"{order.conversation} of release {order.release}: no answers under the present "
            "question protocol; materialize answers first"
        )
    bench.progress.add(verdicts_to_do=len(wanted))
    lineage = bench.lineage(_ASSET, order, sha256)
    stored = _stored_verdicts(bench, order)
    if order.force or _without_verdict(wanted, answers, stored):
        async with leased(bench.store.storage, lineage):
            # Whoever held the lease until now may have judged them.
            stored = [] if order.force else _stored_verdicts(bench, order)
            missing = _without_verdict(wanted, answers, stored)
            if missing:
                bench.progress.add(verdicts=len(wanted) - len(missing))
                return await _judge(
                    bench,
                    order,
                    ground=ground,
                    answers=answers,
                    missing=missing,
                    stored=stored,
                    wanted=len(wanted),
                )
    bench.progress.add(verdicts=len(wanted))
    return StageReport(
        _ASSET, None, {"verdicts": len(wanted), "reused": len(wanted), "requests": 0}
    )


async def _judge(
    bench: Bench,
    order: Order,
    *,
    ground: Ground,
    answers: Mapping[int, Row],
    missing: Sequence[Question],
    stored: Sequence[Row],
    wanted: int,
) -> StageReport:
    identity = bench.judge.identity
    print_ = fingerprint({"ingestion": ground.basis, "judge": identity.digest()})
    left = left_behind(bench.store, _ASSET, order, print_)
    earlier = bench.store.read("judgements", left).to_pylist()
    to_judge = _without_verdict(missing, answers, _settled(earlier))
    bench.progress.add(verdicts=len(missing) - len(to_judge))
    lineage = bench.lineage(_ASSET, order, ground.dataset_sha256)
    attempt = bench.store.begin(resumable(lineage, order, print_))
    by_content = verdicts_by_content(bench, order, [*stored, *_settled(earlier)])
    rows: list[Row] = []

    async def verdict(question: Question) -> None:
        row = await _verdict_row(bench, question, answers[question.question_index], by_content)
        row["judgement_id"] = f"{attempt.attempt_id}/{question.question_index}"
        rows.append(row)
        saver.add("judgements", row)
        bench.progress.add(verdicts=1, cost_usd=_as_float(row["cost_usd"]))

    with noted_calls() as calls:
        saver = Saver(
            attempt, ["judgements"], calls=calls, prices=bench.prices, model=identity.model
        )
        async with saving(saver):
            await gather_limited(verdict, to_judge)
    finish(
        attempt,
        bench.store,
        left,
        judge=identity.name,
        judge_digest=identity.digest(),
        ingestion_id=ground.ingestion_id,
    )
    judged = {answers[question.question_index]["answer_id"] for question in missing}
    counting = first_complete(
        sorted([*earlier, *rows], key=lambda row: row["judged_at"]),
        lambda row: row["answer_id"],
        _is_settled,
    )
    verdicts = [row["verdict"] for answer_id, row in counting.items() if answer_id in judged]
    return StageReport(
        _ASSET,
        attempt.attempt_id,
        {
            "verdicts": wanted,
            "reused": wanted - len(missing),
            **{
                kind: verdicts.count(kind)
                for kind in ("correct", "wrong", "unscored", "unanswered")
            },
            "cost_usd": sum(_as_float(row["cost_usd"]) for row in [*earlier, *rows]),
            "judge": identity.name,
            "verdicts_of_killed_runs": len(missing) - len(to_judge),
            "requests": len(calls),
        },
    )


def _as_float(value: object) -> float:
    return value if isinstance(value, float) else 0.0


def _is_settled(row: Row) -> bool:
    # Unscored is no verdict: the judge failed there, and is asked again.
    return bool(row["verdict"] != "unscored")


def _settled(rows: Sequence[Row]) -> list[Row]:
    return [row for row in rows if _is_settled(row)]


def _without_verdict(
    wanted: Sequence[Question], answers: Mapping[int, Row], verdicts: Sequence[Row]
) -> list[Question]:
    judged = {row["answer_id"] for row in verdicts}
    return [q for q in wanted if answers[q.question_index]["answer_id"] not in judged]


def _stored_verdicts(bench: Bench, order: Order) -> list[Row]:
    """The settled verdicts by today's judge."""
    markers = bench.store.markers(
        asset=_ASSET, release=order.release, conversation=order.conversation
    )
    markers = [marker for marker in markers if is_by(marker, bench.judge.identity)]
    return _settled(bench.store.read("judgements", markers).to_pylist())


async def _verdict_row(
    bench: Bench, question: Question, answer: Row, by_content: Mapping[str, Row]
) -> dict[str, Any]:
    identity = bench.judge.identity
    gold = question.gold_answer or ""
    if question.category == 5:
        # Right is to decline: what the speaker never said can't be known.
        gold = question.gold_answer or "Not mentioned in the conversation"
    content = fingerprint(
        {
            "question": question.question,
            "gold": gold,
            "answer": answer["answer"],
            "judge": identity.digest(),
        }
    )
    row: dict[str, Any] = {
        "fingerprint": content,
        "answer_id": answer["answer_id"],
        "ingestion_id": answer["ingestion_id"],
        "question_index": question.question_index,
        "category": question.category,
        "question_protocol": answer["question_protocol"],
        "kind": answer["kind"],
        **identity.row(),
        "judged_at": datetime.now(UTC),
    }
    if answer["outcome"] != "answered":
        return {**row, "verdict": "unanswered", "reason": answer["reason"], "cost_usd": 0.0}
    known = by_content.get(content)
    if known is not None:
        return {
            **row,
            **{name: known[name] for name in COPIED},
            "reused_from_judgement_id": known["judgement_id"],
            "cost_usd": 0.0,
        }
    judgement = await bench.judge.judge(
        question.question, gold, str(answer["answer"]), question.category
    )
    return {**row, **judgement.row()}
