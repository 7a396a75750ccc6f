"""Replies without words, on a real stand-in: answers, wrong without a judge, asked once."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from locomo_assets.backboard.protocols import MEMORY_MODES, ProtocolName
from locomo_assets.history.database import query, refresh
from locomo_assets.history.schema import LINEAGE, TABLES
from locomo_assets.history.store import HistoryStore
from locomo_assets.judging.judge import NO_WORDS, Judgement, has_words
from locomo_assets.judging.lexical import LexicalJudge
from locomo_assets.runs.answer import answer_questions
from locomo_assets.runs.context import Task
from locomo_assets.runs.datasets import store_dataset
from locomo_assets.runs.ingest import ingest_conversation
from locomo_assets.runs.runner import STAGES, measure
from locomo_assets.standin.server import BaseUrls, running_standin
from locomo_assets.standin.settings import StandinSettings
from locomo_assets_tests.runs.contexts import at_bench
from locomo_assets_tests.runs.fixtures import DATASET, Record

SAMPLE = DATASET.conversations[0]
QUESTIONS = len(SAMPLE.questions)
TASK = Task("r1", SAMPLE.conversation, adversarial=True)


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "served.sqlite"


@pytest.fixture
def silent(state: Path) -> Iterator[BaseUrls]:
    with running_standin(StandinSettings(wordless_share=1.0), state) as served:
        yield served


@pytest.fixture
def store(tmp_path: Path) -> HistoryStore:
    store = HistoryStore.open((tmp_path / "history").as_uri())
    store_dataset(store, DATASET, "run-0")
    return store


class ReadingJudge(LexicalJudge):
    """Wants something to read, as the canaries are."""

    async def judge(self, question: str, gold_answer: str, answer: str, category: int) -> Judgement:
        assert has_words(answer), question
        return await super().judge(question, gold_answer, answer, category)


async def measured(
    store: HistoryStore, urls: BaseUrls, protocol: ProtocolName = "isolated", task: Task = TASK
) -> int:
    """A whole run, verdicts beside the questions; how many requests it made."""
    async with at_bench(store, urls, "run", protocol) as run:
        run.judge = ReadingJudge()
        reports = []
        failures = await measure(run, [task], list(STAGES), lambda _, one: reports.append(one))
    assert failures == []
    return sum(report.requests for report in reports)


def rows(store: HistoryStore, path: Path, sql: str) -> list[tuple[Any, ...]]:
    refresh(store, path / "database.duckdb")
    return query(path / "database.duckdb", sql)[1]


@pytest.mark.parametrize("protocol", MEMORY_MODES)
async def test_silence_is_wrong_in_every_protocol_and_asked_once(
    store: HistoryStore, silent: BaseUrls, state: Path, tmp_path: Path, protocol: ProtocolName
) -> None:
    assert await measured(store, silent, protocol) > QUESTIONS
    found = rows(
        store,
        tmp_path,
        "SELECT a.outcome, a.answer, a.reason, j.verdict, j.reasoning, j.judge_cost_usd, count(*) "
        "FROM current_answers AS a JOIN current_judgements AS j USING (answer_id) GROUP BY ALL",
    )
    assert found == [("answered", "", None, "wrong", NO_WORDS, 0.0, QUESTIONS)]
    assert rows(
        store, tmp_path, "SELECT category FROM accuracy_by_category WHERE accuracy = 0 ORDER BY 1"
    ) == [(category,) for category in sorted({q.category for q in SAMPLE.questions})]
    asked = Record(state).count()
    assert await measured(store, silent, protocol) == 0
    assert Record(state).count() == asked


async def test_a_sample_s_silence_is_wrong(
    store: HistoryStore, silent: BaseUrls, tmp_path: Path
) -> None:
    await measured(store, silent)
    sample = Task("r1-day", SAMPLE.conversation, sample=frozenset((0, 1)), sample_id="s")
    await measured(store, silent, task=sample)
    found = rows(
        store, tmp_path, "SELECT scored, correct, error_share FROM sample_trend ORDER BY ALL"
    )
    assert found == [(2, 0, 0.0)]


async def test_runs_that_fail_stay_unanswered(
    store: HistoryStore, state: Path, tmp_path: Path
) -> None:
    """A failed run and a cut stream have no words either, and say nothing of the service."""
    failing = StandinSettings(wordless_share=1.0, run_failed_share=1.0)
    with running_standin(failing, state) as urls:
        await measured(store, urls, "published")
    sql = "SELECT DISTINCT a.outcome, j.verdict FROM current_answers AS a JOIN current_judgements "
    assert rows(store, tmp_path, f"{sql} AS j USING (answer_id)") == [("unanswered", "unanswered")]


@pytest.mark.parametrize(("protocol", "asked_again"), [("isolated", 0), ("published", 4)])
async def test_silence_that_an_older_version_stored_as_unanswered_is_an_answer_at_the_next_run(
    store: HistoryStore,
    silent: BaseUrls,
    state: Path,
    protocol: ProtocolName,
    asked_again: int,
) -> None:
    """It is read back from its thread, where it has one of its own: nothing is paid twice."""
    task = Task("r1", SAMPLE.conversation, questions=4)
    async with at_bench(store, silent, "old", protocol) as run:
        await ingest_conversation(run, task)
        await answer_questions(run, task)
    [manifest] = store.manifests(asset="answers")
    as_then = {"outcome": "unanswered", "reason": "the run ended without any text", "answer": None}
    old = store.begin(manifest.lineage)
    columns = set(TABLES["answers"].names) - {name for name, _ in LINEAGE}
    for row in store.read("answers", [manifest], columns).to_pylist():
        old.append("answers", [row | as_then])
    old.commit()
    asked = Record(state).count()

    await measured(store, silent, protocol, task)
    found = rows(
        store,
        state.parent,
        "SELECT a.outcome, a.answer, verdict, count(*) FROM current_answers AS a "
        "JOIN current_judgements USING (answer_id) GROUP BY ALL",
    )
    assert found == [("answered", "", "wrong", 4)]
    assert Record(state).count() - asked == asked_again
