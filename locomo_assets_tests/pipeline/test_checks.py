"""Asset checks and metadata in real runs: what is recorded, what is stopped, what is marked."""

import functools
import itertools
import sqlite3
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import dagster as dg
import pytest

from locomo_assets.analysis import checks
from locomo_assets.analysis.accuracy import by_release
from locomo_assets.backboard import ask
from locomo_assets.history import database
from locomo_assets.locomo.model import DatasetError
from locomo_assets.locomo.parsing import read_dataset
from locomo_assets.locomo.sample import packaged_sample
from locomo_assets.pipeline.build import build_defs
from locomo_assets.pipeline.launch import Launch, LaunchError, launch, prepare_home
from locomo_assets.runs.context import Counts
from locomo_assets.services import Services
from locomo_assets.settings import read_settings
from locomo_assets.standin import payloads, retrieval, server
from locomo_assets.standin.records import Message
from locomo_assets.standin.settings import StandinSettings
from locomo_assets_tests.cli.shell.running import Commands

SAMPLE = read_dataset(packaged_sample())
TURNS = {one.conversation: len(one.turns) for one in SAMPLE.conversations}


@pytest.fixture
def services(home: Path, monkeypatch: pytest.MonkeyPatch) -> Services:
    monkeypatch.setenv("DAGSTER_HOME", str(prepare_home(home)))
    return Services(read_settings())


@pytest.fixture(autouse=True)
def no_late_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    """A run of the stand-in that has failed gives no answer later either."""
    monkeypatch.setattr(ask, "_RUN_S", 1.0)


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Commands:
    """The command line, over the same home."""
    return Commands(monkeypatch, capsys)


def faulty(monkeypatch: pytest.MonkeyPatch, settings: StandinSettings) -> None:
    """The stand-in of this process, with faults from here on."""
    made = functools.partial(server.standin_transport, settings=settings)
    monkeypatch.setattr(server, "standin_transport", made)


def evaluations(asset: str, name: str) -> dict[str | None, dg.AssetCheckEvaluation]:
    """Partition → the newest evaluation of a check."""
    with dg.DagsterInstance.get() as instance:
        records = instance.event_log_storage.get_asset_check_execution_history(
            dg.AssetCheckKey(dg.AssetKey(asset), name), limit=50
        )
    newest: dict[str | None, dg.AssetCheckEvaluation] = {}
    for record in records:
        if record.event is None or record.event.dagster_event is None:
            continue
        found = record.event.dagster_event.event_specific_data
        if isinstance(found, dg.AssetCheckEvaluation):
            newest.setdefault(found.partition, found)
    return newest


def current(asset: str, name: str) -> set[str | None]:
    """The partitions whose check the UI takes for one of their newest materialization."""
    key = dg.AssetCheckKey(dg.AssetKey(asset), name)
    with dg.DagsterInstance.get() as instance:
        infos = instance.event_log_storage.get_asset_check_partition_info([key])
    return {info.partition_key for info in infos if info.is_current}


def numbers(evaluation: dg.AssetCheckEvaluation) -> dict[str, object]:
    return {name: value.value for name, value in evaluation.metadata.items()}


def metadata_of(asset: str) -> dict[str, object]:
    with dg.DagsterInstance.get() as instance:
        event = instance.get_latest_materialization_event(dg.AssetKey(asset))
    assert event is not None
    assert event.asset_materialization is not None
    return {name: value.value for name, value in event.asset_materialization.metadata.items()}


