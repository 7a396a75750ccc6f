"""What a run does once, however often it is shown, and what it never loads: counts, no times."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

_COUNTED = """
import json, sys
from locomo_assets.analysis import comparison
from locomo_assets.history.database import file as database_file
from locomo_assets.pipeline.assets import locomo_dataset
from locomo_assets.reporting import html, report_data

counts = {}

def counted(module, name):
    call = getattr(module, name)
    def counting(*given, **named):
        counts[name] = counts.get(name, 0) + 1
        return call(*given, **named)
    setattr(module, name, counting)

counted(html, "read_report_data")
counted(report_data, "compare")
counted(report_data, "read_drift")
counted(database_file, "connect")
counted(locomo_dataset, "read_dataset")
from locomo_assets.pipeline.launch import Launch, launch
from locomo_assets.services import Services
from locomo_assets.settings import read_settings

counted(Services, "planned_run")
services = Services(read_settings())
launch(Launch(release="r1", questions=4), services)
counts.clear()
dagster = services.settings.home / "dagster"
logs = set()
services.progress.listeners.append(lambda _: logs.update(dagster.rglob("*.db-wal")))
launch(Launch(release="r2", questions=4), services)
print(json.dumps([counts, sorted(sys.modules), len(logs)]))
"""


def test_a_second_release_is_compared_once_and_heavy_packages_stay_away(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOCOMO_HOME", str(home))
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    command = [sys.executable, "-c", _COUNTED]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    counts, modules, logs = json.loads(done.stdout.splitlines()[-1])
    # Drift is on the page, and in the pictures of the trend.
    assert (counts["read_report_data"], counts["compare"], counts["read_drift"]) == (1, 1, 2)
    assert counts["read_dataset"] == 1, "it may be a download"
    assert "planned_run" not in counts, "a single round is the first one"
    assert counts["connect"] <= 8, "each opens the database anew, for 25 ms of processor time"
    assert logs == 3, "of Dagster's databases, which SQLite else writes back at each event"
    assert not {"openai", "scipy.stats", "statsmodels"}.intersection(modules)


_STARTED = """
import asyncio, json, os, sys
from locomo_assets.cli.__main__ import main

def before_the_first_request(*given):
    print(json.dumps(sorted(sys.modules)), file=sys.__stderr__)
    sys.__stderr__.flush()
    os._exit(0)

asyncio.run = before_the_first_request
main()
"""
NEVER_USED = {"pandas", "openai", "aiohttp", "statsmodels"}
USED_LATER = {"matplotlib", "scipy", "jinja2", "locomo_assets.reporting.html"}


def test_a_run_begins_without_what_it_does_not_use_yet(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOCOMO_HOME", str(home))
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    command = [sys.executable, "-c", _STARTED, "run", "--release", "r1"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    modules = json.loads(done.stderr.splitlines()[-1])
    assert not (NEVER_USED | USED_LATER).intersection(modules)
