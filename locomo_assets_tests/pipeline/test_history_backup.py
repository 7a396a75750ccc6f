"""The backup as an asset: made, told, and failed in one line where no place is set."""

from pathlib import Path

import dagster as dg
import pytest

from locomo_assets.history.backup.restore import verify
from locomo_assets.history.backup.snapshot import open_backup_storage
from locomo_assets.history.store import HistoryStore
from locomo_assets.pipeline.assets.history import history_backup
from locomo_assets.services import Services
from locomo_assets.settings import read_settings
from locomo_assets_tests.history.factories import commit_answers, lineage


def materialized() -> dg.ExecuteInProcessResult:
    return dg.materialize(
        [history_backup], resources={"services": Services(read_settings())}, raise_on_error=False
    )


def test_makes_a_backup_and_tells_of_it(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCOMO_BACKUP", (home / "backups").as_uri())
    commit_answers(HistoryStore.open((home / "history").as_uri()), lineage("answers"))
    result = materialized()
    assert result.success
    (event,) = result.asset_materializations_for_node("history_backup")
    told = {name: value.value for name, value in event.metadata.items()}
    assert (told["attempts"], told["files"], told["new_files"]) == (1, 4, 4)
    assert verify(open_backup_storage((home / "backups").as_uri())).name == told["backup"]


def test_no_place_is_set(home: Path) -> None:
    result = materialized()
    assert not result.success
    (failure,) = [event for event in result.all_events if event.is_step_failure]
    description = failure.step_failure_data.user_failure_data
    assert description is not None
    assert "LOCOMO_BACKUP" in str(description.description)
