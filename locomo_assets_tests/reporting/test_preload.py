"""What a report imports is there by the time that the last request has been answered."""

import json
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from locomo_assets.reporting import preload
from locomo_assets.reporting.preload import preloading
from locomo_assets.runs.context import Progress

_LATE = """
import json, sys, threading
from locomo_assets import cli
from locomo_assets.pipeline import launch

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
    print(json.dumps(sorted({name.partition(".")[0] for name in set(sys.modules) - before})))
"""


def test_the_end_of_a_run_imports_no_large_package(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOCOMO_HOME", str(home))
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    command = [sys.executable, "-c", _LATE]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    late = json.loads(done.stdout.splitlines()[-1])
    assert set(late) <= {"PIL", "duckdb", "encodings", "locomo_assets", "rich"}, done.stderr


def test_nothing_is_imported_before_a_request_nor_after_the_first(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    started: list[str] = []
    monkeypatch.setattr(preload, "import_module", started.append)
    progress = Progress()
    with preloading(progress):
        progress.add(turns_to_do=2)
        assert not started
        for _ in range(2):
            progress.add(requests=1)
            _wait_for_preload()
        assert started == list(preload.MODULES)
    assert not progress.listeners


def test_a_module_that_can_not_be_imported_breaks_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preload, "MODULES", ("locomo_assets.no_such_module", "graphlib"))
    monkeypatch.delitem(sys.modules, "graphlib", raising=False)
    progress = Progress()
    with preloading(progress):
        progress.add(requests=1)
        _wait_for_preload()
    assert "graphlib" in sys.modules


def _wait_for_preload() -> None:
    for thread in threading.enumerate():
        if thread.name == "preload":
            thread.join(60)
