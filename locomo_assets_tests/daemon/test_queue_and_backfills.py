"""The four backfills that people need, and runs that together keep to a service's limits."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import dagster as dg
import pytest

from locomo_assets.backboard.client import MESSAGES
from locomo_assets.errors import LocomoError
from locomo_assets.history import database, lease
from locomo_assets.judging.prompts import read_prompt
from locomo_assets.pipeline.build import build_defs
from locomo_assets.pipeline.launch import prepare_home
from locomo_assets.pipeline.launcher import registered_process
from locomo_assets.pipeline.partitions import RELEASE
from locomo_assets.runs import runner
from locomo_assets.runs.context import RunContext, Task
from locomo_assets.runs.stages import AnswerQueue, StageReport
from locomo_assets.services import Services
from locomo_assets.settings import read_settings
from locomo_assets.standin.settings import DEFAULT_KEY
from locomo_assets_tests.browser.graphql import MEASURED, Ui, range_tags
from locomo_assets_tests.browser.serving import dagster_ui
from locomo_assets_tests.conftest import REPOSITORY
from locomo_assets_tests.daemon.counting import Counted, counting_standin, small_dataset

pytestmark = pytest.mark.waits

LIMIT = 2
CONVERSATIONS = ("made-0", "made-1", "made-2")


@pytest.fixture
def counted(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Counted]:
    """A counting stand-in, and settings to measure a small data set with it."""
    prompt = home / "prompt.txt"
    prompt.write_text(read_prompt("generous").template)
    for name, value in {
        "DAGSTER_HOME": str(prepare_home(home)),
        "LOCOMO_DATASET": str(small_dataset(home / "made.json")),
        "LOCOMO_JUDGE_PROMPT": str(prompt),
        "LOCOMO_MAX_REQUESTS_IN_FLIGHT": str(LIMIT),
        "LOCOMO_MAX_VERDICTS_IN_FLIGHT": str(LIMIT),
        "LOCOMO_LOG_FORMAT": "json",
        "LOCOMO_LOG_LEVEL": "DEBUG",
    }.items():
        monkeypatch.setenv(name, value)
    with counting_standin(home / "served.sqlite", monkeypatch) as standin:
        yield standin


def test_backfills_and_a_killed_run_keep_to_the_limits_together(
    counted: Counted, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One test, because a UI takes long to start."""
    _measured_before(monkeypatch)
    with dagster_ui(home, home / "ui.log") as url:
        ui = Ui(url)
        _stop_automation(ui)
        counted.holding = True
        killed = ui.measure("killed", CONVERSATIONS)
        with (home / "prompt.txt").open("a") as prompt:
            prompt.write("\nAnother judge, by one more line.\n")
        states = ui.partitions("judgements")
        missing = {key for key in states["failed"] + states["unmaterialized"] if "|r2" in key}
        assert missing == {"made-1|r2", "made-2|r2"}
        measuring = [
            ui.backfill(MEASURED, [f"{one}|r3" for one in CONVERSATIONS], {}),
            ui.backfill(MEASURED, sorted(missing), {}),
            ui.backfill(
                ["judgements"], [f"{one}|{r}" for one in CONVERSATIONS for r in ("r0", "r1")], {}
            ),
        ]
        metrics = ui.backfill(["accuracy_metrics"], ["r0", "r1"], {})

        _until(lambda: counted.under_way["messages"] == LIMIT)
        _until(lambda: all(_run_states(ui, one) == {"QUEUED"} for one in measuring))
        with _command(home, "run", "--release", "by-hand", "--questions", "1") as by_hand:
            _until(lambda: "waiting: 127.0.0.1:" in (home / "by-hand.txt").read_text(), by_hand)
            assert f"run {killed}" in (home / "by-hand.txt").read_text()
            before = counted.begun["messages"]
            with dg.DagsterInstance.get() as instance:
                process = registered_process(instance, killed)
            assert process is not None
            os.kill(lease.pid_of(process), signal.SIGKILL)
            _until(lambda: counted.begun["messages"] == before + LIMIT, by_hand)
            counted.holding = False
            assert by_hand.wait(300) == 0, (home / "by-hand.txt").read_text()
        assert ui.until(killed, "FAILURE", "SUCCESS", seconds=300) == "FAILURE"

        runs = []
        for one in (*measuring, metrics):
            _until(partial(_has_ended, ui, one))
            status, made = ui.backfill_state(one)
            assert (status, {state for _, state in made}) == ("COMPLETED_SUCCESS", {"SUCCESS"})
            runs.append(len(made))
        # A run of one release can't leave out its conversations' other releases.
        assert runs == [1, 1, 2, 2]
    assert dict(counted.most) == {"messages": LIMIT, "verdicts": LIMIT}
    _assert_asked_once_and_judged_anew(Services(read_settings()), home / "read.duckdb")
    _assert_json_lines_without_keys(home / "ui.log", killed)
    _assert_json_lines_without_keys(home / "by-hand.txt")


