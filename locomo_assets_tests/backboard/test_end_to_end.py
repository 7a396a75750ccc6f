"""Ingesting and asking over real sockets, at a server that throttles, fails and cuts streams."""

from pathlib import Path

from locomo_assets.backboard.answers import AnswerResult, AskProtocol
from locomo_assets.backboard.ask import ask_all
from locomo_assets.backboard.client import BackboardClient
from locomo_assets.backboard.ingest import IngestProtocol, ingest
from locomo_assets.backboard.reconcile import sent_messages
from locomo_assets.http.calls import CallOptions
from locomo_assets.http.errors import RetrySettings
from locomo_assets.standin.server import running_standin
from locomo_assets.standin.settings import DEFAULT_KEY, StandinSettings
from locomo_assets_tests.backboard.clients import Records
from locomo_assets_tests.backboard.factories import CONVERSATION, TEXTS
from locomo_assets_tests.backboard.journals import MemoryJournal

FAULTS = StandinSettings(
    seed=4,
    rate_limited_share=0.1,
    retry_after_s=0,
    server_error_share=0.05,
    lost_answer_share=0.1,
    cut_stream_share=0.3,
    run_failed_share=0.1,
    memory_delay_ms=5,
    memory_failed_share=0.1,
)
RETRY = RetrySettings(
    attempts=12,
    asks=12,
    base_s=0.005,
    longest_s=0.05,
    quiet_s=0.02,
    quiet_after_overdue_s=0.02,
    quiet_after_429_s=0.0,
)


async def test_ingesting_and_asking_at_a_failing_server(tmp_path: Path) -> None:
    records, kept = Records(), list[AnswerResult]()

    async def keep(result: AnswerResult) -> None:
        kept.append(result)

    with running_standin(FAULTS, tmp_path / "standin.sqlite") as urls:
        async with BackboardClient(
            urls.backboard, DEFAULT_KEY, CallOptions(record=records), retry=RETRY
        ) as client:
            assert (await client.probe()).system == "standin"
            told = await ingest(
                client,
                CONVERSATION,
                IngestProtocol(memory_wait="conversation"),
                assistant_name="LoCoMo Test Assistant 1",
                journal=MemoryJournal(),
            )
            threads = dict.fromkeys(turn.thread_id for turn in told.turns)
            record = [
                [message.content for message in sent_messages(await client.get_thread(thread_id))]
                for thread_id in threads
            ]
            for protocol in (AskProtocol(name="isolated"), AskProtocol(name="published")):
                await ask_all(client, told.assistant_id, CONVERSATION.questions, protocol, keep)
    assert record == TEXTS
    assert told.operations_with("completed") + told.operations_with("error") == len(
        [turn for turn in told.turns if turn.memory_operation_id]
    )
    isolated, published = kept[:5], kept[5:]
    assert [one.outcome for one in isolated] == ["answered"] * 5
    assert all(
        one.outcome == "answered"
        or "run_failed" in (one.reason or "")
        or "no answer" in (one.reason or "")
        for one in published
    )
    by_question = {one.question_index: one.answer for one in isolated}
    assert by_question[0] == by_question[3]
    assert {record.error for record in records.all} > {None}
    assert all((record.latency_ms or 0) > 0 for record in records.all)
