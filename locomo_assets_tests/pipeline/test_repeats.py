"""`run --repeats N`: what is missing is asked, and forecast."""

from pathlib import Path

import pytest

from locomo_assets.history import database
from locomo_assets.pipeline.launch import (
    BadRequestError,
    Launch,
    forecast_launch,
    launch,
    prepare_home,
)
from locomo_assets.services import Services
from locomo_assets.settings import read_settings

ASKED = 3


@pytest.fixture
def services(home: Path, monkeypatch: pytest.MonkeyPatch) -> Services:
    monkeypatch.setenv("DAGSTER_HOME", str(prepare_home(home)))
    return Services(read_settings())


def _wanted(repeats: int, *, repeat_ingestion: bool = False) -> Launch:
    return Launch(
        "r1",
        conversations=["sample-1"],
        questions=ASKED,
        repeats=repeats,
        repeat_ingestion=repeat_ingestion,
    )


def _repeats(services: Services) -> list[tuple[object, ...]]:
    sql = "SELECT repeat, scored FROM accuracy_by_repeat ORDER BY repeat"
    return database.query(services.settings.database_path, sql)[1]


def _asked_and_ingested(services: Services, wanted: Launch) -> tuple[int, bool]:
    turns, questions, _ = forecast_launch(wanted, services)
    return questions.calls // 2, turns.calls > 0


def test_repeats_are_asked_once_and_forecast(services: Services) -> None:
    assert _asked_and_ingested(services, _wanted(3)) == (3 * ASKED, True)
    launch(_wanted(2), services)
    assert _repeats(services) == [(1, ASKED), (2, ASKED)]
    assert _asked_and_ingested(services, _wanted(2)) == (0, False)
    assert _asked_and_ingested(services, _wanted(3)) == (ASKED, False)
    assert _asked_and_ingested(services, _wanted(3, repeat_ingestion=True)) == (2 * ASKED, True)
    launch(_wanted(3), services)
    assert _repeats(services) == [(1, ASKED), (2, ASKED), (3, ASKED)]


def test_verdicts_of_another_judge_are_forecast(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    launch(_wanted(1), services)
    assert forecast_launch(_wanted(1), services)[2].calls == 0
    monkeypatch.setenv("OPENAI_API_KEY", "planted-key")
    *_, verdicts = forecast_launch(_wanted(1), Services(read_settings()))
    assert verdicts.calls == ASKED + 36  # the canaries


@pytest.mark.parametrize(
    ("wanted", "text"),
    [
        (Launch("r1", repeats=2, force=True), "--force with --repeats"),
        (Launch("r1", repeat_ingestion=True), "say how often"),
    ],
)
def test_options_that_do_not_go_together(services: Services, wanted: Launch, text: str) -> None:
    with pytest.raises(BadRequestError, match=text):
        forecast_launch(wanted, services)


def test_without_memories_there_is_no_ingestion_to_repeat(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOCOMO_QUESTION_PROTOCOL", "no-memory")
    with pytest.raises(BadRequestError, match="no-memory asks without memories"):
        launch(_wanted(2, repeat_ingestion=True), Services(read_settings()))
