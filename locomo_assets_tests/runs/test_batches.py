"""Verdicts by batches over several runs, at a served stand-in: nothing lost, nothing paid twice."""

import asyncio
import shutil
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from locomo_assets.history.store import HistoryStore
from locomo_assets.http.calls import CallOptions
from locomo_assets.judging import batch as batch_module
from locomo_assets.judging.batch import BatchJudge
from locomo_assets.judging.judge import NO_WORDS, BatchState, VotingJudge
from locomo_assets.judging.llm import LLMJudge
from locomo_assets.runs import judge as judging
from locomo_assets.runs.answer import answer_questions
from locomo_assets.runs.batches import BatchPendingError
from locomo_assets.runs.context import Batching, RunContext, Task, note_call
from locomo_assets.runs.datasets import store_dataset
from locomo_assets.runs.ingest import ingest_conversation
from locomo_assets.runs.judge import judge_answers
from locomo_assets.runs.runner import Failed, summarize_failures
from locomo_assets.runs.stages import JudgementsReport
from locomo_assets.standin.server import running_standin
from locomo_assets.standin.settings import DEFAULT_KEY, StandinSettings
from locomo_assets_tests.runs.contexts import at_bench
from locomo_assets_tests.runs.fixtures import DATASET

SAMPLE = DATASET.conversations[0]
ORDER = Task("r1", SAMPLE.conversation)
FORCED = Task("r1", SAMPLE.conversation, force=True)
QUESTIONS = sum(q.category != 5 for q in SAMPLE.questions)
HOUR_MS = 3_600_000.0


@pytest.fixture(scope="module")
def answered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A history and a stand-in with two releases' answers, to be copied."""
    folder = tmp_path_factory.mktemp("answered")

    async def measure() -> None:
        store = HistoryStore.open((folder / "history").as_uri())
        store_dataset(store, DATASET, "run-0")
        with running_standin(StandinSettings(), folder / "served.sqlite") as urls:
            async with at_bench(store, urls, "run-0") as run:
                run.base_url = "the stand-in's"
                for release in ("r1", "r2"):
                    await ingest_conversation(run, Task(release, ORDER.conversation))
                    await answer_questions(run, Task(release, ORDER.conversation))

    asyncio.run(measure())
    return folder


@dataclass
class Scenario:
    """A copy of it: runs of the judging stage, and what the judge's server has done."""

    folder: Path
    runs: int = 0

    @property
    def store(self) -> HistoryStore:
        return HistoryStore.open((self.folder / "history").as_uri())

    @asynccontextmanager
    async def run(
        self, mode: str = "batch", *, wait_s: float = 0.0, votes: int = 1, **knobs: Any
    ) -> AsyncIterator[RunContext]:
        self.runs += 1
        settings = StandinSettings(**knobs)
        with running_standin(settings, self.folder / "served.sqlite") as urls:
            async with (
                at_bench(self.store, urls, f"run-{self.runs}") as run,
                LLMJudge.connect(
                    api_key=DEFAULT_KEY,
                    base_url=urls.openai,
                    prices=run.prices,
                    options=CallOptions(record=note_call),
                ) as judge,
            ):
                run.base_url = "the stand-in's"
                run.judge = VotingJudge(judge, votes) if votes > 1 else judge
                run.batching = Batching(judge.batches(votes), mode == "batch", wait_s)
                yield run

    async def judged(self, mode: str = "batch", task: Task = ORDER, **how: Any) -> JudgementsReport:
        async with self.run(mode, **how) as run:
            return await judge_answers(run, task)

    async def pending(self, task: Task = ORDER, **how: Any) -> BatchPendingError:
        with pytest.raises(BatchPendingError) as caught:
            await self.judged(task=task, batch_delay_ms=HOUR_MS, **how)
        return caught.value

    def a_day_passes(self) -> None:
        self._sql("UPDATE batches SET ends_at = created_at")

    def batches(self) -> list[int]:
        """The requests of each batch at the server, in order."""
        return [row[0] for row in self._sql("SELECT requests FROM batches ORDER BY seq")]

    def judged_at_server(self) -> int:
        """Requests of batches that were carried out."""
        return sum(row[0] or 0 for row in self._sql("SELECT judged FROM batches"))

    def rows(self, release: str = "r1") -> list[dict[str, Any]]:
        """The verdicts that count, by question."""
        counting: dict[int, dict[str, Any]] = {}
        for manifest in self.store.manifests(asset="judgements", release=release):
            rows = self.store.read("judgements", [manifest]).to_pylist()
            counting |= {row["question_index"]: row for row in rows}
        return [counting[index] for index in sorted(counting)]

    def asked_by(self) -> set[str]:
        """The ways to those that were asked for, and not reused."""
        return {r["asked_by"] for r in self.rows() if r["reused_from_judgement_id"] is None}

    def _sql(self, sql: str) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(self.folder / "served.sqlite", timeout=30)) as db, db:
            return db.execute(sql).fetchall()


