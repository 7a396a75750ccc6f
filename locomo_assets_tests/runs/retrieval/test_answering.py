"""Questions answered from retrieved memories, at a served stand-in: each call is paid once."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Literal

import pytest

from locomo_assets.backboard.answers import AskProtocol, Retrieval
from locomo_assets.backboard.client import BackboardClient
from locomo_assets.completions.answer_request import AnswererError, AnswererIdentity, read_prompt
from locomo_assets.completions.answerer import Answerer
from locomo_assets.history.database import query, refresh
from locomo_assets.history.provenance import Manifest, UnfinishedAttempt
from locomo_assets.history.store import HistoryStore
from locomo_assets.http.calls import CallOptions
from locomo_assets.http.limits import Limits
from locomo_assets.runs.answer import answer_questions
from locomo_assets.runs.context import RunContext, Task, note_call
from locomo_assets.runs.datasets import store_dataset
from locomo_assets.runs.ingest import ingest_conversation
from locomo_assets.runs.judge import judge_answers
from locomo_assets.runs.runner import measure
from locomo_assets.standin.server import BaseUrls, running_standin
from locomo_assets.standin.settings import DEFAULT_KEY, StandinSettings
from locomo_assets_tests.backboard.clients import QUICK
from locomo_assets_tests.judging.scripted import (
    ScriptedServer,
    completion,
    failing,
    model,
    scripted_server,
)
from locomo_assets_tests.runs.contexts import at_bench, cancelled_when
from locomo_assets_tests.runs.fixtures import DATASET

SAMPLE = DATASET.conversations[0]
TASK = Task(release="r1", conversation=SAMPLE.conversation)
ASKED = [question for question in SAMPLE.questions if question.category != 5]
UNDER_WAY = 4
"""As many requests as the limits of `at_answerer` let through at once."""
SEARCH, ANSWER = "POST /assistants/{id}/memories/search", "POST /chat/completions"


@pytest.fixture
def urls(tmp_path: Path) -> Iterator[BaseUrls]:
    settings = StandinSettings(first_chunk_latency_ms=20.0)
    with running_standin(settings, tmp_path / "served.sqlite") as served:
        yield served


@pytest.fixture
def store(tmp_path: Path) -> HistoryStore:
    store = HistoryStore.open((tmp_path / "history").as_uri())
    store_dataset(store, DATASET, "run-0")
    return store


@asynccontextmanager
async def at_answerer(
    store: HistoryStore,
    urls: BaseUrls,
    *,
    k: int = 20,
    path: Literal["search", "message"] = "search",
    openai: str | None = None,
    answer_model: str = "gpt-4.1-mini",
    max_retries: int = 1,
) -> AsyncIterator[RunContext]:
    """A run at the stand-in whose questions are answered at `openai`, else by the stand-in, too."""
    prompt, base_url = read_prompt("plain"), openai or urls.openai
    identity = AnswererIdentity.at(base_url, answer_model, prompt)
    protocol = AskProtocol(
        "retrieval",
        identity.system,
        identity.model,
        retrieval=Retrieval(identity, path, k),
    )
    options = CallOptions(limits=Limits(4), record=note_call)
    async with (
        at_bench(store, urls, "run-1") as run,
        BackboardClient(
            urls.backboard, DEFAULT_KEY, options, retry=replace(QUICK, attempts=8)
        ) as client,
        Answerer.connect(
            identity,
            prompt,
            api_key=DEFAULT_KEY,
            base_url=base_url,
            prices=run.prices,
            options=options,
            max_retries=max_retries,
        ) as answerer,
    ):
        yield replace(run, ask_protocol=protocol, answerer=answerer, client=client)


def calls(store: HistoryStore, *endpoints: str) -> list[int]:
    """Requests of all attempts at the questions, unfinished ones as well."""
    where = ("answers", TASK.release, TASK.conversation)
    attempts: list[Manifest | UnfinishedAttempt] = [
        *store.manifests(*where),
        *store.unfinished(*where),
    ]
    made = Counter(store.read("calls", attempts, ("endpoint",))["endpoint"].to_pylist())
    return [made[endpoint] for endpoint in endpoints]


def assert_retrieved_once(store: HistoryStore) -> None:
    """Nothing that was kept was asked for again: a question has one retrieval."""
    manifests = store.manifests("answers", TASK.release, TASK.conversation)
    rows = store.read("retrievals", manifests).to_pylist()
    pairs = {(row["question_index"], row["retrieval_id"]) for row in rows}
    assert len(pairs) == len(ASKED)


async def test_one_retrieval_serves_every_k_model_and_prompt(
    store: HistoryStore, urls: BaseUrls
) -> None:
    for k, answer_model in ((20, "gpt-4.1-mini"), (5, "gpt-4.1-mini"), (5, "gpt-4.1-nano")):
        async with at_answerer(store, urls, k=k, answer_model=answer_model) as run:
            await ingest_conversation(run, TASK)
            report = await answer_questions(run, TASK)
            assert (report.answered, report.reused) == (len(ASKED), 0)
    assert calls(store, SEARCH, ANSWER) == [len(ASKED), 3 * len(ASKED)]
    manifests = store.manifests("answers", TASK.release, TASK.conversation)
    answers = store.read("answers", manifests).to_pylist()
    retrievals = store.read("retrievals", manifests).to_pylist()
    assert {row["retrieval_id"] for row in answers} == {row["retrieval_id"] for row in retrievals}
    assert max(row["rank"] for row in retrievals) > 20
    seen = store.read("retrieved_memories", manifests).to_pylist()
    for row in answers:
        k = 20 if ", k 20," in row["question_protocol"] else 5
        ranked = [one["rank"] for one in seen if one["answer_id"] == row["answer_id"]]
        assert len(ranked) == row["retrieved"] <= k
        assert row["answer_system"] == row["llm_provider"] == "standin"
        assert row["cost_usd"] == 0.0
        assert 0 < row["memory_tokens"] < row["input_tokens"]
        assert (row["prompt_name"], row["memory_mode"]) == ("plain", "Readonly")


async def test_the_same_again_asks_nothing(store: HistoryStore, urls: BaseUrls) -> None:
    async with at_answerer(store, urls) as run:
        await ingest_conversation(run, TASK)
        await answer_questions(run, TASK)
    before = calls(store, SEARCH, ANSWER)
    async with at_answerer(store, urls) as run:
        report = await answer_questions(run, TASK)
    assert report.reused == len(ASKED)
    assert calls(store, SEARCH, ANSWER) == before


async def test_a_stopped_run_is_gone_on_with(store: HistoryStore, urls: BaseUrls) -> None:
    """Each answer that was saved is kept; what is paid twice is at most what was under way."""
    async with at_answerer(store, urls) as run:
        await ingest_conversation(run, TASK)
        work = asyncio.create_task(answer_questions(run, TASK))
        await cancelled_when(work, run, questions=5)
    async with at_answerer(store, urls) as run:
        report = await answer_questions(run, TASK)
    assert report.answers_of_killed_runs >= 5
    assert report.answered == len(ASKED)
    for made in calls(store, SEARCH, ANSWER):
        assert len(ASKED) <= made <= len(ASKED) + UNDER_WAY
    assert_retrieved_once(store)


async def test_another_k_uses_what_a_stopped_run_retrieved(
    store: HistoryStore, urls: BaseUrls
) -> None:
    async with at_answerer(store, urls) as run:
        await ingest_conversation(run, TASK)
        work = asyncio.create_task(answer_questions(run, TASK))
        await cancelled_when(work, run, questions=5)
    [left] = store.unfinished("answers", TASK.release, TASK.conversation)
    kept = set(store.read("retrievals", [left])["retrieval_id"].to_pylist())
    async with at_answerer(store, urls, k=5) as run:
        await answer_questions(run, TASK)
    [done] = store.manifests("answers", TASK.release, TASK.conversation)
    # Kept with the answers that rest on them, for what is unfinished may be deleted.
    assert kept < set(store.read("retrievals", [done])["retrieval_id"].to_pylist())
    assert calls(store, SEARCH)[0] <= len(ASKED) + UNDER_WAY
    assert_retrieved_once(store)


async def test_by_a_message_each_question_has_a_thread_of_its_own(
    store: HistoryStore, urls: BaseUrls
) -> None:
    async with at_answerer(store, urls, path="message") as run:
        await ingest_conversation(run, TASK)
        report = await answer_questions(run, TASK)
        assert run.ask_protocol.label().startswith("retrieval, by message, k 20, gpt-4.1-mini")
    assert report.answered == len(ASKED)
    made = calls(store, "POST /assistants/{id}/threads", "POST /threads/{id}/messages", SEARCH)
    assert made == [len(ASKED), len(ASKED), 0]


async def test_a_forced_run_retrieves_and_answers_anew(store: HistoryStore, urls: BaseUrls) -> None:
    async with at_answerer(store, urls) as run:
        await ingest_conversation(run, TASK)
        for task in (TASK, replace(TASK, force=True)):
            await answer_questions(run, task)
    assert calls(store, SEARCH, ANSWER) == [2 * len(ASKED)] * 2


async def test_faults_of_the_search_are_ridden_out(store: HistoryStore, tmp_path: Path) -> None:
    settings = StandinSettings(
        rate_limited_share=0.1, server_error_share=0.05, retry_after_s=0, seed=3
    )
    with running_standin(settings, tmp_path / "faulty.sqlite") as urls:
        async with at_answerer(store, urls, max_retries=6) as run:
            await ingest_conversation(run, TASK)
            report = await answer_questions(run, TASK)
    assert report.answered == len(ASKED)
    assert calls(store, SEARCH)[0] > len(ASKED)


@pytest.fixture
def scripted() -> Iterator[ScriptedServer]:
    with scripted_server() as server:
        server.probe = model()
        yield server


async def test_an_answerer_that_fails_leaves_questions_unanswered_and_is_asked_again(
    store: HistoryStore, urls: BaseUrls, scripted: ScriptedServer
) -> None:
    scripted.verdicts = [failing(500)]
    async with at_answerer(store, urls, openai=scripted.base_url) as run:
        await ingest_conversation(run, TASK)
        report = await answer_questions(run, TASK)
        assert (report.answered, report.unanswered) == (0, len(ASKED))
        scripted.verdicts = [completion("In Lisbon.")]
        again = await answer_questions(run, TASK)
    assert again.answered == len(ASKED)
    # The price table's for gpt-4.1-mini: 100 tokens in, 20 out.
    assert again.cost_usd == pytest.approx(len(ASKED) * (100 * 0.4 + 20 * 1.6) / 1e6)
    assert calls(store, SEARCH)[0] == len(ASKED)


async def test_a_refused_key_ends_the_stage_and_names_the_answerer(
    store: HistoryStore, urls: BaseUrls, scripted: ScriptedServer
) -> None:
    scripted.verdicts = [failing(401)]
    async with at_answerer(store, urls, openai=scripted.base_url) as run:
        [failed] = await measure(run, [TASK], ["ingested_memories", "answers"], lambda *_: None)
    assert isinstance(failed.error, AnswererError)
    assert "LOCOMO_ANSWER_API_KEY" in str(failed.error)
    assert len(scripted.bodies) <= 4


async def test_recall_and_accuracy_at_each_k(
    store: HistoryStore, urls: BaseUrls, tmp_path: Path
) -> None:
    for k in (5, 20):
        async with at_answerer(store, urls, k=k) as run:
            await ingest_conversation(run, TASK)
            await answer_questions(run, TASK)
            await judge_answers(run, TASK)
    path = tmp_path / "history.duckdb"
    refresh(store, path)
    columns = "k, questions, evidence_recall, accuracy IS NOT NULL, memory_tokens IS NOT NULL"
    _, rows = query(path, f"SELECT {columns} FROM retrieval_recall ORDER BY k")
    assert [row[0] for row in rows] == [5, 10, 20, 50]
    assert [row[3:] for row in rows] == [(True, True), (False, False), (True, True), (False, False)]
    recalls = [row[2] for row in rows]
    assert recalls == sorted(recalls)
    assert 0 < recalls[0] < recalls[3] <= 1
    assert {row[1] for row in rows} == {sum(len(question.evidence) > 0 for question in ASKED)}
    # As by the answers' own memories, of which the series with k 5 has five.
    _, [(recall,)] = query(
        path,
        "SELECT avg(recall_at_5) FROM answer_scores WHERE question_protocol LIKE '%, k 5,%' "
        "AND category <= 4",
    )
    assert recalls[0] == pytest.approx(recall)
