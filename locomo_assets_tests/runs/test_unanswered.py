"""What a failed conversation leaves, on a real stand-in."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from locomo_assets.history.database import query, refresh
from locomo_assets.history.errors import LeaseLostError
from locomo_assets.history.lease import leased
from locomo_assets.history.store import HistoryStore
from locomo_assets.runs import runner
from locomo_assets.runs.context import RunContext, Task
from locomo_assets.runs.datasets import store_dataset
from locomo_assets.runs.runner import STAGES, measure
from locomo_assets.runs.stages import AnswerQueue, StageReport
from locomo_assets.standin.server import BaseUrls, running_standin
from locomo_assets.standin.settings import StandinSettings
from locomo_assets_tests.runs.contexts import at_bench
from locomo_assets_tests.runs.fixtures import DATASET

FIRST, SECOND = (one.conversation for one in DATASET.conversations)


@pytest.fixture
def urls(tmp_path: Path) -> Iterator[BaseUrls]:
    with running_standin(StandinSettings(), tmp_path / "served.sqlite") as served:
        yield served


class Scenario:
    def __init__(self, folder: Path) -> None:
        self.store = HistoryStore.open((folder / "history").as_uri())
        self._path = folder / "database.duckdb"
        store_dataset(self.store, DATASET, "run-0")

    def accuracy(self) -> list[tuple[Any, ...]]:
        refresh(self.store, self._path)
        return query(
            self._path,
            "SELECT questions, scored, unanswered, error_share FROM accuracy_by_release "
            "WHERE judge IS NOT NULL",
        )[1]

    async def measure(self, urls: BaseUrls, *conversations: str, force: bool = False) -> list[str]:
        """The conversations that failed."""
        tasks = [Task("r1", name, questions=4, force=force) for name in conversations]
        async with at_bench(self.store, urls, "run") as run:
            failures = await measure(run, tasks, list(STAGES), lambda *_: None)
        return [failed.task.conversation for failed in failures]


@pytest.fixture
def scenario(tmp_path: Path) -> Scenario:
    return Scenario(tmp_path)


def _fails_for(
    monkeypatch: pytest.MonkeyPatch,
    asset: str,
    conversation: str,
    error: Exception | None = None,
) -> None:
    stage = STAGES[asset]

    async def failing(run: RunContext, task: Task, *queue: AnswerQueue) -> StageReport:
        if task.conversation == conversation:
            raise error or OSError("no room left on the device")
        return await stage(run, task, *queue)

    monkeypatch.setitem(runner.STAGES, asset, failing)


@pytest.mark.parametrize("asset", ["ingested_memories", "answers"])
async def test_its_questions_count_as_unanswered_until_they_are_asked(
    scenario: Scenario, urls: BaseUrls, monkeypatch: pytest.MonkeyPatch, asset: str
) -> None:
    with monkeypatch.context() as patch:
        _fails_for(patch, asset, SECOND)
        for _ in range(2):  # a second failure adds nothing
            assert await scenario.measure(urls, FIRST, SECOND) == [SECOND]
            assert scenario.accuracy() == [(8, 4, 4, 0.5)]
    assert len(scenario.store.manifests(asset="answers", conversation=SECOND)) == 1
    assert await scenario.measure(urls, FIRST, SECOND) == []
    assert scenario.accuracy() == [(8, 8, 0, 0.0)]


async def test_answers_of_before_go_on_to_count(
    scenario: Scenario, urls: BaseUrls, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert await scenario.measure(urls, FIRST, SECOND) == []
    _fails_for(monkeypatch, "ingested_memories", SECOND)
    assert await scenario.measure(urls, SECOND, force=True) == [SECOND]
    assert scenario.accuracy() == [(8, 8, 0, 0.0)]


async def test_what_another_run_took_over_is_no_failure(
    scenario: Scenario, urls: BaseUrls, monkeypatch: pytest.MonkeyPatch
) -> None:
    _fails_for(monkeypatch, "ingested_memories", SECOND, LeaseLostError("taken over"))
    assert await scenario.measure(urls, FIRST, SECOND) == [SECOND]
    assert scenario.accuracy() == [(4, 4, 0, 0.0)]


async def test_what_another_run_is_at_is_no_failure(scenario: Scenario, urls: BaseUrls) -> None:
    async with at_bench(scenario.store, urls, "other") as other:
        lineage = other.lineage("ingested_memories", Task("r1", SECOND), DATASET.sha256)
        async with leased(scenario.store.storage, lineage):
            assert await scenario.measure(urls, FIRST, SECOND) == [SECOND]
    assert scenario.accuracy() == [(4, 4, 0, 0.0)]
