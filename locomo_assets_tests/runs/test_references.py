"""The floor and the ceiling: asked without ingesting, on the stand-in, exactly once."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from locomo_assets.backboard.ask import question_text
from locomo_assets.backboard.messages import with_conversation, with_evidence
from locomo_assets.backboard.protocols import REFERENCE_PROTOCOLS, ProtocolName
from locomo_assets.backboard.remote import list_own
from locomo_assets.history.store import HistoryStore
from locomo_assets.runs.answer import answer_questions
from locomo_assets.runs.context import RunContext, Task
from locomo_assets.runs.datasets import store_dataset
from locomo_assets.runs.ingest import ingest_conversation
from locomo_assets.runs.judge import judge_answers
from locomo_assets.standin.server import BaseUrls, running_standin
from locomo_assets.standin.settings import StandinSettings
from locomo_assets_tests.runs.contexts import WIDTH, at_bench, cancelled_when
from locomo_assets_tests.runs.fixtures import DATASET, Record

SAMPLE = DATASET.conversations[0]
ORDER = Task(release="r1", conversation=SAMPLE.conversation)
ASKED = [question for question in SAMPLE.questions if question.category != 5]


@pytest.fixture
def urls(tmp_path: Path) -> Iterator[BaseUrls]:
    with running_standin(
        StandinSettings(first_chunk_latency_ms=20.0), tmp_path / "served.sqlite"
    ) as served:
        yield served


@pytest.fixture
def store(tmp_path: Path) -> HistoryStore:
    store = HistoryStore.open((tmp_path / "history").as_uri())
    store_dataset(store, DATASET, "run-0")
    return store


async def measured(run: RunContext) -> int:
    """Right answers, after all three stages."""
    for stage in (ingest_conversation, answer_questions):
        await stage(run, ORDER)
    report = await judge_answers(run, ORDER)
    assert report.verdicts == len(ASKED)
    return report.correct


async def test_no_memory_is_below_and_full_context_near_the_measured(
    store: HistoryStore, urls: BaseUrls
) -> None:
    right: dict[str, int] = {}
    names: tuple[ProtocolName, ...] = ("isolated", *REFERENCE_PROTOCOLS)
    for name in names:
        async with at_bench(store, urls, "run-1", name) as run:
            right[name] = await measured(run)
    # The stand-in remembers every turn as it was said, so that reading them anew tells no more.
    assert 3 * right["no-memory"] < right["isolated"] == right["full-context"]
    assert right["full-context"] <= right["evidence-only"]


@pytest.mark.parametrize("protocol", REFERENCE_PROTOCOLS)
async def test_nothing_is_ingested_and_only_the_questions_are_sent(
    store: HistoryStore, urls: BaseUrls, tmp_path: Path, protocol: ProtocolName
) -> None:
    async with at_bench(store, urls, "run-1", protocol) as run:
        skipped = await ingest_conversation(run, ORDER)
        assert (skipped.row_count, skipped.attempt_id) == (0, None)
        assert protocol in str(skipped.skipped)
        await measured(run)
        (told,) = Record(tmp_path / "served.sqlite").told(SAMPLE.conversation)
        (own,) = await list_own(run.client)
    assert own.release == "r1"
    texts = {"full-context": with_conversation(SAMPLE), "evidence-only": with_evidence(SAMPLE)}
    message = texts.get(protocol, question_text)
    sent = [message(question) for question in ASKED]
    assert sorted(told) == sorted(sent)
    assert store.manifests(asset="ingested_memories") == []
    rows = store.read("answers", store.manifests(asset="answers")).to_pylist()
    assert {row["ingestion_id"] for row in rows} == {None}
    assert {row["memory_mode"] for row in rows} == {"off"}
    assert {row["retrieved"] for row in rows} == {0}
    assert {row["question"] for row in rows} == {question.question for question in ASKED}
    verdicts = store.read("judgements", store.manifests(asset="judgements")).to_pylist()
    assert {row["answer_id"] for row in verdicts} == {row["answer_id"] for row in rows}


async def test_a_stopped_one_goes_on_with_its_assistant_and_is_not_asked_again(
    store: HistoryStore, urls: BaseUrls, tmp_path: Path
) -> None:
    record = Record(tmp_path / "served.sqlite")
    async with at_bench(store, urls, "run-1", "full-context") as run:
        work = asyncio.create_task(answer_questions(run, ORDER))
        await cancelled_when(work, run, questions=6)
    async with at_bench(store, urls, "run-1", "full-context") as run:
        report = await answer_questions(run, ORDER)
        assert report.answers_of_killed_runs >= 6
        assert report.answered == len(ASKED)
        assert len(record.told(SAMPLE.conversation)) == 1
        asked = record.count("user")
        assert asked <= len(ASKED) + WIDTH
        again = await answer_questions(run, ORDER)
        assert (again.attempt_id, again.requests) == (None, 0)
        assert record.count("user") == asked


async def test_releases_and_protocols_have_answers_of_their_own(
    store: HistoryStore, urls: BaseUrls, tmp_path: Path
) -> None:
    other = Task(release="r2", conversation=SAMPLE.conversation, questions=2)
    protocols: tuple[ProtocolName, ...] = ("no-memory", "full-context")
    for protocol in protocols:
        async with at_bench(store, urls, "run-1", protocol) as run:
            for task in (Task("r1", SAMPLE.conversation, questions=2), other):
                report = await answer_questions(run, task)
                assert report.answered == 2
    assert [len(told) for told in Record(tmp_path / "served.sqlite").told(SAMPLE.conversation)] == [
        2, 2, 2, 2,
    ]  # fmt: skip
