"""Each kind of fault of `make chaos` in small: a conversation is told and asked in this process."""

import asyncio
from pathlib import Path
from typing import Any

import httpx
import pytest

from locomo_assets.backboard.answers import AnswerResult, AskProtocol
from locomo_assets.backboard.ask import ask_all
from locomo_assets.backboard.client import BackboardClient
from locomo_assets.backboard.ingest import IngestionResult, IngestProtocol, ingest
from locomo_assets.backboard.reconcile import sent_messages
from locomo_assets.http.errors import RetrySettings, ThreadDamagedError
from locomo_assets.standin.server import standin_transport
from locomo_assets.standin.settings import (
    CONNECTION_DROPPED,
    DEFAULT_KEY,
    GATEWAY_STATUSES,
    StandinSettings,
)
from locomo_assets_tests.backboard.factories import CONVERSATION, TEXTS
from locomo_assets_tests.backboard.journals import MemoryJournal

QUIET_S = 0.3
SOON_S = 0.02
"""After the first look, and well before the time to be quiet is over, also on a busy machine."""
RETRY = RetrySettings(
    attempts=12,
    asks=12,
    base_s=0.005,
    longest_s=0.05,
    quiet_s=QUIET_S,
    quiet_after_overdue_s=QUIET_S,
    quiet_after_429_s=QUIET_S,
)
URL = "http://standin.invalid/api"


def client_of(transport: httpx.AsyncBaseTransport) -> BackboardClient:
    return BackboardClient(URL, DEFAULT_KEY, retry=RETRY, transport=transport)


async def told(client: BackboardClient, journal: MemoryJournal) -> IngestionResult:
    return await ingest(
        client,
        CONVERSATION,
        IngestProtocol(memory_wait="conversation"),
        assistant_name="LoCoMo Test Assistant 1",
        journal=journal,
    )


def refused_after(status: int) -> dict[str, Any]:
    return {"refused_after_share": 0.3, "refused_after_statuses": (status,), "retry_after_s": 0}


def late(status: int, by_s: float) -> dict[str, Any]:
    more = {"late_statuses": (status,), "late_s": (by_s, by_s), "retry_after_s": 0}
    return {"late_share": 0.3, **more}


KINDS = {
    "lost": {"lost_answer_share": 0.3},
    "cut": {"cut_stream_share": 0.6},
    **{f"refused after, {status}": refused_after(status) for status in GATEWAY_STATUSES},
    **{
        f"late, {status}": late(status, SOON_S)
        for status in (CONNECTION_DROPPED, *GATEWAY_STATUSES)
    },
}


@pytest.mark.parametrize("kind", KINDS)
async def test_each_turn_and_question_once(tmp_path: Path, kind: str) -> None:
    settings = StandinSettings(seed=3, **KINDS[kind])
    kept: list[AnswerResult] = []

    async def keep(result: AnswerResult) -> None:
        kept.append(result)

    path = tmp_path / "standin.sqlite"
    async with standin_transport(path, settings) as transport, client_of(transport) as client:
        ingested = await told(client, MemoryJournal())
        for name in ("isolated", "published"):
            await ask_all(
                client,
                ingested.assistant_id,
                CONVERSATION.questions,
                AskProtocol(name=name),
                keep,
            )
        await asyncio.sleep(QUIET_S)
        of_turns = list(dict.fromkeys(turn.thread_id for turn in ingested.turns))
        texts = {one: await held(client, one) for one in of_turns}
        listed = await client.list_threads(ingested.assistant_id)
        asked = [await held(client, o.thread_id) for o in listed if o.thread_id not in texts]
    assert list(texts.values()) == TEXTS
    assert [one.outcome for one in kept] == ["answered"] * len(kept)
    questions = [one.question for one in CONVERSATION.questions]
    # Each once in a thread of its own, and all in one; threads that were made twice are empty.
    alone = [thread for thread in asked if len(thread) == 1]
    assert sorted(text for (text,) in alone) == sorted(questions)
    assert [thread for thread in asked if len(thread) > 1] == [questions]


async def held(client: BackboardClient, thread_id: str) -> list[str]:
    return [one.content for one in sent_messages(await client.get_thread(thread_id))]


async def test_turn_that_comes_again_after_all_waits_is_in_a_doubtful_thread(
    tmp_path: Path,
) -> None:
    """Whoever counts those threads again finds it."""
    settings = StandinSettings(seed=3, **late(503, 1.0))
    path, journal = tmp_path / "standin.sqlite", MemoryJournal()
    damaged = False
    async with standin_transport(path, settings) as transport, client_of(transport) as client:
        try:
            await told(client, journal)
        except ThreadDamagedError:
            damaged = True
        await asyncio.sleep(1.2)
        state = await journal.load()
        doubled = {
            index
            for index, thread_id in state.threads.items()
            if len(texts := await held(client, thread_id)) > len(set(texts))
        }
    assert doubled or damaged
    assert doubled <= state.doubtful
