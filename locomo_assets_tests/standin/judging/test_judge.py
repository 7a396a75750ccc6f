"""The judge, driven by the real `openai` client over a real socket."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from openai import APIConnectionError, AsyncOpenAI, AuthenticationError, BadRequestError
from openai import InternalServerError as OpenAIServerError
from openai import RateLimitError as OpenAIRateLimitError

from locomo_assets.standin.judging.judge import Case, read_case, verdict
from locomo_assets.standin.retrieval import Tokenizer
from locomo_assets.standin.server import BaseUrls, running_standin
from locomo_assets.standin.settings import DEFAULT_KEY, StandinSettings
from locomo_assets_tests.conftest import SHARED_DATA

WORDS = Tokenizer()
PROMPT = """Judge an answer. For example:
Question: Where did I go?
Gold answer: Hawaii
Now the real one.
Question: {question}
Gold answer: {gold_answer}
Generated answer: {generated_answer}

First, explain in one sentence, then finish with CORRECT or WRONG.

Return JSON with two keys, "reasoning" and "label".
"""


def prompt(generated: str, gold: str = "7 May 2023", question: str = "When was it?") -> str:
    return PROMPT.format(question=question, gold_answer=gold, generated_answer=generated)


@pytest.fixture
async def openai(urls: BaseUrls) -> AsyncIterator[AsyncOpenAI]:
    async with AsyncOpenAI(api_key=DEFAULT_KEY, base_url=urls.openai, max_retries=0) as client:
        yield client


async def judge(client: AsyncOpenAI, text: str, **more: Any) -> dict[str, str]:
    completion = await client.chat.completions.create(
        model="gpt-4.1",
        messages=[{"role": "system", "content": "Be fair."}, {"role": "user", "content": text}],
        temperature=0.1,
        max_tokens=300,
        response_format={"type": "json_object"},
        **more,
    )
    content = completion.choices[0].message.content
    assert content is not None
    answer: dict[str, str] = json.loads(content)
    return answer


@pytest.mark.parametrize(
    ("generated", "label"),
    [("On 7 May 2023, I think.", "CORRECT"), ("In the autumn of 1999", "WRONG"), ("", "WRONG")],
)
async def test_verdicts(openai: AsyncOpenAI, generated: str, label: str) -> None:
    answer = await judge(openai, prompt(generated))
    assert answer["label"] == label
    assert answer["reasoning"]


async def test_a_completion_says_who_it_is_from(openai: AsyncOpenAI) -> None:
    raw = await openai.chat.completions.with_raw_response.create(
        model="gpt-4.1", messages=[{"role": "user", "content": prompt("7 May")}]
    )
    assert raw.headers["X-Locomo-System"] == "standin"
    completion = raw.parse()
    assert completion.model == "standin:gpt-4.1"
    assert completion.choices[0].finish_reason == "stop"
    assert completion.usage is not None
    assert completion.usage.prompt_tokens > completion.usage.completion_tokens > 0
    assert completion.usage.total_tokens == (
        completion.usage.prompt_tokens + completion.usage.completion_tokens
    )


async def test_text_parts_are_read_as_text(openai: AsyncOpenAI) -> None:
    completion = await openai.chat.completions.create(
        model="m",
        messages=[
            {"role": "user", "content": [{"type": "text", "text": prompt("on 7 May 2023")}]},
        ],
    )
    assert '"CORRECT"' in str(completion.choices[0].message.content)


async def test_models(openai: AsyncOpenAI) -> None:
    assert {model.owned_by async for model in openai.models.list()} == {"standin"}
    model = await openai.models.retrieve("gpt-4.1")
    assert (model.id, model.owned_by) == ("gpt-4.1", "standin")
    assert (await openai.models.retrieve("org/model:free")).id == "org/model:free"


async def test_a_prompt_that_is_not_for_a_judge_is_refused(openai: AsyncOpenAI) -> None:
    for text in ("Hello!", "Question: a\nGold answer: b", "Generated answer: c\nQuestion: a"):
        with pytest.raises(BadRequestError, match="the stand-in judges only"):
            await judge(openai, text)
    with pytest.raises(BadRequestError, match="does not stream"):
        await openai.chat.completions.create(
            model="m", messages=[{"role": "user", "content": prompt("x")}], stream=True
        )


@pytest.mark.parametrize(
    "body",
    [
        {"messages": []},
        {"model": "m"},
        {"model": "m", "messages": "x"},
        {"model": "m", "messages": [1]},
        {"model": "m", "messages": []},
    ],
)
def test_malformed_requests_are_refused(urls: BaseUrls, body: dict[str, Any]) -> None:
    headers = {"Authorization": f"Bearer {DEFAULT_KEY}"}
    response = httpx.post(f"{urls.openai}/chat/completions", json=body, headers=headers)
    assert response.status_code == 400
    assert response.json()["error"]["type"] == "invalid_request_error"


async def test_the_key_is_checked(urls: BaseUrls) -> None:
    async with AsyncOpenAI(api_key="wrong", base_url=urls.openai, max_retries=0) as client:
        with pytest.raises(AuthenticationError):
            await client.models.list()
    async with httpx.AsyncClient(headers={"X-API-Key": DEFAULT_KEY}) as http:
        assert (await http.get(f"{urls.openai}/models")).status_code == 401


@pytest.mark.parametrize(
    ("settings", "error"),
    [
        (StandinSettings(rate_limited_share=1.0), OpenAIRateLimitError),
        (StandinSettings(server_error_share=1.0), OpenAIServerError),
        (StandinSettings(lost_answer_share=1.0), APIConnectionError),
    ],
)
async def test_faults_are_what_the_openai_client_takes_them_for(
    tmp_path: Path, settings: StandinSettings, error: type[Exception]
) -> None:
    with running_standin(settings, tmp_path / "state.sqlite") as urls:
        async with AsyncOpenAI(api_key=DEFAULT_KEY, base_url=urls.openai, max_retries=0) as client:
            with pytest.raises(error):
                await judge(client, prompt("7 May 2023"))


async def test_the_openai_client_outlasts_a_few_faults(tmp_path: Path) -> None:
    settings = StandinSettings(
        rate_limited_share=0.2, server_error_share=0.1, lost_answer_share=0.1, retry_after_s=0
    )
    with running_standin(settings, tmp_path / "state.sqlite") as urls:
        async with AsyncOpenAI(
            api_key=DEFAULT_KEY,
            base_url=urls.openai,
            max_retries=20,
        ) as client:
            answers = [await judge(client, prompt("on 7 May 2023")) for _ in range(2)]
    assert [answer["label"] for answer in answers] == ["CORRECT"] * 2


# reading a prompt, without a server


def test_values_may_span_lines_and_instructions_are_not_part_of_the_answer() -> None:
    case = read_case(prompt("one\ntwo\n\nthree", gold="a\nb", question="who\nis it?"))
    assert case == Case("who\nis it?", "a\nb", "one\ntwo\n\nthree")


def test_the_last_case_counts() -> None:
    case = read_case(prompt("x", question="real?") + "Generated answer: y")
    assert case is not None
    assert case.question == "real?"
    assert case.generated_answer == "y"


@pytest.mark.real_data
def test_the_published_prompt_can_be_read() -> None:
    path = SHARED_DATA / "judge-prompt-reference.txt"
    if not path.exists():
        pytest.skip("the published judge prompt is not beside the project")
    text = path.read_text(encoding="utf-8").format(
        question="Who?", gold_answer="Ada", generated_answer="Bob\nor Eve"
    )
    assert read_case(text) == Case("Who?", "Ada", "Bob\nor Eve")


@pytest.mark.parametrize(
    ("gold", "generated", "correct"),
    [
        ("Adoption agencies", "She researched an adoption agency.", True),
        ("Transgender woman", "She is a woman", True),
        ("pottery, camping, painting, swimming", "pottery", False),
        ("7 May 2023", "7 May 2023: Caroline: I went", True),
        ("7 May 2023", "I don't know", False),
        ("No", "no", True),
        ("She", "he", False),
        ("!", "?", False),
        ("", "anything", False),
    ],
)
def test_the_rule(gold: str, generated: str, correct: bool) -> None:
    assert verdict(Case("q", gold, generated), WORDS)[0] is correct
