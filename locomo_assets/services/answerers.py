"""The answering model that the settings mean, for the question protocol `retrieval`."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from locomo_assets.completions.answer_request import (
    ANSWERER,
    AnswererError,
    AnswererIdentity,
    read_prompt,
)
from locomo_assets.completions.asker import checked_server
from locomo_assets.prices import STANDIN
from locomo_assets.settings import Settings

if TYPE_CHECKING:
    from locomo_assets.completions.answerer import Answerer
    from locomo_assets.http.calls import CallOptions
    from locomo_assets.prices import PriceTable

_STANDIN_URL = "http://standin.invalid/v1"


def planned_answerer(chosen: Settings) -> AnswererIdentity:
    """Who answers, as far as the settings say; nothing is connected, no secret fetched.

    Raises AnswererError: prompt or URL can't be used.
    """
    prompt = read_prompt(chosen.answer_prompt)
    key = chosen.answer_api_key_given
    if key is None and chosen.secrets is None:
        return AnswererIdentity(STANDIN, chosen.answer_model, prompt)
    given = "held-by-a-secret" if key is None else key.get_secret_value()
    url, _ = checked_server(ANSWERER, chosen.answer_base_url, given)
    return AnswererIdentity.at(url, chosen.answer_model, prompt)


@asynccontextmanager
async def connected_answerer(
    chosen: Settings,
    *,
    prices: "PriceTable",
    options: "CallOptions",
    max_retries: int = 5,
    timeout_s: float = 60.0,
) -> AsyncIterator["Answerer | None"]:
    """The answering model of a run; None where the memory service itself answers.

    Without a key the stand-in answers in this process. Raises AnswererError.
    """
    if chosen.question_protocol != "retrieval":
        yield None
        return
    from locomo_assets.completions.answerer import Answerer

    identity, prompt = planned_answerer(chosen), read_prompt(chosen.answer_prompt)
    if identity.endpoint == STANDIN:
        from locomo_assets.standin.server import standin_openai_transport
        from locomo_assets.standin.settings import DEFAULT_KEY

        chosen.standin_path.parent.mkdir(parents=True, exist_ok=True)
        async with (
            standin_openai_transport(chosen.standin_path) as transport,
            Answerer.connect(
                identity,
                prompt,
                api_key=DEFAULT_KEY,
                base_url=_STANDIN_URL,
                prices=prices,
                options=options,
                transport=transport,
            ) as answerer,
        ):
            yield answerer
        return
    key = await asyncio.to_thread(lambda: chosen.answer_api_key)
    if key is None:
        raise AnswererError(
            f"LOCOMO_QUESTION_PROTOCOL is retrieval, but {chosen.secrets} holds no "
            "LOCOMO_ANSWER_API_KEY; store the key of the model that answers there"
        )
    async with Answerer.connect(
        identity,
        prompt,
        api_key=key.get_secret_value(),
        base_url=chosen.answer_base_url,
        prices=prices,
        options=options,
        max_retries=max_retries,
        timeout_s=timeout_s,
    ) as answerer:
        yield answerer
