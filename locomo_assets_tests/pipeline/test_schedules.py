"""Schedules and the daily sample, executed on a real instance over the packaged sample."""

from datetime import UTC, datetime
from pathlib import Path

import dagster as dg
import pytest

from locomo_assets.history.database import query
from locomo_assets.locomo.parsing import read_dataset
from locomo_assets.locomo.sample import packaged_sample
from locomo_assets.pipeline.build import build_defs
from locomo_assets.pipeline.launch import Launch, launch, prepare_home
from locomo_assets.pipeline.partitions import CONVERSATION, RELEASE
from locomo_assets.pipeline.schedules import asset_schedule, backup_schedule
from locomo_assets.runs.releases import ReleaseTakenError, register_release
from locomo_assets.services import Services
from locomo_assets.settings import SettingsError, read_settings

NAMES = [one.conversation for one in read_dataset(packaged_sample()).conversations]


@pytest.fixture
def services(home: Path, monkeypatch: pytest.MonkeyPatch) -> Services:
    monkeypatch.setenv("DAGSTER_HOME", str(prepare_home(home)))
    monkeypatch.setenv("LOCOMO_SAMPLE_QUESTIONS", "6")
    monkeypatch.setenv("LOCOMO_MEMORY_WAIT", "conversation")
    return Services(read_settings())


def run_sample(services: Services) -> dg.ExecuteInProcessResult:
    job = build_defs(services=services).resolve_implicit_global_asset_job_def()
    with dg.DagsterInstance.get() as instance:
        return job.execute_in_process(
            instance=instance,
            asset_selection=[dg.AssetKey("daily_sample")],
            raise_on_error=False,
        )


def numbers(result: dg.ExecuteInProcessResult) -> dict[str, object]:
    [event] = result.get_asset_materialization_events()
    return {name: one.value for name, one in event.materialization.metadata.items()}


def test_sample_before_any_full_run_costs_nothing_and_says_why(services: Services) -> None:
    result = run_sample(services)
    assert not result.success
    failure = next(e for e in result.all_events if e.is_step_failure).step_failure_data
    assert failure.user_failure_data is not None
    assert "materialize locomo_dataset first" in str(failure.user_failure_data.description)


def test_sample_is_asked_of_the_full_run_s_memory_once_a_day(services: Services) -> None:
    launch(Launch("r1", questions=1), services)
    path = services.settings.database_path
    full = query(path, "FROM accuracy_trend ORDER BY ALL")[1]
    messages = "SELECT count(*) FROM calls WHERE endpoint = 'POST /threads/{id}/messages'"
    [(before,)] = query(path, messages)[1]

    result = run_sample(services)
    assert result.success
    first = numbers(result)
    assert first["questions"] == 6
    assert first["memory_of"] == "r1"
    assert "sample_accuracy_percent" in first
    for bound in ("wrong", "right"):  # all have a verdict
        assert first[f"sample_if_missing_{bound}_percent"] == first["sample_accuracy_percent"]
    assert "accuracy_percent" not in first
    [(after,)] = query(path, messages)[1]
    assert after - before == 6
    rows = query(
        path,
        "SELECT count(DISTINCT (conversation, question_index)), min(category), max(category), "
        "bool_and(verdict IS NOT NULL) FROM sample_results",
    )[1]
    assert rows[0][0] == 6
    assert rows[0][2] < 5
    assert rows[0][3]
    assert query(path, "FROM accuracy_trend ORDER BY ALL")[1] == full
    kinds = "SELECT release, state, kind, source, release_check FROM release_status ORDER BY kind"
    assert query(path, kinds)[1] == [
        ("r1", "measured", "full", "person", "unknown"),
        (first["sample"], "measured", "sample", "schedule", "exempt"),
    ]

    again = numbers(run_sample(services))
    assert again["sample_accuracy_percent"] == first["sample_accuracy_percent"]
    assert query(path, messages)[1] == [(after,)]
    with pytest.raises(ReleaseTakenError, match="of the kind sample, not full"):
        register_release(services.store(), str(first["sample"]), "run")


@pytest.mark.parametrize("per_run", ["all", "one"])
def test_weekly_run_is_a_release_of_its_day(
    per_run: str, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOCOMO_PARTITIONS_PER_RUN", per_run)
    monkeypatch.setenv("DAGSTER_HOME", str(prepare_home(home)))
    repository = build_defs(services=Services(read_settings())).get_repository_def()
    schedule = repository.get_schedule_def("weekly_full_run")
    at = datetime(2026, 11, 23, 3, tzinfo=UTC)
    with (
        dg.DagsterInstance.get() as instance,
        dg.build_schedule_context(
            instance, scheduled_execution_time=at, repository_def=repository
        ) as context,
    ):
        nothing = schedule.evaluate_tick(context)
        assert "materialize locomo_dataset" in str(nothing.skip_message)
        assert instance.get_dynamic_partitions(RELEASE) == []
        instance.add_dynamic_partitions(CONVERSATION, NAMES)
        requests = schedule.evaluate_tick(context).run_requests or ()
        assert instance.get_dynamic_partitions(RELEASE) == ["weekly-2026-11-23"]
    assert len(requests) == (1 if per_run == "all" else len(NAMES))
    assert all(request.tags["locomo/release"] == "weekly-2026-11-23" for request in requests)


def test_each_conversation_s_own_run_measures_it(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The form in which run requests are made where LOCOMO_PARTITIONS_PER_RUN is `one`."""
    monkeypatch.setenv("LOCOMO_PARTITIONS_PER_RUN", "one")
    place = Services(read_settings())
    defs = build_defs(services=place)
    job = defs.get_repository_def().get_job("release_measurement")
    whole = defs.resolve_implicit_global_asset_job_def()
    with dg.DagsterInstance.get() as instance:
        whole.execute_in_process(instance=instance, asset_selection=[dg.AssetKey("locomo_dataset")])
        instance.add_dynamic_partitions(RELEASE, ["r1"])
        key = f"{NAMES[0]}|r1"
        ends = ("dagster/asset_partition_range_start", "dagster/asset_partition_range_end")
        result = job.execute_in_process(instance=instance, tags=dict.fromkeys(ends, key))
        assert result.success
        made = instance.get_materialized_partitions(dg.AssetKey("judgements"))
    assert made == {key}


@pytest.mark.parametrize("name", ["LOCOMO_WEEKLY_CRON", "LOCOMO_DAILY_CRON"])
def test_a_cron_string_that_is_none_is_named(
    name: str, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, "on Mondays")
    with pytest.raises(SettingsError, match=name):
        build_defs()


def test_any_asset_can_be_made_at_a_time(home: Path) -> None:
    @dg.asset
    def history_backup() -> None:
        pass

    schedule = backup_schedule(read_settings())
    defs = dg.Definitions(assets=[history_backup], schedules=[schedule])
    found = defs.get_repository_def().get_schedule_def("history_backup_run")
    assert found.cron_schedule == "30 2 * * *"
    assert found.default_status == dg.DefaultScheduleStatus.STOPPED
    assert asset_schedule("other", "history_backup", "@daily", "").cron_schedule == "@daily"
