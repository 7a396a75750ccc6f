"""A command's log as JSON, at its most talkative, against a server that sends keys back."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from locomo_assets_tests.conftest import REPOSITORY
from locomo_assets_tests.secrets.hostile import hostile_standin
from locomo_assets_tests.secrets.searching import BACKBOARD_KEY, OPENAI_KEY, holds_a_key


def test_each_line_is_json_and_none_holds_a_key(
    home: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    with hostile_standin(tmp_path_factory.mktemp("server"), "fails", monkeypatch) as (urls, gate):
        done = subprocess.run(
            [
                *(sys.executable, "-m", "locomo_assets.cli", "run", "--release", "r1"),
                *("--conversations", "sample-1", "--questions", "8"),
            ],
            env={
                **os.environ,
                "BACKBOARD_API_KEY": BACKBOARD_KEY,
                "OPENAI_API_KEY": OPENAI_KEY,
                "BACKBOARD_BASE_URL": urls.backboard,
                "OPENAI_BASE_URL": urls.openai,
                "LOCOMO_HOME": str(home),
                "LOCOMO_LOG_FORMAT": "json",
                "LOCOMO_LOG_LEVEL": "DEBUG",
            },
            cwd=REPOSITORY,
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )
    assert gate.told.total() >= 14
    assert not holds_a_key(done.stderr + done.stdout)
    lines = [json.loads(line) for line in done.stderr.splitlines()]
    assert lines[-1]["level"] == "ERROR"
    assert lines[-1]["message"].startswith("error: ")
    failed = [line for line in lines if line.get("error")]
    assert {line["service"] for line in failed} == {"backboard", "judge"}
    for line in failed:
        assert line["level"] == "WARNING"
        assert line.keys() >= {"run_id", "endpoint", "latency_ms", "attempt"}
    repeated = [line for line in lines if line.get("attempt", 1) > 1]
    assert repeated
    # What the server repeated is told, without the key.
    assert any("***" in str(line["body"]) for line in lines if "body" in line)
