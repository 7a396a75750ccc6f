"""The reference protocols through the whole graph: what is skipped, shown, and forecast."""

from pathlib import Path

import dagster as dg
import pytest

from locomo_assets.backboard.protocols import REFERENCE_PROTOCOLS
from locomo_assets.history import database
from locomo_assets.pipeline.launch import Launch, LaunchError, forecast_launch, launch, prepare_home
from locomo_assets.services import Services
from locomo_assets.settings import read_settings
from locomo_assets.standin import middleware

ONE = Launch(release="r1", conversations=["sample-1"], questions=4)


@pytest.fixture
def _home(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DAGSTER_HOME", str(prepare_home(home)))


def place() -> Services:
    return Services(read_settings())


@pytest.mark.usefixtures("_home")
def test_ingestion_is_skipped_and_the_measured_series_stays_the_first(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("LOCOMO_QUESTION_PROTOCOL", "no-memory")
    launch(ONE, place())
    ingested = dg.AssetKey("ingested_memories")
    with dg.DagsterInstance.get() as instance:
        assert instance.get_materialized_partitions(ingested) == set()
        assert instance.get_materialized_partitions(dg.AssetKey("judgements")) == {"sample-1|r1"}
        (seen,) = instance.fetch_observations(ingested, limit=5).records
        assert seen.asset_observation is not None
        assert "no-memory" in str(seen.asset_observation.metadata["skipped"].value)
    monkeypatch.delenv("LOCOMO_QUESTION_PROTOCOL")
    launch(ONE, place())
    monkeypatch.setenv("LOCOMO_QUESTION_PROTOCOL", "full-context")
    launch(ONE, place())
    with dg.DagsterInstance.get() as instance:
        event = instance.get_latest_materialization_event(dg.AssetKey("accuracy_metrics"))
        assert event is not None
        assert event.asset_materialization is not None
        shown = event.asset_materialization.metadata
        assert shown["question_protocol"].value == "isolated"
        assert {"f1_percent", "recall_at_10_percent", "mrr"} <= shown.keys()
    _, rows = database.query(
        place().settings.database_path,
        "SELECT no_memory_questions, full_context_questions, accuracy - no_memory_accuracy, "
        "memory_adds_points FROM reference_lines",
    )
    ((floor, ceiling, added, points),) = rows
    assert (floor, ceiling, 100 * added) == (4, 4, pytest.approx(points))


def test_forecast_knows_what_the_conversation_weighs(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BACKBOARD_API_KEY", "planted-key")
    tokens: dict[str, float] = {}
    for protocol in ("isolated", *REFERENCE_PROTOCOLS):
        monkeypatch.setenv("LOCOMO_QUESTION_PROTOCOL", protocol)
        turns, questions, _ = forecast_launch(ONE, place())
        tokens[protocol] = questions.input_tokens / questions.calls
        assert (turns.calls == 0) == (protocol != "isolated")
        assert (turns.cost_usd == 0) == (protocol != "isolated")
    assert tokens["no-memory"] < tokens["isolated"]
    assert tokens["full-context"] > 10 * tokens["no-memory"]
    assert tokens["no-memory"] < tokens["evidence-only"] < tokens["full-context"]


@pytest.mark.usefixtures("_home")
def test_cost_limit_stops_before_a_message_that_is_too_long(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(middleware, "SYSTEM", "pretended")
    # Enough for a question alone (0.0061 USD), not for one with the conversation (some 0.009).
    monkeypatch.setenv("LOCOMO_MAX_COST_USD", "0.0075")
    monkeypatch.setenv("LOCOMO_QUESTION_PROTOCOL", "full-context")
    with pytest.raises(LaunchError, match="LOCOMO_MAX_COST_USD"):
        launch(ONE, place())
    store = place().store()
    left = store.read("answers", store.manifests(asset="answers")).to_pylist()
    assert {row["outcome"] for row in left} == {"unanswered"}
    monkeypatch.setenv("LOCOMO_QUESTION_PROTOCOL", "no-memory")
    launch(Launch(release="r1", conversations=["sample-1"], questions=1), place())
    rows = store.read("answers", store.manifests(asset="answers")).to_pylist()
    assert [row["outcome"] for row in rows].count("answered") == 1
