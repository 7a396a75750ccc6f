"""What a report imports and begins with is there once the last request has been answered."""

import gc
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from locomo_assets.reporting import preload
from locomo_assets.reporting.preload import preloading
from locomo_assets.runs.context import Progress

_LATE = """
import json, sys, threading
from locomo_assets import cli
from locomo_assets.history import database
from locomo_assets.pipeline import launch

create_tables, by = database.create_tables, []

def created(connection):
    by.append(threading.current_thread().name)
    create_tables(connection)

database.create_tables = created
measured = launch._measure

def measure(*given):
    failures = measured(*given)
    for thread in threading.enumerate():
        if thread.name == "preload":
            thread.join()
    before.update(sys.modules)
    return failures

before, launch._measure = set(), measure
sys.argv[1:] = ["run", "--release", "r1", "--questions", "2"]
try:
    cli.main()
finally:
    late = {name.partition(".")[0] for name in set(sys.modules) - before}
    print(json.dumps([sorted(late), by]))
"""


@pytest.fixture(autouse=True)
def thawed() -> Iterator[None]:
    yield
    gc.unfreeze()


def test_the_end_of_a_run_imports_no_large_package_and_finds_tables_made(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOCOMO_HOME", str(home))
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    command = [sys.executable, "-c", _LATE]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    late, tables_by = json.loads(done.stdout.splitlines()[-1])
    assert tables_by == ["preload"]
    assert set(late) <= {"PIL", "duckdb", "encodings", "locomo_assets", "rich"}, done.stderr


def test_nothing_is_imported_before_a_turn_nor_after_the_first(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    started: list[str] = []
    monkeypatch.setattr(preload, "import_module", started.append)
    progress = Progress()
    with preloading(progress, tmp_path / "history.duckdb"):
        progress.add(turns_to_do=2, requests=2)
        _wait_for_preload()
        assert not started
        for _ in range(2):
            progress.add(turns=1)
            _wait_for_preload()
        assert started == list(preload.MODULES)
        assert gc.get_freeze_count(), "modules are no garbage to look for while measuring"
    assert not progress.listeners
    assert not list(tmp_path.glob("*.duckdb")) + list(tmp_path.glob(".*.tmp*"))


def test_what_can_not_be_loaded_breaks_nothing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setattr(preload, "MODULES", ("locomo_assets.no_such_module", "graphlib"))
    monkeypatch.delitem(sys.modules, "graphlib", raising=False)
    progress = Progress()
    with preloading(progress, tmp_path / "file" / "history.duckdb"):
        progress.add(turns=1)
        _wait_for_preload()
    assert "graphlib" in sys.modules


def _wait_for_preload() -> None:
    for thread in threading.enumerate():
        if thread.name == "preload":
            thread.join(60)
