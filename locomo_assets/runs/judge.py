"""The stage that has a conversation's answers judged, or goes on with it.

Here: which verdicts are reused, gone on with, asked for at once or by a batch, and written. The
judges are `judging`, the batches `batching`, the rows `verdicts`.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from locomo_assets.history.lease import leased
from locomo_assets.http.concurrency import gather_limited
from locomo_assets.runs.batches import (
    TABLE,
    BatchRun,
    Given,
    OpenBatch,
    open_batches,
)
from locomo_assets.runs.checkpoint import (
    Row,
    Saver,
    finish,
    first_complete,
    left_behind,
    resumable,
    saving,
)
from locomo_assets.runs.context import (
    Bench,
    NothingToMeasureError,
    Order,
    fingerprint,
    noted_calls,
)
from locomo_assets.runs.gold import Gold, corrected_gold
from locomo_assets.runs.stages import (
    Ground,
    StageReport,
    chosen_questions,
    ground_or_raise,
    stored_answers,
)
from locomo_assets.runs.verdicts import Due, is_by, verdicts_by_content

ASSET = "judgements"


async def judge_answers(bench: Bench, order: Order) -> StageReport:
    """Gives each current answer its verdict by today's judge, where it has none yet.

    Verdicts that a killed run saved are gone on with, and batches that one sent are collected; of
    two on the same answer within an attempt the first that is scored counts. `LeaseTakenError` if
    another run is at it, `BatchPendingError` while a batch is.
    """
    conversation, sha256 = bench.conversation(order.conversation)
    ground = ground_or_raise(bench, order, sha256)
    gold = corrected_gold(bench.store, bench.audit_sha256, sha256, order.conversation)
    answers = stored_answers(bench, order, ground.answers)
    every = [
        Due(question, answers[question.question_index], bench.judge.identity, gold)
        for question in conversation.questions
        if question.question_index in answers
    ]
    chosen = {question.question_index for question in chosen_questions(conversation, order)}
    wanted = [due for due in every if due.question.question_index in chosen]
    if not wanted:
        raise NothingToMeasureError(
            f"{order.conversation} of release {order.release}: no answers under the present "
            "question protocol; materialize answers first"
        )
    bench.progress.add(verdicts_to_do=len(wanted))
    lineage = bench.lineage(ASSET, order, sha256)
    if _missing(bench, order, ground, gold, every=every, wanted=wanted):
        async with leased(bench.store.storage, lineage):
            # Whoever held the lease until now may have judged them.
            missing = _missing(bench, order, ground, gold, every=every, wanted=wanted)
            if missing:
                besides = sum(due.question.question_index not in chosen for due in missing)
                there = len(wanted) + besides - len(missing)
                bench.progress.add(verdicts=there, verdicts_to_do=besides)
                return await _judge(bench, order, ground, gold, missing, there=there)
    bench.progress.add(verdicts=len(wanted))
    return StageReport(ASSET, None, {"verdicts": len(wanted), "reused": len(wanted), "requests": 0})


def _missing(
    bench: Bench,
    order: Order,
    ground: Ground,
    gold: Gold,
    *,
    every: Sequence[Due],
    wanted: Sequence[Due],
) -> list[Due]:
    """The wanted without a stored verdict, and all, wanted or not, whose verdict a batch owes."""
    owed = {
        one for batch in _open_batches(bench, order, ground, gold) for one in batch.fingerprints
    }
    judged = set()
    if not order.force:
        judged = {row["answer_id"] for row in stored_verdicts(bench, order, gold)}
    asked = {due.answer["answer_id"] for due in wanted} - judged
    return [
        due
        for due in every
        if due.answer["answer_id"] in asked or (owed and due.fingerprint in owed)
    ]


def verdicts_print(bench: Bench, ground: Ground, gold: Gold) -> str:
    """The fingerprint of verdicts on these answers by today's judge and gold answers."""
    judge = bench.judge.identity.digest()
    return fingerprint({"ingestion": ground.basis, "judge": judge, **gold.extra()})


def _open_batches(bench: Bench, order: Order, ground: Ground, gold: Gold) -> list[OpenBatch]:
    if bench.batching is None:
        return []
    print_ = verdicts_print(bench, ground, gold)
    return open_batches(bench.store, left_behind(bench.store, ASSET, order, print_))


