"""The local instance's storage has Dagster's own files, and makes no engine for each use."""

from pathlib import Path

import dagster as dg
import pytest

from locomo_assets.pipeline.launch import local_instance
from locomo_assets.pipeline.storage import LocalStorage
from locomo_assets.pipeline.unexported import DagsterSqliteStorage, DagsterStorage


def _use(storage: DagsterStorage, name: str) -> set[str]:
    """Adds a partition, which asks for a table while its file is in use; all there are."""
    with dg.DagsterInstance.ephemeral() as instance:
        storage.register_instance(instance)
        storage.event_log_storage.add_dynamic_partitions("names", [name])
        return set(storage.event_log_storage.get_dynamic_partitions("names"))


def test_the_files_are_dagsters_own(tmp_path: Path) -> None:
    folder = str(tmp_path)
    assert _use(DagsterSqliteStorage.from_local(folder), "a") == {"a"}
    before = {path.relative_to(folder) for path in tmp_path.rglob("*.db")}
    assert _use(LocalStorage.from_local(folder), "b") == {"a", "b"}
    assert {path.relative_to(folder) for path in tmp_path.rglob("*.db")} == before
    assert _use(DagsterSqliteStorage.from_local(folder), "c") == {"a", "b", "c"}


def test_the_local_instance_has_it(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    with local_instance(home) as instance:
        instance.add_dynamic_partitions("names", ["a"])
        instance.get_runs()
        for module in (
            "dagster._core.storage.event_log.sqlite.sqlite_event_log",
            "dagster._core.storage.runs.sqlite.sqlite_run_storage",
            "locomo_assets.pipeline.storage",
        ):
            monkeypatch.setattr(f"{module}.create_engine", _not_again)
        for _ in range(3):
            assert instance.has_dynamic_partition("names", "a")
            assert instance.get_runs() == []


def _not_again(url: str, **_: object) -> None:
    raise AssertionError(f"another engine for {url}")
