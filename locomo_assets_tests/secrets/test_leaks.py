"""No key anywhere: whole runs against servers that send keys back, and everything they wrote."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from locomo_assets.history import database
from locomo_assets.reporting.exporter.metrics import Limits
from locomo_assets.reporting.exporter.server import HistoryCollector
from locomo_assets.standin.server import running_standin
from locomo_assets.standin.settings import StandinSettings
from locomo_assets_tests.secrets.echoing import echoing_standin
from locomo_assets_tests.secrets.hostile import hostile_standin
from locomo_assets_tests.secrets.searching import (
    BACKBOARD_KEY,
    OPENAI_KEY,
    PLANTED,
    files_with_a_key,
    holds_a_key,
)

REPOSITORY = Path(__file__).resolve().parents[2]
KEYS = {"BACKBOARD_API_KEY": BACKBOARD_KEY, "OPENAI_API_KEY": OPENAI_KEY}
RUN = ["run", "--release", "r1", "--conversations", "sample-1", "--questions", "8"]


def _driven(
    home: Path, *commands: dict[str, Any], **environment: str
) -> tuple[list[int], subprocess.CompletedProcess[str]]:
    """Exit codes, and the process; its output and logs lie in the home as well."""
    done = subprocess.run(
        [sys.executable, "-m", "locomo_assets_tests.secrets.driver", str(home / "debug.log")],
        input=json.dumps(commands),
        env={
            **os.environ,
            **KEYS,
            "LOCOMO_HOME": str(home),
            "LOCOMO_TRACEBACK": "1",
            "OPENAI_LOG": "debug",
            "PYTHONASYNCIODEBUG": "1",
            **environment,
        },
        capture_output=True,
        text=True,
        check=False,
        cwd=REPOSITORY,
        timeout=300,
    )
    (home / "stdout.txt").write_text(done.stdout)
    (home / "stderr.txt").write_text(done.stderr)
    return json.loads(done.stdout.splitlines()[-1]), done


def test_a_whole_run_with_failures_keeps_no_key(
    home: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    outside = tmp_path_factory.mktemp("server")
    with hostile_standin(outside, "fails", monkeypatch) as (urls, gate):
        at = {"BACKBOARD_BASE_URL": urls.backboard, "OPENAI_BASE_URL": urls.openai}
        codes, done = _driven(
            home,
            {"arguments": RUN, "environment": at},
            {"arguments": ["report"], "environment": {}},
            {"arguments": [*RUN, "--dry-run"], "environment": {}},
        )
    # Questions went unanswered and verdicts unscored, so its numbers are not valid.
    assert codes == [1, 0, 0], done.stderr[-3000:]
    assert "InvalidNumbersError" in done.stderr
    assert {
        "question refused",
        "run failed",
        "POST completions refused",
        "POST completions failed",
        "POST messages failed",
    } <= gate.told.keys()
    assert gate.told.total() >= 14
    counted = "SELECT count(*) FILTER (reason LIKE '%***%'), count(*) FROM {}"
    ((cleaned, rows),) = database.query(
        home / "history" / "history.duckdb", counted.format("answers WHERE outcome = 'unanswered'")
    )[1]
    # What the server said is kept, without the key.
    assert rows >= cleaned >= 1
    assert "x-api-key" not in (home / "debug.log").read_text().lower()
    assert len((home / "debug.log").read_text()) > 100_000
    assert files_with_a_key(home) == []


def test_verdicts_by_a_batch_keep_no_key(
    home: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    outside = tmp_path_factory.mktemp("server")
    with (
        running_standin(StandinSettings(keys=PLANTED), outside / "quiet.sqlite") as quiet,
        hostile_standin(outside, "fails", monkeypatch) as (urls, gate),
    ):
        codes, done = _driven(
            home,
            {"arguments": RUN, "environment": {}},
            BACKBOARD_BASE_URL=quiet.backboard,
            OPENAI_BASE_URL=urls.openai,
            LOCOMO_JUDGE_MODE="batch",
        )
    assert codes == [1], done.stderr[-3000:]
    assert {
        "POST files failed",
        "POST batches failed",
        "GET content failed",
        "batch results",
    } <= gate.told.keys()
    ((cleaned, unscored, verdicts),) = database.query(
        home / "history" / "history.duckdb",
        "SELECT count(*) FILTER (reason LIKE '%***%'), count(*) FILTER (verdict = 'unscored'), "
        "count(*) FROM current_judgements",
    )[1]
    assert cleaned >= 4
    assert unscored == verdicts
    assert files_with_a_key(home) == []


@pytest.mark.parametrize("mode", ["direct", "batch"])
def test_a_run_whose_every_answer_repeats_the_keys_keeps_none(
    mode: str,
    home: Path,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    page = home / "report.html"
    with echoing_standin(tmp_path_factory.mktemp("server"), monkeypatch) as (urls, gate):
        codes, done = _driven(
            home,
            {"arguments": RUN, "environment": {}},
            {"arguments": ["report"], "environment": {}},
            {"arguments": ["report", "--html", str(page)], "environment": {}},
            {"arguments": ["history", "check"], "environment": {}},
            BACKBOARD_BASE_URL=urls.backboard,
            OPENAI_BASE_URL=urls.openai,
            LOCOMO_JUDGE_MODE=mode,
            LOCOMO_LOG_LEVEL="DEBUG",
        )
    assert codes == [0] * 4, done.stderr[-3000:]
    assert {"POST application/json", "POST text/event-stream"} <= gate.told.keys()
    assert page.exists()
    told = {
        "answers": ("answer", "thread_id", "message_id"),
        "retrieved_memories": ("memory",),
        "memories": ("memory",),
        "judgements": ("reasoning",),
        "calls": ("request_id",),
    }
    for table, columns in told.items():
        for column in columns:
            ((cleaned, rows),) = database.query(
                home / "history" / "history.duckdb",
                f"SELECT count(*) FILTER ({column} LIKE '%***%'), count({column}) FROM {table}",
            )[1]
            # Something was hidden in it: the keys did come this way.
            assert cleaned >= 1, (table, column, rows)
    collector = HistoryCollector(home / "history" / "history.duckdb", Limits(85.0, 5.0, 60.0, 2.0))
    collector.update()
    registry = CollectorRegistry()
    registry.register(collector)
    (home / "metrics.txt").write_bytes(generate_latest(registry))
    assert files_with_a_key(home) == []


def test_refused_redirected_and_unsendable_runs_keep_no_key(
    home: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    outside = tmp_path_factory.mktemp("server")
    with (
        hostile_standin(outside, "refuses", monkeypatch) as (refusing, gate),
        hostile_standin(outside, "redirects", monkeypatch) as (redirecting, other),
        hostile_standin(outside, "fails", monkeypatch) as (good, _),
    ):
        places = [
            (refusing.backboard, good.openai),
            (good.backboard, refusing.openai),
            (redirecting.backboard, good.openai),
            (good.backboard, redirecting.openai),
            (f"http://name:{BACKBOARD_KEY}@127.0.0.1:9/api", good.openai),
            (f"{good.backboard}?key={BACKBOARD_KEY}", good.openai),
            (good.backboard, f"http://{OPENAI_KEY}@127.0.0.1:9/v1"),
            (f"http://127.0.0.1:{BACKBOARD_KEY}/api", good.openai),
            (good.backboard, f"http://127.0.0.1:{OPENAI_KEY}/v1"),
        ]
        codes, done = _driven(
            home,
            *(
                {
                    "arguments": [*RUN[:-1], "1"],
                    "environment": {"BACKBOARD_BASE_URL": backboard, "OPENAI_BASE_URL": openai},
                }
                for backboard, openai in places
            ),
        )
        assert gate.told["refused"] >= 2
        assert other.told["redirected"] >= 2
    assert codes == [1] * len(places), done.stderr[-3000:]
    assert files_with_a_key(home) == []
    assert not holds_a_key(done.stdout + done.stderr)