async def _judge(
    bench: Bench, order: Order, ground: Ground, gold: Gold, missing: Sequence[Due], *, there: int
) -> StageReport:
    identity = bench.judge.identity
    print_ = verdicts_print(bench, ground, gold)
    left = left_behind(bench.store, ASSET, order, print_)
    earlier = bench.store.read("judgements", left).to_pylist()
    # What this run was refused ahead is not asked for twice.
    ahead = {row["answer_id"] for row in earlier if row["run_id"] == bench.run_id}
    ahead &= {due.answer["answer_id"] for due in missing}
    judged = ahead | {row["answer_id"] for row in _settled(earlier)}
    to_judge = [due for due in missing if due.answer["answer_id"] not in judged]
    bench.progress.add(verdicts=len(missing) - len(to_judge))
    lineage = bench.lineage(ASSET, order, ground.dataset_sha256)
    attempt = bench.store.begin(resumable(lineage, order, print_))
    stored = [] if order.force else stored_verdicts(bench, order, gold)
    by_content = verdicts_by_content(bench, order, [*stored, *_settled(earlier)])
    rows: list[Row] = []

    def keep(due: Due, row: dict[str, Any]) -> None:
        row["judgement_id"] = f"{attempt.attempt_id}/{due.question.question_index}"
        rows.append(row)
        saver.add("judgements", row)
        bench.progress.add(verdicts=1, cost_usd=_as_float(row["cost_usd"]))

    with noted_calls() as calls:
        saver = Saver(
            attempt, ["judgements", TABLE], calls=calls, prices=bench.prices, model=identity.model
        )
        async with saving(saver):
            await _Asking(bench, order, saver, keep).judge(
                to_judge, by_content, _open_batches(bench, order, ground, gold)
            )
    await finish(
        attempt,
        bench.store,
        left,
        judge=gold.judge(identity),
        judge_digest=identity.digest(),
        **gold.extra(),
        ingestion_id=ground.ingestion_id,
    )
    asked = {due.answer["answer_id"] for due in missing}
    counting = first_complete(
        sorted([*earlier, *rows], key=lambda row: row["judged_at"]),
        lambda row: row["answer_id"],
        _is_settled,
    )
    verdicts = [row["verdict"] for answer_id, row in counting.items() if answer_id in asked]
    return StageReport(
        ASSET,
        attempt.attempt_id,
        {
            "verdicts": there + len(missing),
            "reused": there,
            **{
                kind: verdicts.count(kind)
                for kind in ("correct", "wrong", "unscored", "unanswered")
            },
            "cost_usd": sum(_as_float(row["cost_usd"]) for row in [*earlier, *rows]),
            "judge": gold.judge(identity),
            "verdicts_ahead": len(ahead),
            "verdicts_of_killed_runs": len(missing) - len(to_judge) - len(ahead),
            "requests": len(calls),
        },
    )


class _Asking:
    """The ways to the verdicts of one attempt; `keep` takes each with its row."""

    def __init__(
        self,
        bench: Bench,
        order: Order,
        saver: Saver,
        keep: Callable[[Due, dict[str, Any]], None],
    ) -> None:
        self._bench = bench
        self._keep = keep
        self._batch_run = bench.batching and BatchRun(
            bench.batching,
            saver,
            self._given,
            labels={"release": order.release, "conversation": order.conversation},
            forced=order.force,
        )
        self._by_batch: dict[str, list[Due]] = {}

    async def judge(
        self, dues: Sequence[Due], known: Mapping[str, Row], left: Sequence[OpenBatch]
    ) -> None:
        """`known`: verdicts by fingerprint that need not be asked for; `left`: open batches."""
        located = await self._batch_run.located(left) if self._batch_run else []
        owed = {one for batch in located for one in batch.fingerprints}
        direct: list[Due] = []
        for due in dues:
            if not due.is_answered:
                self._keep(due, due.unanswered())
            elif due.fingerprint in known and due.fingerprint not in owed:
                self._keep(due, due.reused(known[due.fingerprint]))
            elif self._bench.by_batch or due.fingerprint in owed:
                self._by_batch.setdefault(due.fingerprint, []).append(due)
            else:
                direct.append(due)
        await gather_limited(self._ask, direct)
        if self._batch_run:
            new = {one: same[0].case for one, same in self._by_batch.items() if one not in owed}
            await self._batch_run.judge(located, new)

    async def _ask(self, due: Due) -> None:
        case = due.case
        judgement = await self._bench.judge.judge(
            case.question, case.gold_answer, case.answer, due.question.category
        )
        self._keep(due, due.judged(judgement))

    def _given(self, given: Given) -> None:
        # Of an answer that no longer counts, the verdict is in the record of calls alone.
        same = self._by_batch.get(given.fingerprint)
        if not same:
            return
        row = same[0].judged(given.judgement, given.batch_id)
        self._keep(same[0], row)
        for due in same[1:]:
            self._keep(due, due.reused(row))


def _as_float(value: object) -> float:
    return value if isinstance(value, float) else 0.0


def _is_settled(row: Row) -> bool:
    # Unscored is no verdict: the judge failed there, and is asked again.
    return bool(row["verdict"] != "unscored")


def _settled(rows: Sequence[Row]) -> list[Row]:
    return [row for row in rows if _is_settled(row)]


def stored_verdicts(bench: Bench, order: Order, gold: Gold) -> list[Row]:
    """The settled verdicts by today's judge and gold answers."""
    markers = bench.store.markers(
        asset=ASSET, release=order.release, conversation=order.conversation
    )
    judge = bench.judge.identity
    markers = [marker for marker in markers if is_by(marker, judge) and gold.is_of(marker)]
    return _settled(bench.store.read("judgements", markers).to_pylist())
