"""Ingestions that don't count any more: a thread holds a message twice, or a turn that failed.

The service takes no idempotency key, so a request that was taken for lost may still be carried
out after it was sent again. Threads to which that may happen are counted before the answers are
committed and once more when they are judged. How a thread is compared is in `backboard.reconcile`.
"""

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime

from locomo_assets import __version__
from locomo_assets.backboard.reconcile import check_asked, count_messages
from locomo_assets.history.provenance import Lineage, Manifest
from locomo_assets.history.store import HistoryStore
from locomo_assets.http.errors import NotFoundError, ThreadDamagedError
from locomo_assets.http.limits import first_failure
from locomo_assets.runs.context import RunContext, Task

ASSET = "damaged_ingestions"


def damaged_ingestions(
    store: HistoryStore, release: str | None = None, conversation: str | None = None
) -> dict[str, Manifest]:
    """Id of the ingestion → the manifest that says it is damaged; its `extra` has the reason."""
    manifests = store.manifests(asset=ASSET, release=release, conversation=conversation)
    return {str(one.extra["ingestion_id"]): one for one in manifests}


def mark_damaged(run: RunContext, ingestion: Lineage, reason: str) -> None:
    """Commit that the ingestion of this lineage doesn't count: the next run ingests anew."""
    extra = {name: ingestion.extra[name] for name in ("ingestion_id", "assistant_id")}
    extra["reason"] = reason
    lineage = replace(ingestion, asset=ASSET, run_id=run.run_id, code_version=__version__)
    attempt = run.store.begin(replace(lineage, extra=extra))
    row = {**extra, "event": "damaged", "noted_at": datetime.now(UTC)}
    attempt.append("ingest_journal", [row])
    attempt.commit()


async def check_ingestion(run: RunContext, task: Task, ingestion: Manifest | None) -> None:
    """Count the doubtful threads of an ingestion again.

    Where one holds more than its turns, marks the ingestion as damaged and raises
    `ThreadDamagedError`. An assistant that is deleted can't be counted any more, and passes.
    """
    threads = {} if ingestion is None else ingestion.extra.get("doubtful_threads", {})
    if ingestion is None or not threads:
        return
    conversation, _ = run.conversation(task.conversation)
    try:
        with first_failure():
            by_session = {int(index): thread_id for index, thread_id in threads.items()}
            await count_messages(run.client, conversation, by_session)
    except NotFoundError:
        return
    except ThreadDamagedError as error:
        mark_damaged(run, ingestion.lineage, str(error))
        raise


async def check_question_thread(
    run: RunContext, thread_id: str | None, asked: Iterable[str]
) -> None:
    """Raise `ThreadDamagedError` where a doubtful thread holds a question more than once."""
    if thread_id is None:
        return
    try:
        thread = await run.client.get_thread(thread_id)
    except NotFoundError:
        return
    check_asked(thread, list(asked))
