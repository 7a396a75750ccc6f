"""Verdicts begin before the last answer is there, and are neither lost nor asked for twice."""

import asyncio
from collections.abc import Iterator
from contextvars import Context
from dataclasses import replace
from pathlib import Path

import pytest

from locomo_assets.errors import LocomoError
from locomo_assets.history.lease import leased
from locomo_assets.history.store import HistoryStore
from locomo_assets.http.limits import first_failure
from locomo_assets.judging.judge import JudgeError, Judgement, Verdict
from locomo_assets.judging.lexical import LexicalJudge
from locomo_assets.runs import checkpoint, runner
from locomo_assets.runs.answer import answer_questions
from locomo_assets.runs.context import RunContext, Task
from locomo_assets.runs.datasets import store_dataset
from locomo_assets.runs.ingest import ingest_conversation
from locomo_assets.runs.judge import judge_answers
from locomo_assets.runs.runner import STAGES, measure
from locomo_assets.runs.stages import AnswerQueue, JudgementsReport
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


async def answered_and_judged(run: RunContext) -> JudgementsReport:
    queue = AnswerQueue()
    with first_failure():
        async with asyncio.TaskGroup() as group:
            judging = group.create_task(judge_answers(run, ORDER, queue))
            await answer_questions(run, ORDER, queue)
            queue.close()
    return judging.result()


def assert_each_judged_once(store: HistoryStore) -> None:
    (manifest,) = store.manifests(asset="judgements")
    rows = store.read("judgements", [manifest]).to_pylist()
    assert len({row["answer_id"] for row in rows}) == len(rows) == QUESTIONS
    answers = store.read("answers", store.manifests(asset="answers")).to_pylist()
    assert {row["answer_id"] for row in rows} <= {row["answer_id"] for row in answers}


async def test_verdicts_begin_while_questions_are_asked(
    store: HistoryStore, urls: BaseUrls
) -> None:
    async with at_bench(store, urls, "one") as run:
        await ingest_conversation(run, ORDER)
        run.judge = judge = CountingJudge()
        report = await answered_and_judged(run)
    assert report.verdicts_ahead >= QUESTIONS / 2
    assert report.verdicts_of_killed_runs == 0
    assert report.verdicts == QUESTIONS
    assert len(judge.asked) in ASKED
    assert_each_judged_once(store)


async def test_a_reply_without_words_is_wrong_without_a_judge_and_not_asked_again(
    store: HistoryStore, tmp_path: Path
) -> None:
    silent = StandinSettings(wordless_share=1.0)
    judge = CountingJudge()
    with running_standin(silent, tmp_path / "silent.sqlite") as urls:
        async with at_bench(store, urls, "one") as run:
            await ingest_conversation(run, ORDER)
            run.judge = judge
            report = await answered_and_judged(run)
        async with at_bench(store, urls, "two") as run:
            run.judge = judge
            again = await answered_and_judged(run)
    assert judge.asked == []
    assert report.verdicts == again.reused == QUESTIONS
    answers = store.read("answers", store.manifests(asset="answers")).to_pylist()
    assert [(one["outcome"], one["answer"]) for one in answers] == [("answered", "")] * QUESTIONS
    rows = store.read("judgements", store.manifests(asset="judgements")).to_pylist()
    said = {(one["verdict"], one["reasoning"], one["reason"], one["cost_usd"]) for one in rows}
    assert said == {("wrong", "the reply has no words", None, 0.0)}


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
    assert report.verdicts_of_killed_runs == before
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
    assert report.unscored == QUESTIONS
    assert len(judge.asked) in ASKED


async def test_a_judge_that_was_away_for_a_while_judges_the_rest_in_the_same_attempt(
    store: HistoryStore, urls: BaseUrls
) -> None:
    class Away(CountingJudge):
        async def judge(
            self, question: str, gold_answer: str, answer: str, category: int
        ) -> Judgement:
            if len(self.asked) == 3:
                self.asked.append("")
                raise JudgeError("the judge cannot be reached")
            return await super().judge(question, gold_answer, answer, category)

    async with at_bench(store, urls, "one") as run:
        await ingest_conversation(run, ORDER)
        run.judge = Away()
        report = await answered_and_judged(run)
    assert (report.verdicts, report.unscored) == (QUESTIONS, 0)
    # Those that were asked for beside the one that failed are kept, too.
    assert 3 <= report.verdicts_ahead < QUESTIONS
    assert_each_judged_once(store)


async def test_verdicts_on_answers_that_fail_stay_saved_for_the_next_run(
    store: HistoryStore, urls: BaseUrls, monkeypatch: pytest.MonkeyPatch
) -> None:
    judge = CountingJudge()

    async def failing(run: RunContext, task: Task, queue: AnswerQueue) -> None:
        work = asyncio.create_task(answer_questions(run, task, queue))
        await come_to(run, verdicts=5)
        work.cancel()
        await asyncio.wait([work])
        raise LocomoError("the service is away")

    async with at_bench(store, urls, "one") as run:
        await ingest_conversation(run, ORDER)
        # With answers of before, there would be something to commit beside those that fail.
        await answer_questions(run, replace(ORDER, questions=3))
        run.judge = judge
        with monkeypatch.context() as patch:
            patch.setitem(runner.STAGES, "answers", failing)
            (failed,) = await measure(run, [ORDER], list(STAGES), lambda *_: None)
    assert failed.asset == "answers"
    assert store.manifests(asset="judgements") == []
    before = len(judge.asked)
    async with at_bench(store, urls, "two") as run:
        run.judge = judge
        report = await answered_and_judged(run)
    assert report.verdicts_of_killed_runs == before
    assert len(judge.asked) in ASKED
    assert_each_judged_once(store)


async def test_verdicts_wait_for_another_run_that_ends_before_the_answers_do(
    store: HistoryStore, urls: BaseUrls
) -> None:
    async with at_bench(store, urls, "one") as run, at_bench(store, urls, "other") as other:
        await ingest_conversation(run, ORDER)
        async with leased(store.storage, other.lineage("judgements", ORDER, DATASET.sha256)):
            # The run works under its own leases alone.
            work = asyncio.create_task(answered_and_judged(run), context=Context())
            await come_to(run, questions=QUESTIONS // 2)
        report = await work
    assert (report.verdicts, report.verdicts_ahead) == (QUESTIONS, 0)
    assert_each_judged_once(store)
