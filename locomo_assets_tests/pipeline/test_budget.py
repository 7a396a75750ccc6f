"""A cost limit, in real runs: it stops before anything is asked, and a raised one goes on."""

from pathlib import Path

import pytest

from locomo_assets.history import database
from locomo_assets.pipeline.launch import Launch, LaunchError, launch, prepare_home
from locomo_assets.services import Services
from locomo_assets.settings import read_settings
from locomo_assets.standin import middleware

ONE = Launch(release="r1", conversations=["sample-1"], questions=3)


@pytest.fixture
def _costs(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The packaged stand-in under a name that is paid for."""
    monkeypatch.setenv("DAGSTER_HOME", str(prepare_home(home)))
    monkeypatch.setattr(middleware, "SYSTEM", "pretended")


def place() -> Services:
    return Services(read_settings())


@pytest.mark.usefixtures("_costs")
def test_stops_before_and_goes_on_after_it_is_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCOMO_MAX_COST_USD", "0.001")
    with pytest.raises(LaunchError, match=r"of 0\.001 USD are spent.*LOCOMO_MAX_COST_USD"):
        launch(ONE, place())
    assert len(place().store().manifests(asset="ingested_memories")) == 1
    store = place().store()
    left = store.read("answers", store.manifests(asset="answers")).to_pylist()
    # Not asked, and not to be overlooked: the release is not complete without them.
    assert {row["outcome"] for row in left} == {"unanswered"}
    assert all("LOCOMO_MAX_COST_USD" in row["reason"] for row in left)
    monkeypatch.setenv("LOCOMO_MAX_COST_USD", "1")
    launch(ONE, place())
    path = place().settings.database_path
    assert database.query(path, "SELECT count(*) FROM current_answers")[1] == [(3,)]
    assert database.query(path, "SELECT count(*) FROM ingestions")[1] == [(1,)]
    _, [(spent,)] = database.query(path, "SELECT sum(cost_usd) FROM calls")
    assert 0 < spent < 1
    monkeypatch.setenv("LOCOMO_MAX_COST_USD", f"{spent:.6f}")
    launch(ONE, place())
    with pytest.raises(LaunchError, match=f"{spent:.4f} of "):
        launch(Launch(release="r1", conversations=["sample-1"], questions=4), place())


@pytest.mark.usefixtures("_costs")
def test_a_limit_without_a_price_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCOMO_MAX_COST_USD", "1")
    monkeypatch.setenv("LOCOMO_LLM_MODEL", "unheard-of")
    with pytest.raises(LaunchError, match=r"unheard-of has no price.*LOCOMO_PRICES"):
        launch(ONE, place())
    assert place().store().manifests(asset="ingested_memories") == []
