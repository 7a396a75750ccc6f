"""The judge that the settings mean: a model at their endpoint; without a key the lexical one."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from locomo_assets.history.store import HistoryStore
from locomo_assets.settings import Settings

if TYPE_CHECKING:
    from locomo_assets.http.calls import CallOptions
    from locomo_assets.judging.judge import Judge, JudgeIdentity
    from locomo_assets.prices import PriceTable
    from locomo_assets.runs.context import Batching


def planned_judge(chosen: Settings) -> "JudgeIdentity":
    """Who judges, as far as the settings say; nothing is connected. An error where it can't."""
    if (key := chosen.openai_api_key) is None:
        from locomo_assets.judging.lexical import LexicalJudge

        return LexicalJudge().identity
    from locomo_assets.completions.asker import (
        OPENAI,
        OPENAI_URL,
        checked_server,
        endpoint_of,
        host_of,
    )
    from locomo_assets.judging.prompts import read_prompt
    from locomo_assets.judging.verdict_request import JUDGE, llm_identity

    url, _ = checked_server(JUDGE, chosen.openai_base_url, key.get_secret_value())
    endpoint = endpoint_of(url)
    system = OPENAI if endpoint == endpoint_of(OPENAI_URL) else host_of(endpoint)
    return llm_identity(system, chosen.judge_model, read_prompt(chosen.judge_prompt))


@asynccontextmanager
async def connected_judge(
    chosen: Settings,
    store: HistoryStore,
    run_id: str,
    *,
    prices: "PriceTable",
    options: "CallOptions",
    price: Callable[["JudgeIdentity"], None],
) -> AsyncIterator[tuple["Judge", "Batching | None"]]:
    """The judge of a run, and its batches; closed in the end.

    `price` is called with who judges before it is asked anything that costs.
    """
    if (key := await asyncio.to_thread(lambda: chosen.openai_api_key)) is None:
        from locomo_assets.judging.lexical import LexicalJudge

        lexical = LexicalJudge()
        price(lexical.identity)
        yield lexical, None
        return
    from locomo_assets.judging.judge import VotingJudge
    from locomo_assets.judging.llm import LLMJudge
    from locomo_assets.runs.context import Batching
    from locomo_assets.runs.verdicts import (
        known_parameters,
        remember_parameters,
        server_name,
    )

    async with LLMJudge.connect(
        api_key=key.get_secret_value(),
        base_url=chosen.openai_base_url,
        model=chosen.judge_model,
        prompt=chosen.judge_prompt,
        max_tokens=chosen.judge_max_tokens,
        prices=prices,
        options=options,
    ) as judge:
        price(judge.identity)
        where = (store, judge.asked_at, chosen.judge_model)
        known = await asyncio.to_thread(known_parameters, *where)
        learned = await judge.learn_parameters(known)
        if learned is not None:
            await asyncio.to_thread(remember_parameters, *where, learned)
        # What gives no verdicts has ended the run by now, and takes no name from another.
        if (endpoint := judge.endpoint) is not None:
            url = chosen.openai_base_url or ""
            judge.name_server(await asyncio.to_thread(server_name, store, url, endpoint, run_id))
        try:
            yield (
                VotingJudge(judge, chosen.judge_votes) if chosen.judge_votes > 1 else judge,
                Batching(
                    judge.batches(chosen.judge_votes),
                    wanted=chosen.judge_mode == "batch",
                    wait_s=chosen.judge_batch_wait_minutes * 60.0,
                ),
            )
        finally:
            if judge.refuses_what_it_took:
                await asyncio.to_thread(remember_parameters, *where, None)
