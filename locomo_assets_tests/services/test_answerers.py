"""From settings to the answering model: its series' name, its price, what is refused unpaid."""

from dataclasses import replace
from pathlib import Path

import pytest

from locomo_assets.completions.answer_request import AnswererError
from locomo_assets.http.calls import CallOptions
from locomo_assets.http.limits import BudgetReachedError
from locomo_assets.locomo.parsing import read_dataset
from locomo_assets.locomo.sample import packaged_sample
from locomo_assets.prices import PriceTable
from locomo_assets.runs.context import Task
from locomo_assets.runs.datasets import store_dataset
from locomo_assets.services import Services, UnpricedError
from locomo_assets.services.answerers import connected_answerer
from locomo_assets.services.protocols import ask_protocol
from locomo_assets.settings import SettingsError, read_settings

RETRIEVAL = {"question_protocol": "retrieval"}
KEYED = {**RETRIEVAL, "answer_api_key_given": "sk-answers"}


@pytest.mark.parametrize(
    ("changes", "label"),
    [
        ({}, "retrieval, k 20, gpt-4.1-mini"),
        ({"retrieval": "message", "retrieval_k": 5}, "retrieval, by message, k 5, gpt-4.1-mini"),
        ({"answer_model": "gpt-4.1"}, "retrieval, k 20, gpt-4.1"),
        (
            {"answer_api_key_given": "sk-1", "answer_base_url": "http://llm.example/v1"},
            "retrieval, k 20, gpt-4.1-mini, at llm.example",
        ),
        ({"memory": "pro"}, "retrieval, k 20, gpt-4.1-mini, memory pro"),
        ({"llm_model": "gpt-4.1"}, "retrieval, k 20, gpt-4.1-mini, ingested by gpt-4.1"),
        # The service's model is not asked, so that how it thinks is nothing of the series.
        ({"thinking": "low"}, "retrieval, k 20, gpt-4.1-mini"),
    ],
)
def test_what_a_series_is_called(changes: dict[str, object], label: str) -> None:
    assert ask_protocol(read_settings({**RETRIEVAL, **changes})).label() == label


def test_all_that_shapes_an_answer_is_in_its_fingerprint() -> None:
    first = ask_protocol(read_settings(RETRIEVAL)).canonical()
    for changes in ({"retrieval_k": 5}, {"retrieval": "message"}, {"answer_model": "gpt-4.1"}):
        assert ask_protocol(read_settings({**RETRIEVAL, **changes})).canonical() != first
    other = ask_protocol(read_settings({**RETRIEVAL, "llm_model": "gpt-4.1"}))
    assert other.canonical() != first  # by the words for its ingestion
    assert first["llm_model"] == "gpt-4.1-mini"


async def test_without_a_key_the_stand_in_answers_in_this_process(home: Path) -> None:
    async with connected_answerer(
        read_settings(RETRIEVAL), prices=PriceTable.read(), options=CallOptions()
    ) as answerer:
        assert answerer is not None
        given = await answerer.answer(
            "Where does Ann live?", ["[2023-05-08] Ann: I live in Lisbon."]
        )
    assert answerer.system == "standin"
    assert "Lisbon" in str(given.text)
    assert given.cost_usd == 0.0


async def test_where_the_service_answers_there_is_none() -> None:
    async with connected_answerer(
        read_settings(), prices=PriceTable.read(), options=CallOptions()
    ) as answerer:
        assert answerer is None


def test_the_real_service_needs_the_answerers_key() -> None:
    changes = {**RETRIEVAL, "backboard_api_key_given": "bb-1"}
    with pytest.raises(SettingsError, match="LOCOMO_ANSWER_API_KEY is not set"):
        read_settings(changes)


def test_a_prompt_without_its_placeholders_is_refused_before_anything_is_done(
    home: Path, tmp_path: Path
) -> None:
    path = tmp_path / "own.txt"
    path.write_text("Answer {question}")
    services = Services(read_settings({**RETRIEVAL, "answer_prompt": str(path)}))
    with pytest.raises(AnswererError, match=r"lacks \{memories\}"):
        services.check(read_dataset(packaged_sample()))


async def test_a_cost_limit_holds_for_the_answering_model(home: Path) -> None:
    dataset = read_dataset(packaged_sample())
    services = Services(read_settings({**KEYED, "max_cost_usd": 1.0}))
    store_dataset(services.store(), dataset, "run-0")
    tasks = [Task("r1", one.conversation) for one in dataset.conversations]
    await services.check_spending(dataset, tasks)
    tight = replace(services, settings=read_settings({**KEYED, "max_cost_usd": 1e-6}))
    with pytest.raises(BudgetReachedError, match="the next answer may cost"):
        await tight.check_spending(dataset, tasks)
    unknown = {**KEYED, "max_cost_usd": 1.0, "answer_model": "llama-of-ours"}
    unpriced = replace(services, settings=read_settings(unknown))
    with pytest.raises(UnpricedError, match="llama-of-ours has no price"):
        await unpriced.check_spending(dataset, tasks)


def test_its_host_is_a_service_that_runs_share() -> None:
    settings = read_settings({**KEYED, "answer_base_url": "http://llm.example:8000/v1"})
    assert Services(settings)._services() == ["llm.example:8000"]
