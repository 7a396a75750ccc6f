"""Verdicts begin before the last answer is there, and are neither lost nor asked for twice."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from locomo_assets.history.store import HistoryStore
from locomo_assets.judging.judge import JudgeError, Judgement, Verdict
from locomo_assets.judging.lexical import LexicalJudge
from locomo_assets.runs import ahead, checkpoint
from locomo_assets.runs.answer import answer_questions
from locomo_assets.runs.context import RunContext, Task
from locomo_assets.runs.datasets import store_dataset
from locomo_assets.runs.ingest import ingest_conversation
from locomo_assets.runs.judge import judge_answers
from locomo_assets.runs.stages import StageReport
from locomo_assets.standin.server import BaseUrls, running_standin
from locomo_assets.standin.settings import StandinSettings
from locomo_assets_tests.runs.contexts import at_bench, come_to
from locomo_assets_tests.runs.fixtures import DATASET

SAMPLE = DATASET.conversations[0]
ORDER = Task(release="r1", conversation=SAMPLE.conversation)
QUESTIONS = len([question for question in SAMPLE.questions if question.category != 5])
# One question stands twice in the sample: its second verdict may be the first one again.
ASKED = (QUESTIONS - 1, QUESTIONS)


@pytest.fixture
def urls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[BaseUrls]:
    monkeypatch.setattr(checkpoint, "SAVED_EVERY_S", 0.01)
    slow = StandinSettings(first_chunk_latency_ms=50.0)
    with running_standin(slow, tmp_path / "standin.sqlite") as served:
        yield served


@pytest.fixture
def store(tmp_path: Path) -> HistoryStore:
    store = HistoryStore.open((tmp_path / "history").as_uri())
    store_dataset(store, DATASET, "run-0")
    return store


class CountingJudge(LexicalJudge):
    """Notes the answers that it is given; may fail, or refuse to give a verdict."""

    def __init__(self, error: JudgeError | None = None, *, unscored: bool = False) -> None:
        super().__init__()
        self.asked: list[str] = []
        self._error = error
        self._unscored = unscored

    async def judge(self, question: str, gold_answer: str, answer: str, category: int) -> Judgement:
        self.asked.append(question)
        if self._error:
            raise self._error
        if self._unscored:
            return Judgement(Verdict.UNSCORED, None, "no verdict", None, None, 0.0, 1.0)
        return await super().judge(question, gold_answer, answer, category)


async def answered_and_judged(run: RunContext) -> StageReport:
    async with ahead.judging_ahead(run, ORDER) as on_saved:
        await answer_questions(run, ORDER, on_saved)
    return await judge_answers(run, ORDER)


def assert_each_judged_once(store: HistoryStore) -> None:
    (manifest,) = store.manifests(asset="judgements")
    rows = store.read("judgements", [manifest]).to_pylist()
    assert len({row["answer_id"] for row in rows}) == len(rows) == QUESTIONS


async def test_verdicts_begin_while_questions_are_asked(
    store: HistoryStore, urls: BaseUrls
) -> None:
    async with at_bench(store, urls, "one") as run:
        await ingest_conversation(run, ORDER)
        run.judge = judge = CountingJudge()
        report = await answered_and_judged(run)
    assert int(str(report.numbers["verdicts_ahead"])) >= QUESTIONS / 2
    assert report.numbers["verdicts_of_killed_runs"] == 0
    assert report.numbers["verdicts"] == QUESTIONS
    assert len(judge.asked) in ASKED
    assert_each_judged_once(store)


async def test_verdicts_of_a_run_that_was_stopped_are_gone_on_with(
    store: HistoryStore, urls: BaseUrls
) -> None:
    judge = CountingJudge()
    async with at_bench(store, urls, "one") as run:
        await ingest_conversation(run, ORDER)
        run.judge = judge
        work = asyncio.create_task(answered_and_judged(run))
        await come_to(run, questions=QUESTIONS // 2)
        work.cancel()
        with pytest.raises(asyncio.CancelledError):
            await work
    before = len(judge.asked)
    assert 0 < before < QUESTIONS
    async with at_bench(store, urls, "two") as run:
        run.judge = judge
        report = await answered_and_judged(run)
    assert int(str(report.numbers["verdicts_of_killed_runs"])) == before
    assert len(judge.asked) in ASKED
    assert_each_judged_once(store)


async def test_a_judge_that_cannot_judge_leaves_the_answers_whole(
    store: HistoryStore, urls: BaseUrls
) -> None:
    async with at_bench(store, urls, "one") as run:
        await ingest_conversation(run, ORDER)
        run.judge = CountingJudge(JudgeError("the judge's key is refused"))
        with pytest.raises(JudgeError, match="key is refused"):
            await answered_and_judged(run)
    (manifest,) = store.manifests(asset="answers")
    assert len(store.read("answers", [manifest]).to_pylist()) == QUESTIONS
    assert store.manifests(asset="judgements") == []


async def test_what_a_judge_gives_no_verdict_on_is_asked_once_a_run(
    store: HistoryStore, urls: BaseUrls
) -> None:
    async with at_bench(store, urls, "one") as run:
        await ingest_conversation(run, ORDER)
        run.judge = judge = CountingJudge(unscored=True)
        report = await answered_and_judged(run)
    assert report.numbers["unscored"] == QUESTIONS
    assert len(judge.asked) in ASKED
