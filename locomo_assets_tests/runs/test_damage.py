"""Messages that arrive twice, late: noticed, not counted, and measured anew; on a real stand-in."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from locomo_assets.backboard.client import BackboardClient
from locomo_assets.backboard.protocols import ProtocolName
from locomo_assets.history.database import query, refresh
from locomo_assets.history.errors import HistoryUnreachableError
from locomo_assets.history.storage import Storage
from locomo_assets.history.store import HistoryStore
from locomo_assets.http.calls import CallOptions
from locomo_assets.http.limits import Limits
from locomo_assets.runs.context import RunContext, Task, note_call
from locomo_assets.runs.datasets import store_dataset
from locomo_assets.runs.runner import STAGES, Failed, measure
from locomo_assets.runs.stages import StageReport
from locomo_assets.standin.server import BaseUrls, running_standin
from locomo_assets.standin.settings import DEFAULT_KEY, StandinSettings
from locomo_assets_tests.backboard.clients import QUICK
from locomo_assets_tests.backboard.faulty_transport import LATE, LOST, FaultyTransport, Seen
from locomo_assets_tests.runs.contexts import at_bench
from locomo_assets_tests.runs.fixtures import DATASET, Record, turn_texts

CONVERSATION = DATASET.conversations[0]
TASK = Task("r1", CONVERSATION.conversation, questions=4)
TURNS = turn_texts(CONVERSATION)


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "served.sqlite"


@pytest.fixture
def urls(state: Path) -> Iterator[BaseUrls]:
    with running_standin(StandinSettings(), state) as served:
        yield served


@pytest.fixture
def store(tmp_path: Path) -> HistoryStore:
    store = HistoryStore.open((tmp_path / "history").as_uri())
    store_dataset(store, DATASET, "run-0")
    return store


class Service:
    """What somebody else does at the service, without any of our code."""

    def __init__(self, urls: BaseUrls) -> None:
        self._http = httpx.Client(
            base_url=urls.backboard, headers={"X-API-Key": DEFAULT_KEY}, timeout=10
        )

    def threads_with(self, text: str) -> list[str]:
        found = []
        for assistant in self.assistants():
            threads = self._http.get(f"/assistants/{assistant}/threads", params={"limit": 200})
            for thread in threads.json():
                messages = self._http.get(f"/threads/{thread['thread_id']}").json()["messages"]
                if any(one["content"] == text for one in messages):
                    found.append(thread["thread_id"])
        return found

    def assistants(self) -> list[str]:
        return [one["assistant_id"] for one in self._http.get("/assistants").json()]

    def send_again(self, text: str) -> None:
        """As a request does that was taken for lost."""
        [thread] = self.threads_with(text)
        form = {"content": text, "send_to_llm": "false", "memory": "off", "stream": "false"}
        self._http.post(f"/threads/{thread}/messages", data=form).raise_for_status()

    def delete_assistants(self) -> None:
        for assistant in self.assistants():
            self._http.delete(f"/assistants/{assistant}").raise_for_status()

    def close(self) -> None:
        self._http.close()


@pytest.fixture
def service(urls: BaseUrls) -> Iterator[Service]:
    service = Service(urls)
    yield service
    service.close()


@asynccontextmanager
async def faulty_run(
    store: HistoryStore, urls: BaseUrls, protocol: ProtocolName, fault: str | None, at: int = 2
) -> AsyncIterator[tuple[RunContext, FaultyTransport]]:
    """The message with the number `at` (from 0) meets the fault."""
    transport = FaultyTransport(httpx.AsyncHTTPTransport())
    transport.fault = lambda seen: fault if seen.is_message and seen.nth == at else None
    transport.late_s = 1.0

    async def wait_for_what_is_late(number: int) -> None:
        if sum(seen.is_message for seen in transport.requests[: number + 1]) == 5:
            await transport.late_requests()

    transport.before = wait_for_what_is_late
    async with (
        at_bench(store, urls, "run", protocol) as run,
        BackboardClient(
            urls.backboard,
            DEFAULT_KEY,
            CallOptions(limits=Limits(4), record=note_call),
            transport=transport,
            retry=replace(QUICK, quiet_after_overdue_s=0.01),
        ) as client,
    ):
        run.client = client
        yield run, transport
        await transport.late_requests()


async def run_once(
    store: HistoryStore,
    urls: BaseUrls,
    *,
    protocol: ProtocolName = "isolated",
    fault: str | None = None,
    at: int = 2,
    after: str | None = None,
    then: Callable[[], None] = lambda: None,
) -> list[Failed]:
    """Measure; when the report of the asset `after` comes, `then` happens."""

    def on_report(_: Task, report: StageReport) -> None:
        if report.asset == after:
            then()

    async with faulty_run(store, urls, protocol, fault, at) as (run, _):
        return await measure(run, [TASK], list(STAGES), on_report)


def accuracy(store: HistoryStore, folder: Path) -> list[tuple[object, ...]]:
    refresh(store, folder / "read.duckdb")
    sql = "SELECT questions, scored, unanswered FROM accuracy_by_release WHERE judge IS NOT NULL"
    return (
        query(folder / "read.duckdb", sql)[1]
        or query(
            folder / "read.duckdb", "SELECT questions, scored, unanswered FROM accuracy_by_release"
        )[1]
    )


def assert_failed(failures: Sequence[Failed], words: str) -> None:
    [failed] = failures
    assert words in str(failed.error)
    assert "\n" not in str(failed.error)


@pytest.mark.parametrize("after", ["ingested_memories", "judgements"])
async def test_a_turn_that_arrives_twice_makes_the_numbers_invalid_and_the_next_run_ingests_anew(
    *,
    tmp_path: Path,
    store: HistoryStore,
    urls: BaseUrls,
    service: Service,
    caplog: pytest.LogCaptureFixture,
    after: str,
) -> None:
    """Before the answers are committed, and after."""
    failures = await run_once(
        store, urls, fault=LOST, after=after, then=lambda: service.send_again(TURNS[2])
    )
    assert_failed(failures, "holds turn D1:3 a second time")
    assert accuracy(store, tmp_path) == [(4, 0, 4)]
    sql = "SELECT release, conversation, assistant_id, reason FROM damaged_ingestions"
    [(release, conversation, assistant, reason)] = query(tmp_path / "read.duckdb", sql)[1]
    assert (release, conversation) == ("r1", TASK.conversation)
    assert [assistant] == service.assistants()
    assert "D1:3" in reason
    reasons = query(tmp_path / "read.duckdb", "SELECT DISTINCT reason FROM current_answers")[1]
    assert "D1:3" in reasons[0][0]

    with caplog.at_level(logging.WARNING):
        assert await run_once(store, urls) == []
    assert f"assistant {assistant} of an earlier run is not used" in caplog.text
    assert len(service.assistants()) == 2
    assert accuracy(store, tmp_path) == [(4, 4, 0)]


async def test_a_turn_that_arrives_twice_while_it_is_ingested_damages_it_as_well(
    tmp_path: Path, store: HistoryStore, urls: BaseUrls, service: Service
) -> None:
    assert_failed(await run_once(store, urls, fault=LATE), "holds turn D1:3 a second time")
    assert accuracy(store, tmp_path) == [(4, 0, 4)]
    assert await run_once(store, urls) == []
    assert len(service.assistants()) == 2
    assert accuracy(store, tmp_path) == [(4, 4, 0)]


@pytest.mark.parametrize("status", ["FAILED", "cancelled"])
async def test_a_turn_that_failed_at_the_service_is_not_ingested_and_the_next_run_ingests_anew(
    tmp_path: Path, store: HistoryStore, urls: BaseUrls, service: Service, status: str
) -> None:
    def fail_third(seen: Seen, answer: Any) -> Any:
        return {**answer, "status": status} if seen.is_message and seen.nth == 2 else answer

    async with faulty_run(store, urls, "isolated", None) as (run, transport):
        transport.edit = fail_third
        failures = await measure(run, [TASK], list(STAGES), lambda *_: None)
    assert_failed(failures, "turn D1:3 in thread")
    assert store.manifests(asset="ingested_memories") == []
    assert accuracy(store, tmp_path) == [(4, 0, 4)]
    assert await run_once(store, urls) == []
    assert len(service.assistants()) == 2
    assert accuracy(store, tmp_path) == [(4, 4, 0)]


async def test_a_question_that_arrives_twice_is_noticed_and_asked_in_a_new_thread(
    tmp_path: Path, store: HistoryStore, urls: BaseUrls, service: Service
) -> None:
    question = CONVERSATION.questions[1].question
    failures = await run_once(
        store,
        urls,
        protocol="published",
        fault=LOST,
        at=len(TURNS) + 1,
        after="judgements",
        then=lambda: service.send_again(question),
    )
    assert_failed(failures, "holds a question that was not to be asked (again)")
    assert accuracy(store, tmp_path) == [(4, 0, 4)]
    assert await run_once(store, urls, protocol="published") == []
    assert accuracy(store, tmp_path) == [(4, 4, 0)]
    assert len(service.threads_with(question)) == 2
    assert len(store.manifests(asset="ingested_memories")) == 1


async def test_a_turn_that_arrives_after_the_run_is_noticed_by_the_next_one(
    tmp_path: Path, store: HistoryStore, urls: BaseUrls, service: Service
) -> None:
    assert await run_once(store, urls, fault=LOST) == []
    assert await run_once(store, urls) == []
    service.send_again(TURNS[2])
    assert_failed(await run_once(store, urls), "holds turn D1:3 a second time")
    assert accuracy(store, tmp_path) == [(4, 0, 4)]
    assert await run_once(store, urls) == []
    assert accuracy(store, tmp_path) == [(4, 4, 0)]


async def test_where_nothing_was_doubtful_a_run_that_reuses_all_asks_nothing(
    store: HistoryStore, urls: BaseUrls
) -> None:
    protocols: list[ProtocolName] = ["isolated", "published"]
    for protocol in protocols:
        assert await run_once(store, urls, protocol=protocol) == []
        async with faulty_run(store, urls, protocol, None) as (run, _):
            assert await measure(run, [TASK], list(STAGES), lambda *_: None) == []
            assert run.progress.counts.requests == 0


async def test_a_published_question_of_a_stopped_run_is_not_paid_for_again(
    store: HistoryStore, urls: BaseUrls, state: Path
) -> None:
    """The first: no answer of its thread is stored."""
    async with faulty_run(store, urls, "published", None) as (run, transport):
        await measure(run, [TASK], ["ingested_memories"], lambda *_: None)
        work = asyncio.create_task(measure(run, [TASK], ["answers"], lambda *_: None))

        async def stop_once_it_is_answered(number: int) -> None:
            if transport.requests[number].is_message:
                work.cancel()
                await asyncio.sleep(10)

        transport.after = stop_once_it_is_answered
        await asyncio.wait([work])
    asked = Record(state).count("assistant")
    assert await run_once(store, urls, protocol="published") == []
    assert asked < 4
    assert Record(state).count("assistant") == 4


async def test_an_assistant_that_is_deleted_meanwhile_is_no_damage(
    tmp_path: Path, store: HistoryStore, urls: BaseUrls, service: Service
) -> None:
    failures = await run_once(
        store, urls, fault=LOST, after="judgements", then=service.delete_assistants
    )
    assert failures == []
    assert accuracy(store, tmp_path) == [(4, 4, 0)]


class StorageThatKeepsNoAnswers:
    """A storage to which no answer can be saved any more."""

    def __init__(self, inner: Storage) -> None:
        self._inner = inner

    def __getattr__(self, name: str) -> object:
        return getattr(self._inner, name)

    def put(self, path: str, data: bytes) -> None:
        if "/answers/" in path:
            raise HistoryUnreachableError("the history can't be written: no room left")
        self._inner.put(path, data)

    def put_new(self, path: str, data: bytes) -> None:
        self._inner.put_new(path, data)


async def test_answers_that_could_not_be_saved_are_not_paid_for_again(
    tmp_path: Path, store: HistoryStore, urls: BaseUrls, state: Path
) -> None:
    failing = HistoryStore(StorageThatKeepsNoAnswers(store.storage), store.history_id)  # type: ignore[arg-type]  # the rest is passed on
    assert_failed(await run_once(failing, urls), "no room left")
    paid = Record(state).count("assistant")
    assert paid > 0
    assert await run_once(store, urls) == []
    assert Record(state).count("assistant") == 4
    assert accuracy(store, tmp_path) == [(4, 4, 0)]