def test_every_check_passes_on_the_sample_by_partition(services: Services) -> None:
    launch(Launch(release="r1", questions=4), services)
    ingested = evaluations("ingested_memories", "ingestion_complete")
    assert ingested.keys() == {"sample-1|r1", "sample-2|r1"}
    assert current("ingested_memories", "ingestion_complete") == ingested.keys()
    assert current("answers", "answers_complete") == ingested.keys()
    for partition, found in ingested.items():
        turns = TURNS[str(partition).partition("|")[0]]
        assert found.passed
        assert found.blocking
        assert numbers(found)["messages_on_server"] == turns
        assert numbers(found)["expected"] == (
            f"{turns} turns at the service, {turns} memory operations ended"
        )
    answered = evaluations("answers", "answers_complete")
    assert {partition: numbers(one)["answered"] for partition, one in answered.items()} == {
        "sample-1|r1": 4,
        "sample-2|r1": 4,
    }
    for asset, name in (
        ("locomo_dataset", "counts_by_category"),
        ("locomo_dataset", "schema"),
        ("accuracy_metrics", "error_budget"),
        ("accuracy_metrics", "api_errors"),
        ("accuracy_metrics", "distinct_answers"),
        ("accuracy_metrics", "accuracy"),
        ("accuracy_metrics", "run_time"),
    ):
        ((partition, found),) = evaluations(asset, name).items()
        assert (partition, found.passed) == (
            "r1" if asset == "accuracy_metrics" else None,
            True,
        )
        assert {"expected", "actual"} <= numbers(found).keys()
    launch(Launch(release="r1", questions=4), services)
    again = numbers(evaluations("answers", "answers_complete")["sample-1|r1"])
    assert (again["answered"], again["reused"]) == (4, 4)


def test_broken_data_set_is_not_stored_and_nothing_is_asked(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checks, "KNOWN_COUNTS", {SAMPLE.sha256: dict.fromkeys(range(1, 6), 1)})
    with pytest.raises(DatasetError, match=r"counts_by_category: expected 5 questions"):
        launch(Launch(release="r1"), services)
    # In the UI the data set is materialized without a launch of ours.
    job = build_defs(services=services).resolve_implicit_global_asset_job_def()
    with dg.DagsterInstance.get() as instance:
        result = job.execute_in_process(
            instance=instance,
            asset_selection=[dg.AssetKey("locomo_dataset")],
            raise_on_error=False,
        )
    assert not result.success
    assert services.store().manifests() == []
    (found,) = evaluations("locomo_dataset", "counts_by_category").values()
    assert (found.passed, found.severity) == (False, dg.AssetCheckSeverity.ERROR)
    assert "59 questions" in str(numbers(found)["actual"])
    with dg.DagsterInstance.get() as instance:
        event = instance.get_latest_materialization_event(dg.AssetKey("locomo_dataset"))
    assert event is None


def test_no_question_is_asked_of_an_incomplete_ingestion(services: Services) -> None:
    state = services.settings.standin_path
    lost: list[str] = []

    def lose_one(now: Counts) -> None:
        """The service loses a message of sample-1 that it had confirmed."""
        if now.turns and not lost:
            with closing(sqlite3.connect(state, timeout=30)) as db, db:
                rows = db.execute(
                    "SELECT message_id FROM messages JOIN threads USING (thread_id) "
                    "JOIN assistants USING (assistant_id) WHERE assistants.name LIKE ? "
                    "AND role = 'user' ORDER BY messages.seq LIMIT 1",
                    ("% sample-1 %",),
                ).fetchall()
                for (message_id,) in rows:
                    db.execute("DELETE FROM messages WHERE message_id = ?", (message_id,))
                    lost.append(str(message_id))

    services.progress.listeners.append(lose_one)
    with pytest.raises(LaunchError, match="1 of 2 conversations failed: sample-1 at ingested"):
        launch(Launch(release="r1", questions=3), services)
    assert lost
    found = evaluations("ingested_memories", "ingestion_complete")
    assert {partition: one.passed for partition, one in found.items()} == {
        "sample-1|r1": False,
        "sample-2|r1": True,
    }
    assert "thread" in str(numbers(found["sample-1|r1"])["actual"])
    assert current("ingested_memories", "ingestion_complete") == found.keys()
    assert evaluations("answers", "answers_complete").keys() == {"sample-2|r1"}
    for asset in ("ingested_memories", "judgements"):
        (manifest,) = services.store().manifests(asset=asset)
        assert manifest.lineage.conversation == "sample-2"
    # The release does not look complete without it.
    (row,) = by_release(services.settings.database_path, "r1", max_error_percent=2.0)
    assert (row.questions, row.scored, row.unanswered, row.valid) == (6, 3, 3, False)
    assert database.query(
        services.settings.database_path,
        "SELECT DISTINCT left(reason, 25) FROM current_answers WHERE outcome = 'unanswered'",
    )[1] == [("ingested_memories failed:",)]
    # Nor by a later run of the questions alone.
    job = build_defs(services=services).resolve_implicit_global_asset_job_def()
    with dg.DagsterInstance.get() as instance:
        result = job.execute_in_process(
            instance=instance,
            asset_selection=[dg.AssetKey("answers")],
            partition_key="sample-1|r1",
            raise_on_error=False,
        )
    assert not result.success
    assert len(services.store().manifests(asset="answers")) == 2
    alone = evaluations("answers", "answers_complete")["sample-1|r1"]
    assert "nothing is ingested" in str(numbers(alone)["actual"])


