"""When a release's canaries are judged, and their rows.

A model behind the same name may change. So each judge that gave a release verdicts judges the
canaries once for it: 36 verdicts, times the votes.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

from locomo_assets.history.errors import LeaseTakenError
from locomo_assets.history.lease import leased
from locomo_assets.history.provenance import Lineage, UnfinishedAttempt
from locomo_assets.http.concurrency import gather_limited
from locomo_assets.judging.canaries import Canary, packaged_canaries
from locomo_assets.prices import ModelPrice
from locomo_assets.runs.checkpoint import CheckpointWriter, checkpointing, finish
from locomo_assets.runs.context import RunContext, Task, fingerprint, noted_calls

ASSET = "judge_canaries"
_TABLE = "canary_verdicts"


def canary_lineage(run: RunContext, release: str) -> Lineage:
    """Canaries belong to a release, and to no conversation or data set."""
    return replace(
        run.lineage(ASSET, Task(release, ""), ""), conversation=None, dataset_sha256=None
    )


async def judge_canaries(run: RunContext, release: str) -> bool:
    """Has the release's canaries judged, unless they are or another run is at it: whether it did.

    What a killed run saved is kept. Raises JudgeError where no verdict can be had any more.
    """
    judge = run.judge.identity.digest()
    canaries_fingerprint = fingerprint({"judge": judge, "canaries": packaged_canaries().sha256})
    lineage = replace(canary_lineage(run, release), extra={"fingerprint": canaries_fingerprint})
    if _is_done(run, release, canaries_fingerprint):
        return False
    try:
        async with leased(run.store.storage, lineage):
            if _is_done(run, release, canaries_fingerprint):
                return False
            left = [
                attempt
                for attempt in run.store.unfinished(ASSET, release, None)
                if attempt.lineage.extra.get("fingerprint") == canaries_fingerprint
            ]
            await _judge(run, lineage, left)
    except LeaseTakenError:
        return False
    return True


def _is_done(run: RunContext, release: str, canaries_fingerprint: str) -> bool:
    manifests = run.store.manifests(asset=ASSET, release=release)
    return any(manifest.extra.get("fingerprint") == canaries_fingerprint for manifest in manifests)


async def _judge(run: RunContext, lineage: Lineage, left: Sequence[UnfinishedAttempt]) -> None:
    canaries = packaged_canaries()
    earlier = run.store.read(_TABLE, left, ("canary_id",)).to_pylist()
    judged = {row["canary_id"] for row in earlier}
    attempt = run.store.begin(lineage)
    identity = run.judge.identity

    async def verdict(canary: Canary) -> None:
        judgement = await run.judge.judge(
            canary.question, canary.gold_answer, canary.answer, canary.category
        )
        row = {
            "canary_id": canary.canary_id,
            "kind": canary.kind,
            "canaries_sha256": canaries.sha256,
            **identity.row(),
            **judgement.row(),
            "judged_at": datetime.now(UTC),
        }
        writer.add(_TABLE, row)
        run.progress.add(cost_usd=judgement.cost_usd or 0.0)

    with noted_calls() as calls:
        writer = CheckpointWriter(attempt, [_TABLE], calls, ModelPrice(run.prices, identity.model))
        async with checkpointing(writer):
            await gather_limited(
                verdict, [c for c in canaries.canaries if c.canary_id not in judged]
            )
    await finish(attempt, run.store, left, judge=identity.name, judge_digest=identity.digest())
