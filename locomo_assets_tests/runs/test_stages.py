"""Stages beside each other and after each other, on a real stand-in in this process."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from locomo_assets.backboard.remote import list_own
from locomo_assets.history.database import query, refresh
from locomo_assets.history.errors import (
    HistoryUnreachableError,
    LeaseLostError,
    LeaseTakenError,
)
from locomo_assets.history.lease import acquire, leased, wait_for_expiry
from locomo_assets.history.provenance import Manifest
from locomo_assets.history.store import Attempt, HistoryStore
from locomo_assets.judging.judge import JudgeIdentity, Judgement, Verdict
from locomo_assets.judging.lexical import LexicalJudge
from locomo_assets.runs.answer import answer_questions
from locomo_assets.runs.context import Task
from locomo_assets.runs.datasets import store_dataset
from locomo_assets.runs.ingest import ingest_conversation
from locomo_assets.runs.judge import judge_answers
from locomo_assets.runs.runner import judge_canaries
from locomo_assets.runs.stages import AnswerQueue
from locomo_assets.standin.server import BaseUrls, running_standin
from locomo_assets.standin.settings import StandinSettings
from locomo_assets_tests.history.factories import lineage
from locomo_assets_tests.runs.contexts import WIDTH, at_bench, cancelled_when, come_to
from locomo_assets_tests.runs.fixtures import DATASET, Record, assert_told_once

SAMPLE = DATASET.conversations[0]
ORDER = Task(release="r1", conversation=SAMPLE.conversation)
QUESTIONS = sum(q.category != 5 for q in SAMPLE.questions)


@pytest.fixture
def urls(tmp_path: Path) -> Iterator[BaseUrls]:
    slow = StandinSettings(first_chunk_latency_ms=20.0, message_latency_ms=5.0)
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


async def test_two_runs_at_once_ingest_once(
    store: HistoryStore, urls: BaseUrls, record: Record
) -> None:
    async with at_bench(store, urls, "one") as one, at_bench(store, urls, "two") as two:
        first = asyncio.create_task(ingest_conversation(one, ORDER))
        await come_to(one, turns=3)
        with pytest.raises(LeaseTakenError, match=r"run one on .* until .* UTC"):
            await ingest_conversation(two, ORDER)
        report = await first
        assert report.attempt_id is not None
        again = await ingest_conversation(two, ORDER)
        assert (again.attempt_id, again.requests) == (None, 0)
    assert_told_once(record, SAMPLE)


async def test_the_data_set_is_read_once_a_run(
    store: HistoryStore, urls: BaseUrls, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []
    whole = HistoryStore.read

    def reading(self: HistoryStore, table: str, *args: Any) -> pa.Table:
        read.append(table)
        return whole(self, table, *args)

    monkeypatch.setattr(HistoryStore, "read", reading)
    async with at_bench(store, urls, "one") as run:
        for stage in (ingest_conversation, answer_questions, judge_answers):
            await stage(run, ORDER)
    assert read.count("turns") == 1


async def test_stopped_ingestion_goes_on_with_the_same_assistant(
    store: HistoryStore, urls: BaseUrls, record: Record
) -> None:
    for run_id, turns in (("one", 5), ("two", 20)):
        async with at_bench(store, urls, run_id) as run:
            work = asyncio.create_task(ingest_conversation(run, ORDER))
            await cancelled_when(work, run, turns=turns)
    assert len(store.unfinished("ingested_memories", "r1", ORDER.conversation)) == 2
    async with at_bench(store, urls, "three") as run:
        report = await ingest_conversation(run, ORDER)
    assert report.turns_of_killed_runs >= 20
    assert_told_once(record, SAMPLE)
    (manifest,) = store.manifests(asset="ingested_memories")
    assert len(manifest.continued) == 2
    rows = store.read("ingested_turns", [manifest]).to_pylist()
    assert sorted(row["dia_id"] for row in rows) == sorted(t.dia_id for t in SAMPLE.turns)
    assert {row["ingestion_id"] for row in rows} == {manifest.extra["ingestion_id"]}
    events = store.read("ingest_journal", [manifest]).to_pylist()
    assert [row["event"] for row in events].count("begun") == 3
    assert [row["event"] for row in events].count("assistant_created") == 1
    assert store.unfinished("ingested_memories", "r1", ORDER.conversation) == []


async def test_runs_killed_at_their_commit_leave_each_turn_once(
    store: HistoryStore, urls: BaseUrls, record: Record, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = Attempt.commit

    def killed(attempt: Attempt, **extra: Any) -> Manifest:
        if attempt.lineage.run_id != "three":
            raise HistoryUnreachableError("killed here")
        return whole(attempt, **extra)

    monkeypatch.setattr(Attempt, "commit", killed)
    for run_id in ("one", "two"):
        async with at_bench(store, urls, run_id) as run:
            with pytest.raises(HistoryUnreachableError):
                await ingest_conversation(run, ORDER)
    async with at_bench(store, urls, "three") as run:
        await ingest_conversation(run, ORDER)
    assert_told_once(record, SAMPLE)
    (manifest,) = store.manifests(asset="ingested_memories")
    turns = store.read("ingested_turns", [manifest]).to_pylist()
    assert sorted(row["dia_id"] for row in turns) == sorted(t.dia_id for t in SAMPLE.turns)
    assert manifest.rows["ingestions"] == 1
    remembered = [row["memory_id"] for row in store.read("memories", [manifest]).to_pylist()]
    assert len(remembered) == len(set(remembered))


async def test_ingestion_whose_assistant_was_deleted_begins_anew(
    store: HistoryStore, urls: BaseUrls, record: Record
) -> None:
    async with at_bench(store, urls, "one") as run:
        work = asyncio.create_task(ingest_conversation(run, ORDER))
        await cancelled_when(work, run, turns=5)
        (assistant,) = await run.client.list_assistants()
        await run.client.delete_assistant(assistant.assistant_id)
        report = await ingest_conversation(run, ORDER)
    assert report.turns_of_killed_runs == 0
    assert_told_once(record, SAMPLE)


async def test_stopped_asking_repeats_at_most_what_was_in_flight(
    store: HistoryStore, urls: BaseUrls, record: Record
) -> None:
    async with at_bench(store, urls, "one") as run:
        await ingest_conversation(run, ORDER)
        work = asyncio.create_task(answer_questions(run, ORDER))
        await cancelled_when(work, run, questions=6)
    async with at_bench(store, urls, "two") as run:
        report = await answer_questions(run, ORDER)
    assert report.answered == QUESTIONS
    assert report.answers_of_killed_runs >= 6
    assert record.count("user") - len(SAMPLE.turns) <= QUESTIONS + WIDTH
    (manifest,) = store.manifests(asset="answers")
    rows = store.read("answers", [manifest]).to_pylist()
    assert len({row["question_index"] for row in rows}) == len(rows) == QUESTIONS
    assert len([part for part in manifest.data_files if part.table == "answers"]) == 1


async def test_stopped_published_asking_goes_on_in_its_thread(
    store: HistoryStore, urls: BaseUrls, record: Record
) -> None:
    async with at_bench(store, urls, "one", "published") as run:
        await ingest_conversation(run, ORDER)
        work = asyncio.create_task(answer_questions(run, ORDER))
        await cancelled_when(work, run, questions=6)
    async with at_bench(store, urls, "two", "published") as run:
        report = await answer_questions(run, ORDER)
        clones = [
            own
            for own in await list_own(run.client)
            if own.name.endswith(" clone") and own.release == "r1"
        ]
    assert report.answered == QUESTIONS
    assert len(clones) == 1
    (manifest,) = store.manifests(asset="answers")
    rows = store.read("answers", [manifest]).to_pylist()
    assert len({row["thread_id"] for row in rows}) == 1
    assert record.count("user") == len(SAMPLE.turns) + QUESTIONS


class _SlowJudge(LexicalJudge):
    """Gives ten verdicts and is silent about the rest."""

    asked = 0

    async def judge(self, question: str, gold_answer: str, answer: str, category: int) -> Judgement:
        type(self).asked += 1
        if type(self).asked > 10:
            await asyncio.sleep(60)
        return await super().judge(question, gold_answer, answer, category)


async def test_stopped_judging_keeps_its_verdicts(store: HistoryStore, urls: BaseUrls) -> None:
    async with at_bench(store, urls, "one") as run:
        await ingest_conversation(run, ORDER)
        await answer_questions(run, ORDER)
        run.judge = _SlowJudge()
        work = asyncio.create_task(judge_answers(run, ORDER))
        await cancelled_when(work, run, verdicts=10)
    async with at_bench(store, urls, "two") as run:
        report = await judge_answers(run, ORDER)
    assert report.verdicts_of_killed_runs == 10
    rows = store.read("judgements", store.manifests(asset="judgements")).to_pylist()
    assert len({row["question_index"] for row in rows}) == len(rows) == QUESTIONS


async def test_forced_run_does_not_go_on_with_an_ordinary_one(
    store: HistoryStore, urls: BaseUrls
) -> None:
    async with at_bench(store, urls, "one") as run:
        await ingest_conversation(run, ORDER)
        work = asyncio.create_task(answer_questions(run, ORDER))
        await cancelled_when(work, run, questions=6)
    forced = Task(release="r1", conversation=SAMPLE.conversation, force=True)
    async with at_bench(store, urls, "two") as run:
        report = await answer_questions(run, forced)
    assert report.answers_of_killed_runs == 0


async def test_lost_lease_stops_the_work(store: HistoryStore) -> None:
    mine, other = lineage("answers", run_id="mine"), lineage("answers", run_id="other")

    async def work() -> None:
        async with leased(store.storage, mine, ttl_s=0.2):
            (path,) = store.storage.list("leases")
            held = store.storage.get(path)
            # As if this process had slept past its time.
            store.storage.put(path, held.replace(b'"released": false', b'"released": true'))
            acquire(store.storage, other)
            await asyncio.sleep(30)

    with pytest.raises(LeaseLostError, match="run other"):
        await work()


async def test_retry_waits_for_the_lease_of_the_run_that_crashed(store: HistoryStore) -> None:
    crashed, retry = lineage("answers", run_id="crashed"), lineage("answers", run_id="retry")
    # The crash was in another pod, whose processes can't be seen from here.
    lease = acquire(store.storage, crashed, ttl_s=0.3)
    elsewhere = store.storage.get(lease.path).replace(str(lease.holder.machine).encode(), b"pod")
    store.storage.put(lease.path, elsewhere)
    with pytest.raises(LeaseTakenError):
        acquire(store.storage, retry)
    await wait_for_expiry(store.storage, [retry], {"crashed"})
    acquire(store.storage, retry)


async def test_retry_does_not_wait_for_another_run_or_for_ever(store: HistoryStore) -> None:
    acquire(store.storage, lineage("answers", run_id="other"))
    async with asyncio.timeout(30):
        await wait_for_expiry(store.storage, [lineage("answers")], {"crashed"})
    await wait_for_expiry(store.storage, [lineage("answers")], {"other"}, ttl_s=0.1)
    with pytest.raises(LeaseTakenError, match="run other"):
        acquire(store.storage, lineage("answers", run_id="retry"))


class _PaidJudge(LexicalJudge):
    """The lexical rules under a judge's name whose verdicts would be paid for."""

    def __init__(self, parameters: dict[str, object] | None = None) -> None:
        super().__init__()
        self.asked = 0
        self._identity = JudgeIdentity(
            name="paid/generous@1", system="openai", model="paid", parameters=parameters or {}
        )

    @property
    def identity(self) -> JudgeIdentity:
        return self._identity

    async def judge(self, question: str, gold_answer: str, answer: str, category: int) -> Judgement:
        self.asked += 1
        return await super().judge(question, gold_answer, answer, category)


