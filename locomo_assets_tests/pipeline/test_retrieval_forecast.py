"""Forecasts of the protocol `retrieval`: what is retrieved already is not retrieved again."""

from pathlib import Path

import pytest

from locomo_assets.locomo.parsing import read_dataset
from locomo_assets.locomo.sample import packaged_sample
from locomo_assets.pipeline.forecasts.forecast import forecast_rounds
from locomo_assets.runs.context import Task
from locomo_assets.runs.datasets import store_dataset
from locomo_assets.runs.forecast import Item
from locomo_assets.runs.runner import STAGES, measure
from locomo_assets.services import Services
from locomo_assets.settings import read_settings

DATASET = read_dataset(packaged_sample())
SAMPLE = DATASET.conversations[0]
TASK = Task("r1", SAMPLE.conversation)
ASKED = sum(question.category != 5 for question in SAMPLE.questions)
RETRIEVAL = {"question_protocol": "retrieval", "memory_wait": "conversation"}


def services(**changes: object) -> Services:
    return Services(read_settings({**RETRIEVAL, **changes}))


def questions(of: Services) -> Item:
    return forecast_rounds(DATASET, [TASK], of)[1]


@pytest.fixture
async def measured(home: Path) -> None:
    """The task with the stand-in in this process and k 20."""
    chosen = services()
    store_dataset(chosen.store(), DATASET, "run-0")
    async with chosen.run_context("run-1", [TASK]) as run:
        assert await measure(run, [TASK], tuple(STAGES), lambda *_: None) == []


@pytest.mark.usefixtures("measured")
def test_another_k_pays_the_answering_model_alone() -> None:
    assert questions(services()).calls == 0
    assert questions(services(retrieval_k=5)).calls == ASKED
    assert questions(services(retrieval="message", tok_k=None)).calls == 3 * ASKED


def test_an_answer_takes_more_tokens_with_more_memories(home: Path) -> None:
    few, many = (questions(services(retrieval_k=k)) for k in (5, 50))
    assert few.calls == many.calls == 2 * ASKED
    assert few.input_tokens < many.input_tokens
    assert few.cost_usd == 0.0


def test_it_is_priced_as_the_answering_model(home: Path) -> None:
    keyed = {"answer_api_key_given": "sk-answers", "answer_model": "gpt-4.1"}
    dear, cheap = (
        questions(services(**{**keyed, "answer_model": model})).cost_usd
        for model in ("gpt-4.1", "gpt-4.1-mini")
    )
    assert dear is not None
    assert cheap is not None
    assert dear > cheap > 0
    unpriced = questions(services(**{**keyed, "answer_model": "llama-of-ours"}))
    assert unpriced.cost_usd is None
