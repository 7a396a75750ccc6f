"""Repeats: each question asked and judged anew, of the same memories or of new ones."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from locomo_assets.history.database import query, refresh
from locomo_assets.history.store import HistoryStore
from locomo_assets.judging.judge import JudgeIdentity, Judgement, Verdict
from locomo_assets.runs.answer import answer_questions
from locomo_assets.runs.context import RunContext, Task
from locomo_assets.runs.datasets import store_dataset
from locomo_assets.runs.ingest import ingest_conversation
from locomo_assets.runs.judge import judge_answers
from locomo_assets.runs.stages import times_answered
from locomo_assets.standin.server import BaseUrls, running_standin
from locomo_assets.standin.settings import StandinSettings
from locomo_assets_tests.runs.contexts import at_bench, cancelled_when
from locomo_assets_tests.runs.fixtures import DATASET, Record

SAMPLE = DATASET.conversations[0]
ASKED = 6
ONE = Task("r1", SAMPLE.conversation, questions=ASKED)
STAGES = (ingest_conversation, answer_questions, judge_answers)


@pytest.fixture
def urls(tmp_path: Path) -> Iterator[BaseUrls]:
    slow = StandinSettings(first_chunk_latency_ms=30.0)
    with running_standin(slow, tmp_path / "served.sqlite") as served:
        yield served


@pytest.fixture
def record(tmp_path: Path) -> Record:
    return Record(tmp_path / "served.sqlite")


@pytest.fixture
def store(tmp_path: Path) -> HistoryStore:
    store = HistoryStore.open((tmp_path / "history").as_uri())
    store_dataset(store, DATASET, "run-0")
    return store


async def _measure(run: RunContext, task: Task) -> None:
    for stage in STAGES:
        await stage(run, task)


def _repeats(store: HistoryStore, folder: Path) -> list[tuple[object, ...]]:
    refresh(store, folder / "history.duckdb")
    sql = (
        "SELECT repeat, count(*), count(DISTINCT ingestion_id) FROM repeats "
        "WHERE verdict IN ('correct', 'wrong') GROUP BY repeat ORDER BY repeat"
    )
    return query(folder / "history.duckdb", sql)[1]


async def test_a_repeat_asks_the_same_memories_anew(
    store: HistoryStore, urls: BaseUrls, record: Record, tmp_path: Path
) -> None:
    async with at_bench(store, urls, "one") as run:
        await _measure(run, ONE)
        told = record.count()
        for repeat in (1, 2, 3, 3, 2):
            await _measure(run, replace(ONE, repeat=repeat))
        assert record.count() - told == 2 * ASKED
        _, sha256 = run.conversation(SAMPLE.conversation)
        assert set(times_answered(run, ONE, sha256).values()) == {3}
    assert len(store.manifests(asset="ingested_memories")) == 1
    assert _repeats(store, tmp_path) == [(1, ASKED, 1), (2, ASKED, 1), (3, ASKED, 1)]


async def test_a_killed_repeat_goes_on(
    store: HistoryStore, urls: BaseUrls, record: Record, tmp_path: Path
) -> None:
    second = replace(ONE, repeat=2)
    async with at_bench(store, urls, "one") as run:
        await _measure(run, ONE)
        told = record.count()
    async with at_bench(store, urls, "two") as run:
        work = asyncio.create_task(answer_questions(run, second))
        await cancelled_when(work, run, questions=2)
    async with at_bench(store, urls, "three") as run:
        # What has answers is complete: an ordinary run leaves the repeat alone.
        assert (await answer_questions(run, ONE)).requests == 0
        report = await answer_questions(run, second)
        assert report.answers_of_killed_runs >= 2
        await judge_answers(run, second)
    assert record.count() - told == ASKED
    assert _repeats(store, tmp_path) == [(1, ASKED, 1), (2, ASKED, 1)]


async def test_more_questions_and_repeats_ask_only_what_is_missing(
    store: HistoryStore, urls: BaseUrls, record: Record
) -> None:
    async with at_bench(store, urls, "one") as run:
        for repeat in (1, 2):
            await _measure(run, replace(ONE, questions=2, repeat=repeat))
        told = record.count()
        for repeat in (1, 2):
            await _measure(run, replace(ONE, questions=5, repeat=repeat))
    assert record.count() - told == 2 * 3


async def test_remembering_anew(
    store: HistoryStore, urls: BaseUrls, record: Record, tmp_path: Path
) -> None:
    async with at_bench(store, urls, "one") as run:
        await _measure(run, ONE)
        for repeat in (2, 2, 1):
            await _measure(run, replace(ONE, repeat=repeat, repeat_ingestion=True))
    assert len(record.told(SAMPLE.conversation)) == 2
    assert len(store.manifests(asset="answers")) == 2
    assert _repeats(store, tmp_path) == [(1, ASKED, 1), (2, ASKED, 1)]
    [(memories,)] = query(
        tmp_path / "history.duckdb", "SELECT count(DISTINCT ingestion_id) FROM repeats"
    )[1]
    assert memories == 2


async def test_a_published_repeat_asks_a_fresh_copy(store: HistoryStore, urls: BaseUrls) -> None:
    async with at_bench(store, urls, "one", "published") as run:
        for repeat in (1, 2):
            await _measure(run, replace(ONE, questions=2, repeat=repeat))
    rows = store.read("answers", store.manifests(asset="answers")).to_pylist()
    threads = [row["thread_id"] for row in rows]
    assert len(rows) == 4
    assert sorted(map(threads.count, set(threads))) == [2, 2]


class _CountingJudge:
    identity = JudgeIdentity("counting", "counted", "counted")

    def __init__(self) -> None:
        self.asked = 0

    async def judge(self, question: str, gold_answer: str, answer: str, category: int) -> Judgement:
        self.asked += 1
        return Judgement(Verdict.CORRECT, None, None, 1, 1, 0.0, 1.0)


async def test_a_repeat_is_judged_anew_and_once(store: HistoryStore, urls: BaseUrls) -> None:
    """The stand-in answers alike each time; the judge's noise is only seen if it is asked."""
    judge = _CountingJudge()
    async with at_bench(store, urls, "one") as run:
        run.judge = judge
        for repeat in (1, 2, 2, 3):
            await _measure(run, replace(ONE, repeat=repeat))
            await _measure(run, replace(ONE, repeat=repeat))
    assert judge.asked == 3 * ASKED
