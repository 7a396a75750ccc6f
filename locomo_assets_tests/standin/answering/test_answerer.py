"""An answerer of one's own, driven by the real `openai` client, over a socket and in process."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from openai import APIConnectionError, AsyncOpenAI, BadRequestError
from openai import InternalServerError as OpenAIServerError
from openai import RateLimitError as OpenAIRateLimitError
from openai.types.chat import ChatCompletion

from locomo_assets.standin import payloads
from locomo_assets.standin.retrieval import UNKNOWN
from locomo_assets.standin.server import BaseUrls, running_standin, standin_openai_transport
from locomo_assets.standin.settings import DEFAULT_KEY, StandinSettings

MEMORIES = (
    "[8 May 2023] Ann: I went to the support group yesterday.",
    "[9 May 2023] Ben: The opera was long.",
    "[9 June 2023] Ann: Oscar, my guinea pig, is cute.",
)
SYSTEM = "Answer from the memories."


def prompt(question: str, memories: tuple[str, ...] = MEMORIES) -> str:
    listed = "\n".join(f"{number}. {memory}" for number, memory in enumerate(memories, 1))
    return f"Memories:\n{listed}\n\nQuestion: {question}"


async def ask(
    client: AsyncOpenAI, text: str, model: str = "gpt-4.1", **more: Any
) -> ChatCompletion:
    completion: ChatCompletion = await client.chat.completions.create(
        model=model,
        messages=[{"role": "system", "content": SYSTEM}, {"role": "user", "content": text}],
        temperature=0,
        **more,
    )
    return completion


def content(completion: ChatCompletion) -> str:
    return completion.choices[0].message.content or ""


@pytest.fixture
async def openai(urls: BaseUrls) -> AsyncIterator[AsyncOpenAI]:
    async with AsyncOpenAI(api_key=DEFAULT_KEY, base_url=urls.openai, max_retries=0) as client:
        yield client


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("When did Ann go to the support group?", "7 May 2023: Ann: I went to the support group"),
        ("What is the name of Ann's guinea pig?", "Ann: Oscar, my guinea pig, is cute."),
    ],
)
async def test_it_answers_from_the_memories(
    openai: AsyncOpenAI, question: str, answer: str
) -> None:
    assert content(await ask(openai, prompt(question))).startswith(answer)


async def test_it_does_not_know_what_no_memory_says(openai: AsyncOpenAI) -> None:
    assert content(await ask(openai, prompt("Quantum chromodynamics?"))) == UNKNOWN
    assert content(await ask(openai, prompt("Who is Oscar?", ()))) == UNKNOWN


async def test_tokens_are_those_of_the_whole_chat(openai: AsyncOpenAI) -> None:
    text = prompt("Who is Oscar?")
    completion = await ask(openai, text)
    assert completion.model == "standin:gpt-4.1"
    assert completion.usage is not None
    assert completion.usage.prompt_tokens == payloads.tokens(SYSTEM, text)
    assert completion.usage.completion_tokens == payloads.tokens(content(completion))


async def test_a_small_model_says_less(openai: AsyncOpenAI) -> None:
    memories = tuple(f"[8 May 2023] Ann: I keep bees in place {n}." for n in range(6))
    text = prompt("Where does Ann keep bees?", memories)
    large, small = [
        content(await ask(openai, text, model)) for model in ("gemini-2.5-pro", "gpt-4.1-mini")
    ]
    assert large.startswith(small)
    assert (large.count("bees"), small.count("bees")) == (3, 1)


async def test_the_order_of_the_memories_counts(openai: AsyncOpenAI) -> None:
    """Who retrieves better puts what answers first, though it shares no word."""
    reply, *others = "Ben: The cello.", "Ann: Which instrument?", "Ann: Ice.", "Ann: Tea."
    texts = [
        content(
            await ask(openai, prompt("Which instrument?", tuple(f"[8 May 2023] {m}" for m in one)))
        )
        for one in ((reply, *others), (*others, reply))
    ]
    assert texts[0].startswith(reply)
    assert not texts[1].startswith(reply)


async def test_json_is_for_judges_and_a_judges_prompt_is_judged_without_it(
    openai: AsyncOpenAI,
) -> None:
    with pytest.raises(BadRequestError, match="the stand-in judges only"):
        await ask(openai, prompt("Who?"), response_format={"type": "json_object"})
    judged = await ask(openai, "Question: a\nGold answer: b\nGenerated answer: b")
    assert '"CORRECT"' in content(judged)


async def test_a_prompt_that_asks_nothing_is_refused(openai: AsyncOpenAI) -> None:
    with pytest.raises(BadRequestError, match="list them, or give a line `Question:`"):
        await ask(openai, "Hello!")


@pytest.mark.parametrize(
    ("settings", "error"),
    [
        (StandinSettings(rate_limited_share=1.0, retry_after_s=7), OpenAIRateLimitError),
        (StandinSettings(server_error_share=1.0), OpenAIServerError),
        (StandinSettings(lost_answer_share=1.0), APIConnectionError),
    ],
)
async def test_it_fails_as_everything_else_does(
    tmp_path: Path, settings: StandinSettings, error: type[Exception]
) -> None:
    with running_standin(settings, tmp_path / "state.sqlite") as urls:
        async with AsyncOpenAI(api_key=DEFAULT_KEY, base_url=urls.openai, max_retries=0) as client:
            with pytest.raises(error) as raised:
                await ask(client, prompt("Who is Oscar?"))
    if isinstance(raised.value, OpenAIRateLimitError):
        assert raised.value.response.headers["Retry-After"] == "7"


async def test_a_reply_may_have_no_words(tmp_path: Path) -> None:
    with running_standin(StandinSettings(wordless_share=1.0), tmp_path / "state.sqlite") as urls:
        async with AsyncOpenAI(api_key=DEFAULT_KEY, base_url=urls.openai, max_retries=0) as client:
            assert content(await ask(client, prompt("Who is Oscar?"))) == ""


async def test_in_process_it_answers_as_over_a_socket(openai: AsyncOpenAI, tmp_path: Path) -> None:
    async with (
        standin_openai_transport(tmp_path / "state.sqlite") as transport,
        httpx2.AsyncClient(transport=transport) as http,
        AsyncOpenAI(
            api_key=DEFAULT_KEY, base_url="http://standin.invalid/v1", http_client=http
        ) as client,
    ):
        text = prompt("When did Ann go to the support group?")
        assert content(await ask(client, text)) == content(await ask(openai, text))


async def test_a_reply_lost_in_process_is_a_connection_error(tmp_path: Path) -> None:
    lossy = StandinSettings(lost_answer_share=1.0)
    async with (
        standin_openai_transport(tmp_path / "state.sqlite", lossy) as transport,
        httpx2.AsyncClient(transport=transport) as http,
        AsyncOpenAI(
            api_key=DEFAULT_KEY,
            base_url="http://standin.invalid/v1",
            http_client=http,
            max_retries=0,
        ) as client,
    ):
        with pytest.raises(APIConnectionError) as raised:
            await ask(client, prompt("Who is Oscar?"))
        assert isinstance(raised.value.__cause__, httpx2.RemoteProtocolError)
