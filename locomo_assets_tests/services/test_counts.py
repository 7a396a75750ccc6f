"""What is counted as sent again, and what as an error: a question or verdict that did not come."""

from pathlib import Path

import pytest

from locomo_assets.runs.context import Counts, Task
from locomo_assets.runs.datasets import store_dataset
from locomo_assets.runs.runner import STAGES, measure
from locomo_assets.services import Services
from locomo_assets.settings import read_settings
from locomo_assets.standin.server import running_standin
from locomo_assets.standin.settings import DEFAULT_KEY, StandinSettings
from locomo_assets_tests.runs.fixtures import DATASET

QUESTIONS = 4


async def measured(home: Path, monkeypatch: pytest.MonkeyPatch, faults: StandinSettings) -> Counts:
    """A run of some questions at a served stand-in with faults."""
    with running_standin(faults, home / "served.sqlite") as urls:
        monkeypatch.setenv("BACKBOARD_BASE_URL", urls.backboard)
        monkeypatch.setenv("BACKBOARD_API_KEY", DEFAULT_KEY)
        services = Services(read_settings())
        store_dataset(services.store(), DATASET, "run-0")
        tasks = [Task("r1", DATASET.conversations[0].conversation, questions=QUESTIONS)]
        async with services.run_context("run", tasks) as run:
            await measure(run, tasks, list(STAGES), lambda *_: None)
        return services.progress.counts


async def test_what_went_well_at_last_is_a_retry(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    faults = StandinSettings(rate_limited_share=0.2, retry_after_s=0, seed=3)
    counts = await measured(home, monkeypatch, faults)
    assert (counts.questions, counts.verdicts) == (QUESTIONS, QUESTIONS)
    assert counts.errors == 0
    assert counts.retries > 0


async def test_a_question_without_an_answer_is_an_error(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    counts = await measured(home, monkeypatch, StandinSettings(run_failed_share=1.0))
    assert (counts.questions, counts.errors) == (QUESTIONS, QUESTIONS)