@pytest.fixture
def scenario(answered: Path, tmp_path: Path) -> Scenario:
    shutil.copytree(answered, tmp_path / "world")
    return Scenario(tmp_path / "world")


def contents(scenario: Scenario, release: str = "r1", *, said: bool = False) -> int:
    """How many different things there are to judge; `said`: empty answers aside."""
    manifests = scenario.store.manifests(asset="answers", release=release)
    answers = scenario.store.read("answers", manifests).to_pylist()
    gold = {q.question_index: (q.question, q.gold_answer) for q in SAMPLE.questions}
    return len(
        {(*gold[a["question_index"]], a["answer"]) for a in answers if a["answer"] or not said}
    )


async def test_one_batch_a_conversation_and_the_way_stands_in_the_rows(scenario: Scenario) -> None:
    asked = contents(scenario)
    report = await scenario.judged(wait_s=30.0)
    assert report.unscored == 0
    assert scenario.batches() == [asked]
    rows = scenario.rows()
    assert len(rows) == QUESTIONS
    assert {row["verdict"] for row in rows} == {"correct", "wrong"}
    assert scenario.asked_by() == {"batch"}
    assert len({row["batch_id"] for row in rows} - {None}) == 1
    (manifest,) = scenario.store.manifests(asset="judgements")
    events = [row["event"] for row in scenario.store.read("judge_batches", [manifest]).to_pylist()]
    assert events == ["intended", "created", "collected"]


async def test_an_answer_without_words_is_in_no_batch(scenario: Scenario) -> None:
    silent = Task("r3", ORDER.conversation)
    async with scenario.run(wordless_share=0.4, wait_s=30.0) as run:
        await ingest_conversation(run, silent)
        await answer_questions(run, silent)
        await judge_answers(run, silent)
    wordless = [row for row in scenario.rows("r3") if row["reasoning"] == NO_WORDS]
    assert 0 < len(wordless) < QUESTIONS
    for row in wordless:
        assert (row["verdict"], row["batch_id"], row["asked_by"]) == ("wrong", None, None)
    assert scenario.batches() == [contents(scenario, "r3", said=True)]


async def test_verdicts_of_both_ways_are_one_judge_s_and_are_reused(scenario: Scenario) -> None:
    await scenario.judged(wait_s=30.0)
    r2 = Task("r2", ORDER.conversation)
    report = await scenario.judged("direct", r2)
    # The stand-in answers both releases alike.
    assert report.requests == 0
    assert await scenario.judged("direct") == await scenario.judged("batch")
    await scenario.judged("direct", FORCED)
    judges = {(row["judge"], row["judge_parameters_json"]) for row in scenario.rows()}
    assert len(judges) == 1
    assert scenario.asked_by() == {"direct"}
    assert len(scenario.batches()) == 1


async def test_a_pending_batch_is_collected_by_a_later_run(scenario: Scenario) -> None:
    pending = await scenario.pending()
    assert "pending since" in str(pending)
    assert f"0 of {contents(scenario)} requests done" in str(pending)
    assert scenario.store.manifests(asset="judgements") == []
    await scenario.pending()
    scenario.a_day_passes()
    await scenario.judged()
    assert scenario.batches() == [contents(scenario)] == [scenario.judged_at_server()]
    assert len(scenario.rows()) == QUESTIONS
    assert scenario.store.unfinished("judgements", "r1", ORDER.conversation) == []


async def test_a_pending_batch_is_collected_in_direct_mode_too(scenario: Scenario) -> None:
    few = Task("r1", ORDER.conversation, questions=3)
    await scenario.pending(few)
    scenario.a_day_passes()
    await scenario.judged("direct")
    assert scenario.batches() == [3]
    assert [row["asked_by"] for row in scenario.rows()[:4]] == ["batch"] * 3 + ["direct"]


async def test_more_questions_are_a_batch_more(scenario: Scenario) -> None:
    await scenario.pending(Task("r1", ORDER.conversation, questions=3))
    pending = await scenario.pending()
    assert len(pending.pending) == 2
    scenario.a_day_passes()
    await scenario.judged()
    assert scenario.batches() == [3, contents(scenario) - 3]
    assert scenario.judged_at_server() == contents(scenario)