async def _verdicts_paid(store: HistoryStore, urls: BaseUrls, task: Task, judge: _PaidJudge) -> int:
    async with at_bench(store, urls, f"run-{task.release}") as run:
        run.judge = judge
        await ingest_conversation(run, Task(task.release, task.conversation))
        await answer_questions(run, Task(task.release, task.conversation))
        judge.asked = 0
        report = await judge_answers(run, task)
    assert report.verdicts == QUESTIONS
    return judge.asked


async def test_equal_words_are_judged_once_over_releases(
    store: HistoryStore, urls: BaseUrls
) -> None:
    r2 = Task("r2", SAMPLE.conversation)
    paid = await _verdicts_paid(store, urls, ORDER, _PaidJudge())
    assert paid > 0
    # The stand-in answers both releases alike.
    assert await _verdicts_paid(store, urls, r2, _PaidJudge()) == 0
    manifests = store.manifests(asset="judgements", release="r2")
    rows = store.read("judgements", manifests).to_pylist()
    assert len(rows) == QUESTIONS
    assert all(row["reused_from_judgement_id"] for row in rows)
    again = Task("r2", SAMPLE.conversation, force=True)
    assert await _verdicts_paid(store, urls, again, _PaidJudge()) == paid


async def test_a_verdict_that_the_database_tells_of_is_not_paid_for_while_questions_are_asked(
    store: HistoryStore, urls: BaseUrls, tmp_path: Path
) -> None:
    assert await _verdicts_paid(store, urls, ORDER, _PaidJudge()) > 0
    r2, queue, judge = Task("r2", SAMPLE.conversation), AnswerQueue(), _PaidJudge()
    async with at_bench(store, urls, "run-r2") as run:
        run.judge = judge
        run.database_path = refresh(store, tmp_path / "history.duckdb").path
        await ingest_conversation(run, r2)
        async with asyncio.TaskGroup() as group:
            judging = group.create_task(judge_answers(run, r2, queue))
            await answer_questions(run, r2, queue)
            queue.close()
    assert judging.result().verdicts == QUESTIONS
    assert judge.asked == 0
    (first,) = store.manifests(asset="judgements", release="r1")
    rows = store.read("judgements", store.manifests(asset="judgements", release="r2")).to_pylist()
    assert all(row["reused_from_judgement_id"].startswith(first.attempt_id) for row in rows)


