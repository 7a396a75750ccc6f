"""The forecast: the data set's counts, the price table, and earlier runs where there are any."""

from pathlib import Path

import pytest

from locomo_assets.pipeline.launch import (
    BadRequestError,
    Launch,
    forecast_launch,
    launch,
    prepare_home,
)
from locomo_assets.services import Services
from locomo_assets.settings import read_settings


def test_paid_launch_without_history(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BACKBOARD_API_KEY", "planted-key")
    monkeypatch.setenv("OPENAI_API_KEY", "planted-key")
    wanted = Launch(release="r1", questions=5)
    turns, questions, verdicts = forecast_launch(wanted, Services(read_settings()))
    assert (questions.calls, verdicts.calls) == (20, 10 + 36)  # the canaries, too
    assert questions.cost_usd == pytest.approx(10 * (4000 * 1.25 + 600 * 10) / 1e6)
    assert verdicts.cost_usd == pytest.approx(46 * (500 * 2 + 100 * 8) / 1e6)
    assert turns.cost_usd is None
    assert {turns.source, questions.source, verdicts.source} == {"assumed"}
    monkeypatch.setenv("LOCOMO_LLM_MODEL", "unheard-of")
    assert forecast_launch(wanted, Services(read_settings()))[1].cost_usd is None


def test_verdicts_by_batch_are_forecast_at_half_the_price(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "planted-key")
    monkeypatch.setenv("LOCOMO_JUDGE_MODE", "batch")
    monkeypatch.setenv("LOCOMO_JUDGE_VOTES", "3")
    wanted = Launch(release="r1", questions=5)
    *_, verdicts = forecast_launch(wanted, Services(read_settings()))
    assert verdicts.calls == 3 * (10 + 36)
    assert verdicts.cost_usd == pytest.approx(3 * (10 / 2 + 36) * (500 * 2 + 100 * 8) / 1e6)
    assert verdicts.source == "assumed; 30 by batch, within 24 hours"


def test_what_was_measured_replaces_what_is_assumed(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DAGSTER_HOME", str(prepare_home(home)))
    place = Services(read_settings())
    launch(Launch(release="r1", conversations=["sample-1"], questions=4), place)
    written = place.store().manifests()
    turns, questions, verdicts = forecast_launch(Launch(release="r2"), place)
    assert "measured" in turns.source
    assert questions.source == "measured, 4 answers"
    assert questions.input_tokens > 0
    assert questions.cost_usd == verdicts.cost_usd == 0
    assert place.store().manifests() == written


def test_an_unknown_conversation_is_named(home: Path) -> None:
    with pytest.raises(BadRequestError, match="conv-99"):
        forecast_launch(Launch("r1", conversations=["conv-99"]), Services(read_settings()))
