"""The stage that feeds a conversation to a new assistant, or goes on feeding it.

Here: what is reused, gone on with and written. The feeding itself is `backboard.ingesting`.

Whoever goes on after a kill keeps the ingestion's id, and with it the assistant's name, so that an
assistant whose creation nobody noted is found by its name.
"""

import uuid

from locomo_assets.backboard.errors import NotFoundError
from locomo_assets.backboard.ingesting import IngestProgress, ingest
from locomo_assets.backboard.journal import IngestState
from locomo_assets.history.lineage import UnfinishedAttempt
from locomo_assets.locomo.model import Conversation
from locomo_assets.measurement import journal
from locomo_assets.measurement.aside import aside
from locomo_assets.measurement.bench import Bench, Order, noted_calls
from locomo_assets.measurement.journal import StoredIngestJournal, state_of, time_at_work
from locomo_assets.measurement.leasing import leased
from locomo_assets.measurement.resuming import finish, left_behind, resumable
from locomo_assets.measurement.rows import Numbers
from locomo_assets.measurement.saving import Saver, saving
from locomo_assets.measurement.stages import StageReport, current_ingestion, ingest_fingerprint
from locomo_assets.measurement.watching import TABLE as RELEASE_CHECKS
from locomo_assets.measurement.watching import refuse_other_release, worst

_ASSET = "ingested_memories"


async def ingest_conversation(bench: Bench, order: Order) -> StageReport:
    """Feeds the conversation, turn by turn, to a new assistant; or finds it already fed.

    What a killed run began is gone on with, each turn told once. `LeaseTakenError` if another
    run is at it, `OtherReleaseError` if the feed names another release than the order's. Nothing
    is done where the question protocol rests on no ingestion.
    """
    if not bench.ask_protocol.needs_ingestion:
        why = f"memory is off in the question protocol {bench.ask_protocol.label()}"
        return StageReport(_ASSET, None, {"turns": 0, "requests": 0}, skipped=why)
    conversation, sha256 = bench.conversation(order.conversation)
    bench.progress.add(turns_to_do=len(conversation.turns))
    reused = _reused(bench, order, sha256, conversation)
    if reused is not None:
        return reused
    async with leased(bench.store.storage, bench.lineage(_ASSET, order, sha256)):
        # Whoever held the lease until now may have done it.
        reused = _reused(bench, order, sha256, conversation)
        return reused or await _ingest(bench, order, sha256, conversation)


def _reused(
    bench: Bench, order: Order, sha256: str, conversation: Conversation
) -> StageReport | None:
    known = None if order.force else current_ingestion(bench, order, sha256)
    if known is None:
        return None
    bench.progress.add(turns=len(conversation.turns))
    return StageReport(_ASSET, None, {**known.extra["numbers"], "requests": 0})


async def _ingest(
    bench: Bench, order: Order, sha256: str, conversation: Conversation
) -> StageReport:
    print_ = ingest_fingerprint(bench, order, sha256)
    lineage = bench.lineage(_ASSET, order, sha256)
    before = await bench.watch.check(order.release, _ASSET, "before")
    refuse_other_release(bench.store, lineage, before)
    ingestion_id, left, state = await _where_it_stopped(bench, order, print_)
    name = f"LoCoMo Test Assistant {ingestion_id[:8]} {order.conversation} {order.release}"[:255]
    attempt = bench.store.begin(resumable(lineage, order, print_, ingestion_id=ingestion_id))
    attempt.append(RELEASE_CHECKS, [before.row()])
    done = 0

    def told(now: IngestProgress) -> None:
        nonlocal done
        bench.progress.add(turns=now.turns - done)
        done = now.turns

    protocol = bench.ingest_protocol
    with noted_calls() as calls:
        saver = Saver(
            attempt,
            journal.TABLES,
            calls=calls,
            prices=bench.prices,
            model=protocol.llm_model or "",
            free=bench.is_free,
        )
        async with saving(saver):
            result = await ingest(
                bench.client,
                conversation,
                protocol,
                assistant_name=name,
                journal=StoredIngestJournal(
                    saver, ingestion_id=ingestion_id, assistant_name=name, state=state
                ),
                progress=told,
            )
    after = await bench.watch.check(order.release, _ASSET, "after")
    attempt.append(RELEASE_CHECKS, [after.row()])
    began_at, earlier_s = time_at_work(bench.store, left)
    numbers: Numbers = {**result.numbers(), "duration_s": earlier_s + result.duration_s}
    head = {
        **numbers,
        "ingestion_id": ingestion_id,
        "fingerprint": print_,
        "assistant_id": result.assistant_id,
        "base_url": bench.base_url,
        "ingest_protocol": protocol.label(),
        "llm_provider": protocol.llm_provider,
        "llm_model": protocol.llm_model,
        "started_at": began_at or result.started_at,
        "ended_at": result.ended_at,
    }

    def sum_up() -> None:
        attempt.append("ingestions", [head], is_derived=True)
        memories = [{"ingestion_id": ingestion_id, **m} for m in result.memory_rows()]
        attempt.append("memories", memories, is_derived=True)

    await aside(sum_up)
    numbers |= result.completeness()
    numbers["release_check"] = worst(before, after)
    await finish(attempt, bench.store, left, assistant_id=result.assistant_id, numbers=numbers)
    return StageReport(
        _ASSET,
        attempt.attempt_id,
        {
            **numbers,
            "turns_of_killed_runs": len(state.turns),
            "turns_read_back": result.turns_read_back,
            "requests": len(calls),
        },
    )


async def _where_it_stopped(
    bench: Bench, order: Order, print_: str
) -> tuple[str, list[UnfinishedAttempt], IngestState]:
    """The newest unfinished ingestion whose assistant is still there, or a new one."""
    unfinished = left_behind(bench.store, _ASSET, order, print_)
    by_id: dict[str, list[UnfinishedAttempt]] = {}
    for attempt in unfinished:
        by_id.setdefault(attempt.lineage.extra["ingestion_id"], []).append(attempt)
    for ingestion_id, attempts in reversed(by_id.items()):
        state = state_of(bench.store, attempts)
        try:
            if state.assistant_id is not None:
                await bench.client.get_assistant(state.assistant_id)
        except NotFoundError:
            continue
        return ingestion_id, attempts, state
    return uuid.uuid4().hex, [], IngestState()