async def test_fewer_questions_lose_nothing_of_a_pending_batch(scenario: Scenario) -> None:
    await scenario.pending()
    scenario.a_day_passes()
    report = await scenario.judged(task=Task("r1", ORDER.conversation, questions=3))
    assert report.verdicts == len(scenario.rows()) == QUESTIONS
    report = await scenario.judged()
    assert (report.attempt_id, report.reused) == (None, QUESTIONS)
    assert scenario.batches() == [contents(scenario)]


class _Killed(BaseException):
    """The end of a process, as far as a test in this one can have it."""


async def test_killed_between_created_and_stored_it_is_found_by_its_name(
    scenario: Scenario, monkeypatch: pytest.MonkeyPatch
) -> None:
    send = BatchJudge.send

    async def sent_and_killed(self: BatchJudge, *how: Any) -> str:
        await send(self, *how)
        raise _Killed

    with monkeypatch.context() as patched:
        patched.setattr(BatchJudge, "send", sent_and_killed)
        with pytest.raises(_Killed):
            await scenario.judged(batch_delay_ms=HOUR_MS)
    await scenario.pending()
    scenario.a_day_passes()
    await scenario.judged()
    assert scenario.batches() == [contents(scenario)] == [scenario.judged_at_server()]


async def test_killed_before_it_was_created_it_is_sent_once(
    scenario: Scenario, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch_module, "_FIND_PAUSES_S", (0.0,))

    async def killed(*_: Any) -> str:
        raise _Killed

    with monkeypatch.context() as patched:
        patched.setattr(BatchJudge, "send", killed)
        with pytest.raises(_Killed):
            await scenario.judged()
    assert scenario.batches() == []
    await scenario.judged("direct")
    assert scenario.batches() == []
    assert len(scenario.rows()) == QUESTIONS


async def test_killed_between_results_and_commit_nothing_is_collected_twice(
    scenario: Scenario, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: Any, **__: Any) -> None:
        raise _Killed

    with monkeypatch.context() as patched:
        patched.setattr(judging, "finish", killed)
        with pytest.raises(_Killed):
            await scenario.judged(wait_s=30.0)
    report = await scenario.judged()
    assert report.requests == 0
    (manifest,) = scenario.store.manifests(asset="judgements")
    calls = scenario.store.read("calls", [manifest]).to_pylist()
    assert sum(call["endpoint"] == "BATCH /chat/completions" for call in calls) == contents(
        scenario
    )
    assert scenario.batches() == [contents(scenario)]


@pytest.mark.parametrize(
    ("fault", "kept"),
    [("batch_failed_share", 0.0), ("batch_expired_share", 0.5), ("batch_request_failed_share", 0)],
)
async def test_what_failed_is_unscored_and_asked_again_alone(
    scenario: Scenario, fault: str, kept: float
) -> None:
    faulty: dict[str, Any] = {fault: 1.0}
    report = await scenario.judged(wait_s=30.0, **faulty)
    whole = contents(scenario)
    done = int(kept * whole)
    assert scenario.judged_at_server() == done
    assert report.unscored
    unscored = [row for row in scenario.rows() if row["verdict"] == "unscored"]
    assert all(row["reason"] for row in unscored)
    await scenario.judged(wait_s=30.0)
    assert scenario.batches() == [whole, whole - done]
    assert scenario.judged_at_server() == whole
    assert {row["verdict"] for row in scenario.rows()} == {"correct", "wrong"}


async def test_forced_verdicts_are_collected_by_an_ordinary_run(scenario: Scenario) -> None:
    await scenario.judged("direct")
    pending = await scenario.pending(FORCED)
    assert "run it again without --force" in str(pending)
    scenario.a_day_passes()
    await scenario.judged("direct")
    assert scenario.asked_by() == {"batch"}
    assert scenario.batches() == [contents(scenario)]


async def test_votes_by_batch(scenario: Scenario) -> None:
    await scenario.judged(wait_s=30.0, votes=3)
    assert scenario.batches() == [3 * contents(scenario)]
    rows = scenario.rows()
    assert {(row["votes"], row["agreement"]) for row in rows} == {(3, 1.0)}
    assert all(row["judge"].endswith(" ×3") for row in rows)
    await scenario.judged("direct", votes=3)
    assert scenario.batches() == [3 * contents(scenario)]


def test_many_pending_batches_are_one_line() -> None:
    failures = [
        Failed(
            Task("r1", f"conv-{n}"),
            "judgements",
            BatchPendingError([BatchState(f"batch_{n}", "in_progress", None, 1, 9)], forced=False),
        )
        for n in range(5)
    ]
    line = summarize_failures(failures)
    assert line.startswith("conv-0, conv-1, conv-2, conv-3, conv-4 at judgements: the judge's")
    assert "batches are pending (batch_0, batch_1, batch_2 and 2 more: 5 of 45 requests" in line
