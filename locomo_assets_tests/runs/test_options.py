"""The service's options through ingestion and questions, on the stand-in over a socket."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from locomo_assets.backboard.answers import AskProtocol
from locomo_assets.backboard.ingest import IngestProtocol
from locomo_assets.backboard.options import ServiceOptions
from locomo_assets.history.database import query, refresh
from locomo_assets.history.store import HistoryStore
from locomo_assets.runs.answer import answer_questions
from locomo_assets.runs.context import RunContext, Task
from locomo_assets.runs.datasets import store_dataset
from locomo_assets.runs.ingest import ingest_conversation
from locomo_assets.runs.judge import judge_answers
from locomo_assets.standin.server import BaseUrls, running_standin
from locomo_assets.standin.settings import StandinSettings
from locomo_assets_tests.runs.contexts import at_bench
from locomo_assets_tests.runs.fixtures import DATASET, Record

SAMPLE = DATASET.conversations[0]
TASK = Task(release="r1", conversation=SAMPLE.conversation)
ASKED = [question for question in SAMPLE.questions if question.category != 5]
OPTIONS = ServiceOptions(
    memory="pro",
    thinking="low",
    embedding_provider="openai",
    embedding_model="text-embedding-3-large",
    embedding_dims=3072,
    tok_k=3,
    extraction_prompt="Extract each fact.",
    update_prompt="Keep the newest fact.",
    system_prompt="You remember.",
    openrouter='{"order": ["google"]}',
)


@pytest.fixture
def urls(tmp_path: Path) -> Iterator[BaseUrls]:
    with running_standin(StandinSettings(), tmp_path / "served.sqlite") as served:
        yield served


@pytest.fixture
def store(tmp_path: Path) -> HistoryStore:
    store = HistoryStore.open((tmp_path / "history").as_uri())
    store_dataset(store, DATASET, "run-0")
    return store


async def measure(store: HistoryStore, urls: BaseUrls, options: ServiceOptions) -> RunContext:
    async with at_bench(store, urls, "run-1") as bare:
        run = replace(
            bare,
            ingest_protocol=IngestProtocol(memory_wait="conversation", options=options),
            ask_protocol=AskProtocol(options=options),
        )
        await ingest_conversation(run, TASK)
        await answer_questions(run, TASK)
        await judge_answers(run, TASK)
        return run


async def test_a_configuration_is_a_series_of_its_own_under_the_same_release(
    store: HistoryStore, urls: BaseUrls, tmp_path: Path
) -> None:
    for options in (ServiceOptions(), OPTIONS):
        await measure(store, urls, options)
    path = refresh(store, tmp_path / "history.duckdb").path
    series = query(
        path,
        "SELECT question_protocol, questions, scored FROM accuracy_by_release "
        "ORDER BY question_protocol",
    )[1]
    label = AskProtocol(options=OPTIONS).label()
    assert series == [("isolated", len(ASKED), len(ASKED)), (label, len(ASKED), len(ASKED))]
    stored = query(
        path, "SELECT question_protocol, max(retrieved), any_value(options_json) "
        "FROM current_answers GROUP BY ALL ORDER BY 1"
    )[1]  # fmt: skip
    assert [row[1] for row in stored] == [10, 3]
    assert stored[0][2] is None
    told = json.loads(stored[1][2])
    assert (told["memory"], told["tok_k"], told["thinking"]) == ("pro", 3, "low")
    kept = query(path, "SELECT options_json FROM ingestions ORDER BY started_at")[1]
    assert kept[0] == (None,)
    assert told.items() >= json.loads(kept[1][0]).items()


async def test_the_service_is_told_each_option(
    store: HistoryStore, urls: BaseUrls, tmp_path: Path
) -> None:
    await measure(store, urls, OPTIONS)
    [fields] = Record(tmp_path / "served.sqlite").assistant_fields()
    assert fields.items() >= OPTIONS.assistant_fields().items()


async def test_what_shapes_the_answer_alone_is_asked_of_the_same_memories(
    store: HistoryStore, urls: BaseUrls, tmp_path: Path
) -> None:
    record = Record(tmp_path / "served.sqlite")
    await measure(store, urls, ServiceOptions())
    sent = record.count("user")
    await measure(store, urls, ServiceOptions(thinking="high"))
    assert record.count("user") == sent + len(ASKED)
    assert len(record.told(SAMPLE.conversation)) == 1
    await measure(store, urls, ServiceOptions())
    assert record.count("user") == sent + len(ASKED)