def _measured_before(monkeypatch: pytest.MonkeyPatch) -> None:
    """r0 and r1 whole; of r2 one conversation measured, one failed, one left out."""
    job = build_defs(read_settings()).resolve_implicit_global_asset_job_def()
    whole = runner.STAGES["answers"]

    async def fails(bench: RunContext, task: Task, *queue: AnswerQueue) -> StageReport:
        if task.conversation == "made-1":
            raise LocomoError("the service lost made-1")
        return await whole(bench, task, *queue)

    with dg.DagsterInstance.get() as instance:

        def run(assets: Sequence[str], tags: dict[str, str]) -> bool:
            keys = [dg.AssetKey(name) for name in assets]
            return job.execute_in_process(
                instance=instance, asset_selection=keys, tags=tags, raise_on_error=False
            ).success

        assert run(["locomo_dataset"], {})
        instance.add_dynamic_partitions(RELEASE, ["r0", "r1", "r2", "r3", "killed"])
        for release in ("r0", "r1"):
            assert run(MEASURED, range_tags(release, CONVERSATIONS))
        with monkeypatch.context() as patch:
            patch.setitem(runner.STAGES, "answers", fails)
            assert not run(MEASURED, range_tags("r2", CONVERSATIONS[:2]))


def _run_states(ui: Ui, backfill_id: str) -> set[str]:
    return {status for _, status in ui.backfill_state(backfill_id)[1]}


def _has_ended(ui: Ui, backfill_id: str) -> bool:
    return ui.backfill_state(backfill_id)[0] not in ("REQUESTED", "COMPLETING")


def _stop_automation(ui: Ui) -> None:
    """So that only what the test asks for is run."""
    where = {
        "repositoryName": "__repository__",
        "repositoryLocationName": "locomo_assets",
        "sensorName": "results_automation",
    }
    found = ui.ask(
        "query ($where: SensorSelector!) { sensorOrError(sensorSelector: $where) {"
        " ... on Sensor { id } } }",
        where=where,
    )["sensorOrError"]
    stopped = ui.ask(
        "mutation ($id: String!) { stopSensor(id: $id) { __typename } }", id=found["id"]
    )
    assert stopped["stopSensor"]["__typename"] == "StopSensorMutationResult"


@contextmanager
def _command(home: Path, *arguments: str) -> "Iterator[subprocess.Popen[bytes]]":
    """A command line of its own process, its log in `by-hand.txt`; killed if it is still there."""
    with (
        (home / "by-hand.txt").open("wb") as log,
        subprocess.Popen(
            [sys.executable, "-m", "locomo_assets.cli", *arguments],
            cwd=REPOSITORY,
            stdout=subprocess.DEVNULL,
            stderr=log,
        ) as process,
    ):
        try:
            yield process
        finally:
            process.kill()


def _until(
    true: Callable[[], bool], process: "subprocess.Popen[bytes] | None" = None, seconds: float = 300
) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it did not come so far in time"
        assert process is None or process.poll() is None, "the process ended before"
        time.sleep(0.1)


def _assert_asked_once_and_judged_anew(services: Services, path: Path) -> None:
    """Nothing of a backfill was paid for twice, and the old releases have a second judge."""
    database.publish(services.store(), path)
    asked = (
        "SELECT a.release, a.conversation, count(*), count(DISTINCT ingestion_id) FROM answers a "
        "WHERE release IN ('r0', 'r1', 'r2', 'r3') AND outcome = 'answered' "
        "GROUP BY ALL ORDER BY ALL"
    )
    assert database.query(path, asked)[1] == [
        (release, conversation, 2, 1)
        for release in ("r0", "r1", "r2", "r3")
        for conversation in CONVERSATIONS
    ]
    judged = (
        "SELECT release, count(*), count(DISTINCT judge) FROM judgements "
        "WHERE release IN ('r0', 'r1', 'r3') GROUP BY ALL ORDER BY ALL"
    )
    assert database.query(path, judged)[1] == [("r0", 12, 2), ("r1", 12, 2), ("r3", 6, 1)]


def _assert_json_lines_without_keys(path: Path, *runs: str) -> None:
    """Of the UI, the daemon, the code server and the runs; or of a command line."""
    text = path.read_text()
    assert DEFAULT_KEY not in text
    # What asyncio, gRPC or DuckDB's binding print past all logging where a process is ended is
    # no JSON; whatever is ours must be.
    ours = [one for one in text.splitlines() if one.startswith("{") or "locomo" in one]
    lines = [json.loads(one) for one in ours]
    sent = [line for line in lines if line.get("body")]
    assert sent
    for line in sent:
        assert line["level"] == "DEBUG"
        assert line["run_id"]
    told = [line for line in lines if line.get("endpoint") == MESSAGES and line.get("status")]
    assert told
    for line in told:
        assert line.keys() >= {"partition", "latency_ms", "attempt", "time", "logger", "message"}
    for run in runs:
        assert any(line.get("run_id") == run for line in lines)