async def test_judge_with_other_parameters_is_another_judge(
    store: HistoryStore, urls: BaseUrls
) -> None:
    paid = await _verdicts_paid(store, urls, ORDER, _PaidJudge())
    assert await _verdicts_paid(store, urls, ORDER, _PaidJudge({"temperature": 1.0})) == paid
    assert await _verdicts_paid(store, urls, ORDER, _PaidJudge()) == 0


async def test_canaries_are_judged_once_per_release_and_judge(
    store: HistoryStore, urls: BaseUrls
) -> None:
    async with at_bench(store, urls, "one") as run:
        run.judge = judge = _PaidJudge()
        assert await judge_canaries(run, "r1")
        assert judge.asked == 36
        assert not await judge_canaries(run, "r1")
        assert await judge_canaries(run, "r2")
        assert judge.asked == 72
        run.judge = other = _PaidJudge({"temperature": 1.0})
        assert await judge_canaries(run, "r1")
        assert other.asked == 36
    rows = store.read("canary_verdicts", store.manifests(asset="judge_canaries")).to_pylist()
    assert len(rows) == 3 * 36
    assert {row["verdict"] for row in rows} == {"correct", "wrong"}


async def test_canaries_left_unscored_are_asked_again(
    store: HistoryStore, urls: BaseUrls, tmp_path: Path
) -> None:
    """Of those of a stopped run, too; what is scored is never asked again."""

    class Failing(_PaidJudge):
        good = 0

        async def judge(
            self, question: str, gold_answer: str, answer: str, category: int
        ) -> Judgement:
            found = await super().judge(question, gold_answer, answer, category)
            return found if self.asked <= self.good else replace(found, verdict=Verdict.UNSCORED)

    def rates() -> list[tuple[object, ...]]:
        refresh(store, tmp_path / "history.duckdb")
        sql = "SELECT canaries, unscored FROM canary_rates"
        return query(tmp_path / "history.duckdb", sql)[1]

    async with at_bench(store, urls, "one") as run:
        run.judge = judge = Failing()
        judge.good = 10
        assert await judge_canaries(run, "r1")
        assert (judge.asked, rates()) == (36, [(36, 26)])
        judge.good = 46
        assert await judge_canaries(run, "r1")
        assert (judge.asked, rates()) == (62, [(36, 16)])
        assert await judge_canaries(run, "r1")
        # the last ones were unscored again, and what was scored before counts
        assert (judge.asked, rates()) == (78, [(36, 16)])
        judge.good = 1000
        assert await judge_canaries(run, "r1")
        assert (judge.asked, rates()) == (94, [(36, 0)])
        assert not await judge_canaries(run, "r1")
    assert judge.asked == 94


async def test_stopped_canaries_are_gone_on_with(store: HistoryStore, urls: BaseUrls) -> None:
    async with at_bench(store, urls, "one") as run:
        _SlowJudge.asked = 0
        run.judge = _SlowJudge()
        work = asyncio.create_task(judge_canaries(run, "r1"))
        await asyncio.sleep(2.5)  # past a save
        work.cancel()
        with pytest.raises(asyncio.CancelledError):
            await work
        _SlowJudge.asked = 10
        run.judge = LexicalJudge()
        assert await judge_canaries(run, "r1")
    (manifest,) = store.manifests(asset="judge_canaries")
    rows = store.read("canary_verdicts", [manifest]).to_pylist()
    assert len(rows) == len({row["canary_id"] for row in rows}) == 36
    assert len(manifest.continued) == 1
