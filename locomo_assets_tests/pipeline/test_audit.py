"""An audit and corrected gold answers in real runs: what the UI is told, what is refused."""

from pathlib import Path

import dagster as dg
import pytest

from locomo_assets.history import database
from locomo_assets.locomo.model import AuditError
from locomo_assets.locomo.parsing import read_dataset
from locomo_assets.locomo.sample import packaged_sample
from locomo_assets.pipeline.launch import Launch, launch, prepare_home
from locomo_assets.services import Services
from locomo_assets.settings import read_settings
from locomo_assets_tests.locomo.factories import write_audit

SAMPLE = read_dataset(packaged_sample())


def measure(release: str) -> dict[str, object]:
    """Two questions of the sample, by today's settings; then what `accuracy_metrics` says."""
    services = Services(read_settings())
    launch(Launch(release=release, conversations=["sample-1"], questions=2), services)
    with dg.DagsterInstance.get() as instance:
        event = instance.get_latest_materialization_event(dg.AssetKey("accuracy_metrics"))
    assert event is not None
    assert event.asset_materialization is not None
    return {name: value.value for name, value in event.asset_materialization.metadata.items()}


def test_three_scores_in_the_ui_and_no_plot_that_mixes_gold_answers(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DAGSTER_HOME", str(prepare_home(home)))
    unfit = write_audit(home / "unfit.json", SAMPLE, {(0, 0): {"question": "Why?"}})
    monkeypatch.setenv("LOCOMO_AUDIT", unfit)
    with pytest.raises(AuditError, match=r"does not fit data set .*its question is 'Why\?'"):
        measure("r1")
    assert Services(read_settings()).store().manifests() == []

    monkeypatch.setenv("LOCOMO_AUDIT", write_audit(home / "audit.json", SAMPLE, {(0, 0): {}}))
    told = measure("r1")
    assert (told["gold"], told["gold_faults"], told["accuracy_ceiling_percent"]) == (
        "published",
        1,
        50.0,
    )
    assert "accuracy_without_gold_faults_percent" in told

    monkeypatch.setenv("LOCOMO_GOLD", "corrected")
    told = measure("r2")
    assert (told["gold"], told["accuracy_ceiling_percent"]) == ("corrected", 100.0)
    assert "gold corrected@" in str(told["judge"])
    assert "accuracy_percent" not in told
    assert "accuracy_corrected_gold_percent" in told
    assert "canaries_right_accepted_percent" in told
    path = Services(read_settings()).settings.database_path
    assert database.query(
        path, "SELECT release, gold, count(*) FROM current_judgements GROUP BY ALL ORDER BY ALL"
    )[1] == [("r1", "published", 2), ("r2", "corrected", 2)]