def test_turns_without_memory_operations_are_asked_nothing(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    def renamed(message: Message) -> dict[str, object]:
        shown = message_json(message)
        operation_id = shown.pop("memory_operation_id")
        return {**shown, "operation": operation_id}

    message_json = payloads.message_json
    monkeypatch.setattr(payloads, "message_json", renamed)
    with pytest.raises(LaunchError, match=r"2 of 2 conversations failed.*memory_operation_id"):
        launch(Launch(release="r1", questions=3), services)
    for found in evaluations("ingested_memories", "ingestion_complete").values():
        assert not found.passed
        assert "form of the service's answer may have changed" in str(numbers(found)["actual"])
    assert evaluations("answers", "answers_complete") == {}
    assert services.store().manifests(asset="ingested_memories") == []


def test_an_error_told_as_the_answer_of_many_questions_is_warned_of(
    services: Services, monkeypatch: pytest.MonkeyPatch, command: Commands
) -> None:
    request_ids = itertools.count()

    def no_answer(*_: object) -> str:
        return f"Upstream error 529 (request req_8f3a{next(request_ids):04})"

    monkeypatch.setattr(retrieval, "answer", no_answer)
    launch(Launch(release="r1", questions=4), services)
    found = evaluations("accuracy_metrics", "distinct_answers")["r1"]
    assert (found.passed, found.severity) == (False, dg.AssetCheckSeverity.WARN)
    warning = "one answer stands for 8 questions (100.0 % of 8): 'Upstream error 529 "
    assert warning in str(numbers(found)["actual"])
    # It is told where the numbers are, and stops nothing.
    for arguments in (("report",), ("run", "--release", "r1", "--questions", "4")):
        done = command(*arguments)
        assert done.code == 0, done.err
        assert f"warning: release r1 · system standin · questions isolated: {warning}" in " ".join(
            done.out.split()
        )
    page = services.settings.home / "page.html"
    assert command("report", "--html", str(page)).code == 0
    assert "one answer stands for 8 questions" in page.read_text()


def test_checks_alone_are_refused_without_a_call(services: Services) -> None:
    launch(Launch(release="r1", questions=1), services)
    before = services.progress.counts.requests
    selection = dg.AssetSelection.checks(
        dg.AssetCheckKey(dg.AssetKey("answers"), "answers_complete")
    )
    graph = build_defs(services=services).resolve_asset_graph()
    alone = dg.define_asset_job("alone", selection).resolve(asset_graph=graph)
    with dg.DagsterInstance.get() as instance:
        result = alone.execute_in_process(instance=instance, raise_on_error=False)
    assert not result.success
    (failed,) = [event for event in result.all_events if event.is_step_failure]
    failure = failed.step_failure_data.user_failure_data
    assert failure is not None
    assert "materialize the assets instead" in str(failure.description)
    assert services.progress.counts.requests == before


def test_too_many_errors_make_the_numbers_invalid_everywhere(
    services: Services, monkeypatch: pytest.MonkeyPatch, command: Commands
) -> None:
    with monkeypatch.context() as patch:
        faulty(patch, StandinSettings(run_failed_share=0.8))
        launch(Launch(release="r1"), services)
    found = evaluations("accuracy_metrics", "error_budget")["r1"]
    assert (found.passed, found.severity) == (False, dg.AssetCheckSeverity.ERROR)
    told = metadata_of("accuracy_metrics")
    assert told["valid"] is False
    assert "accuracy_percent" not in told
    assert "accuracy_percent_not_valid" in told
    assert "invalid (" in str(told["by_category"])
    assert "invalid (" in str(metadata_of("accuracy_trends")["table"])
    assert metadata_of("accuracy_trends")["releases_not_valid"] == 1
    drift = evaluations("accuracy_trends", "no_drift")[None]
    assert drift.passed
    assert "a drift is looked for in 5 or more" in str(drift.metadata["actual"].value)
    for partition in ("sample-1|r1", "sample-2|r1"):
        warned = evaluations("answers", "answers_complete")[partition]
        assert (warned.passed, warned.severity) == (False, dg.AssetCheckSeverity.WARN)
    path = services.settings.database_path
    ((share,),) = database.query(path, "SELECT error_share FROM accuracy_by_release")[1]
    assert share > 0.02
    (row,) = by_release(path, "r1", max_error_percent=100.0)
    assert row.valid
    reported = command("report", "--release", "r1")
    assert "invalid (" in reported.out
    assert "its numbers are not valid" in reported.out
    # The same run again asks what failed, and only that; then the numbers are good.
    launch(Launch(release="r1"), services)
    assert evaluations("accuracy_metrics", "error_budget")["r1"].passed
    assert "accuracy_percent" in metadata_of("accuracy_metrics")
    assert database.query(path, "SELECT count(*) FROM ingestions")[1] == [(2,)]


def test_run_ends_with_an_error_where_its_numbers_are_invalid(
    services: Services, command: Commands
) -> None:
    done = command("run", "--release", "r1", "--questions", "2")
    assert done.code == 0, done.err
    # A question of the stored ones is lost to the judge: the newest verdict is none.
    store = services.store()
    (manifest, *_) = store.manifests(asset="judgements")
    (row, *_) = store.read("judgements", [manifest]).to_pylist()
    lineage = {"attempt_id", "run_id", "asset", "release", "conversation", "code_version",
               "dataset_sha256", "system", "written_at"}  # fmt: skip
    attempt = store.begin(manifest.lineage)
    attempt.append(
        "judgements",
        [{**{k: v for k, v in row.items() if k not in lineage}, "verdict": "unscored"}],
    )
    attempt.commit()
    done = command("run", "--release", "r1", "--questions", "2")
    assert done.code == 3, done.out + done.err
    (line,) = [line for line in done.err.splitlines() if line.startswith("error: ")]
    assert "25.00 % of its questions have no verdict" in line


def test_forecast_stands_beside_the_actual(services: Services) -> None:
    launch(Launch(release="r1", conversations=["sample-1"], questions=4), services)
    told = metadata_of("judgements")
    ((calls,),) = database.query(services.settings.database_path, "SELECT count(*) FROM calls")[1]
    assert told["run_calls"] == calls
    assert int(str(told["forecast_calls"])) == pytest.approx(int(str(calls)), rel=0.1)
    assert float(str(told["run_tokens"])) > 0
    table = str(told["forecast"])
    for line in ("| turns |", "| questions |", "| verdicts |", "| forecast |", "| actual |"):
        assert line in table
    with dg.DagsterInstance.get() as instance:
        seen = instance.fetch_observations(dg.AssetKey("judgements"), limit=5).records
    first = seen[-1].asset_observation
    assert first is not None
    assert first.metadata["forecast_calls"].value == told["forecast_calls"]
    assert "| actual |" not in str(first.metadata["forecast"].value)


def test_trend_has_the_freshness_policy_of_the_setting(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOCOMO_MAX_TREND_AGE_DAYS", "8")
    graph = build_defs(read_settings()).resolve_asset_graph()
    policy = graph.get(dg.AssetKey("accuracy_trends")).freshness_policy
    assert policy == dg.FreshnessPolicy.time_window(timedelta(days=8), timedelta(days=4))
