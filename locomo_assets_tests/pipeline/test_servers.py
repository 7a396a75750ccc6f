"""The same graph over real sockets: the HTTP client and the OpenAI client against a served
stand-in, healthy and faulty.
"""

from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from locomo_assets.history import database
from locomo_assets.pipeline.launch import Launch, LaunchError, launch, prepare_home
from locomo_assets.services import Services
from locomo_assets.settings import read_settings
from locomo_assets.standin.server import running_standin
from locomo_assets.standin.settings import DEFAULT_KEY, StandinSettings


@pytest.fixture
def served(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    faulty = StandinSettings(rate_limited_share=0.03, server_error_share=0.02, retry_after_s=0)
    with running_standin(faulty, home / "served.sqlite") as urls:
        monkeypatch.setenv("DAGSTER_HOME", str(prepare_home(home)))
        monkeypatch.setenv("BACKBOARD_BASE_URL", urls.backboard)
        monkeypatch.setenv("OPENAI_BASE_URL", urls.openai)
        monkeypatch.setenv("BACKBOARD_API_KEY", DEFAULT_KEY)
        monkeypatch.setenv("OPENAI_API_KEY", DEFAULT_KEY)
        yield


@pytest.mark.usefixtures("served")
def test_real_clients_measure_a_served_standin() -> None:
    place = Services(read_settings())
    launch(Launch(release="r1", conversations=["sample-1"], questions=8), place)
    _, [(rows, judges, systems, named)] = database.query(
        place.settings.database_path,
        "SELECT count(*), count(DISTINCT judge), max(system), min(judge) FROM current_judgements",
    )
    assert (rows, judges, systems) == (8, 1, "standin")
    assert named.startswith("standin:gpt-4.1/generous@")
    _, [(turns, distinct, failed)] = database.query(
        place.settings.database_path,
        "SELECT (SELECT count(*) FROM ingested_turns), "
        "(SELECT count(DISTINCT dia_id) FROM ingested_turns), "
        "(SELECT count(*) FROM calls WHERE status >= 400)",
    )
    assert turns == distinct
    assert failed > 0
    with dg.DagsterInstance.get() as instance:
        event = instance.get_latest_materialization_event(dg.AssetKey("answers"))
    assert event is not None
    assert event.asset_materialization is not None
    told = str(event.asset_materialization.metadata["request_limits"].value)
    assert "| POST /chat/completions | 4 | start |" in told
    assert "| 429 |" in told


@pytest.mark.usefixtures("served")
@pytest.mark.parametrize("name", ["BACKBOARD_API_KEY", "OPENAI_API_KEY"])
def test_refused_key_ends_before_anything_is_paid_for(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, "planted-key")
    place = Services(read_settings())
    with pytest.raises(LaunchError, match=r"(?i)key") as caught:
        launch(Launch(release="r1", questions=1), place)
    assert "planted-key" not in str(caught.value)
    assert "\n" not in str(caught.value)
    assert place.store().manifests(asset="ingested_memories") == []
