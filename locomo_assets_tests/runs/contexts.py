"""Benches at a served stand-in, and stopping the work at them as a signal does."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from locomo_assets.backboard.answers import AskProtocol, Retrieval
from locomo_assets.backboard.client import BackboardClient
from locomo_assets.backboard.ingest import IngestProtocol
from locomo_assets.backboard.protocols import ProtocolName
from locomo_assets.completions.answer_request import AnswererIdentity, read_prompt
from locomo_assets.completions.answerer import Answerer
from locomo_assets.history.store import HistoryStore
from locomo_assets.http.calls import CallOptions
from locomo_assets.http.limits import Limits
from locomo_assets.judging.lexical import LexicalJudge
from locomo_assets.prices import PriceTable
from locomo_assets.runs.context import Counts, RunContext, note_call
from locomo_assets.runs.stages import StageReport
from locomo_assets.standin.server import BaseUrls
from locomo_assets.standin.settings import DEFAULT_KEY

WIDTH = 4


@asynccontextmanager
async def at_bench(
    store: HistoryStore, urls: BaseUrls, run_id: str, protocol: ProtocolName = "isolated"
) -> AsyncIterator[RunContext]:
    options = CallOptions(limits=Limits(WIDTH), record=note_call)
    async with (
        BackboardClient(urls.backboard, DEFAULT_KEY, options) as client,
        _answerer(urls, protocol, options) as answerer,
    ):
        retrieval = None if answerer is None else Retrieval(answerer.identity)
        yield RunContext(
            store=store,
            client=client,
            judge=LexicalJudge(),
            system="standin",
            base_url=urls.backboard,
            ingest_protocol=IngestProtocol(memory_wait="conversation"),
            ask_protocol=AskProtocol(name=protocol, retrieval=retrieval),
            answerer=answerer,
            prices=PriceTable.read(None),
            run_id=run_id,
        )


@asynccontextmanager
async def _answerer(
    urls: BaseUrls, protocol: ProtocolName, options: CallOptions
) -> AsyncIterator[Answerer | None]:
    """The stand-in as answering model, for the protocol that asks one."""
    if protocol != "retrieval":
        yield None
        return
    prompt = read_prompt("plain")
    async with Answerer.connect(
        AnswererIdentity.at(urls.openai, "gpt-4.1-mini", prompt),
        prompt,
        api_key=DEFAULT_KEY,
        base_url=urls.openai,
        prices=PriceTable.read(None),
        options=options,
    ) as answerer:
        yield answerer


async def come_to(run: RunContext, **counts: int) -> None:
    """Until the progress has come so far."""
    ((name, number),) = counts.items()
    there = asyncio.Event()

    def look(now: Counts) -> None:
        if getattr(now, name) >= number:
            there.set()

    run.progress.listeners.append(look)
    await asyncio.wait_for(there.wait(), 30)


async def cancelled_when(work: "asyncio.Task[StageReport]", run: RunContext, **counts: int) -> None:
    """Stop the work as a signal does, once the progress has come so far."""
    await come_to(run, **counts)
    work.cancel()
    with pytest.raises(asyncio.CancelledError):
        await work
