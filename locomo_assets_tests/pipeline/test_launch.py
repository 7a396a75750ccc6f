"""The whole graph on the packaged sample through the stand-in, in real Dagster runs."""

from pathlib import Path

import dagster as dg
import pytest

from locomo_assets.errors import LocomoError
from locomo_assets.history import database
from locomo_assets.labels import BadLabelError
from locomo_assets.locomo.model import DatasetError
from locomo_assets.pipeline.build import build_defs
from locomo_assets.pipeline.launch import BadRequestError, Launch, LaunchError, launch, prepare_home
from locomo_assets.pipeline.partitions import CONVERSATION, RELEASE, ranges
from locomo_assets.pipeline.schedules import JOB
from locomo_assets.runs import runner
from locomo_assets.runs.context import RunContext, Task
from locomo_assets.runs.releases import SAMPLE, register_release
from locomo_assets.runs.stages import AnswerQueue, StageReport
from locomo_assets.services import Services
from locomo_assets.settings import read_settings


@pytest.fixture
def services(home: Path, monkeypatch: pytest.MonkeyPatch) -> Services:
    monkeypatch.setenv("DAGSTER_HOME", str(prepare_home(home)))
    return Services(read_settings())


def _count(services: Services, query: str) -> list[tuple[object, ...]]:
    return database.query(services.settings.database_path, query)[1]


def _log_lines(instance: dg.DagsterInstance) -> list[str]:
    """What our own code and Dagster's said in the logs of all runs, besides events."""
    return [
        entry.user_message
        for run in reversed(instance.get_runs())
        for entry in instance.all_logs(run.run_id)
        if not entry.is_dagster_event
    ]


def test_sample_from_file_to_verdicts(services: Services) -> None:
    launch(Launch(release="r1"), services)
    [(questions, right_kind)] = _count(
        services,
        "SELECT count(*), bool_and(system = 'standin' AND judge_system = 'lexical') "
        "FROM current_judgements WHERE release = 'r1'",
    )
    [(scored,)] = _count(services, "SELECT count(*) FROM questions WHERE category <> 5")
    assert questions == scored
    assert right_kind
    [(turns,)] = _count(services, "SELECT count(*) FROM turns")
    assert _count(
        services, "SELECT count(DISTINCT dia_id || conversation) FROM ingested_turns"
    ) == [(turns,)]
    with dg.DagsterInstance.get() as instance:
        for asset in ("ingested_memories", "answers", "judgements"):
            assert instance.get_materialized_partitions(dg.AssetKey(asset)) == {
                "sample-1|r1",
                "sample-2|r1",
            }
        metrics = instance.get_latest_materialization_event(dg.AssetKey("accuracy_metrics"))
        assert metrics is not None
        assert metrics.asset_materialization is not None
        told = metrics.asset_materialization.metadata
        assert told["questions"].value == questions
        assert [*told][:4] == ["summary", "report", "by_category", "series"]
        assert sorted(told, key=str.lower)[0] == "% accuracy"
        summary, page = str(told["summary"].value), str(told["report"].value)
        assert "Accuracy of r1" in summary
        assert len(summary) < 1000
        assert Path(page) == services.settings.home / "history" / "reports" / "r1.html"
        assert Path(page).read_text().startswith("<!doctype html>")
        assert {run.tags["locomo/release"] for run in instance.get_runs()} == {"r1"}
        # Totals are known at once, and the checks that are logged are not said to be missed.
        assert _log_lines(instance) == [
            f"turns 0/{turns} · questions 0/{questions} · verdicts 0/{questions}",
            f"turns {turns}/{turns} · questions {questions}/{questions} · "
            f"verdicts {questions}/{questions}",
        ]


def test_second_launch_pays_for_nothing_and_force_pays_again(services: Services) -> None:
    launch(Launch(release="r1", conversations=["sample-1"], questions=4), services)
    before = _count(services, "SELECT count(*) FROM calls WHERE service = 'backboard'")
    launch(Launch(release="r1", conversations=["sample-1"], questions=4), services)
    assert _count(services, "SELECT count(*) FROM calls WHERE service = 'backboard'") == before
    launch(Launch(release="r1", conversations=["sample-1"], questions=4, force=True), services)
    assert _count(services, "SELECT count(*) FROM calls WHERE service = 'backboard'") > before
    assert _count(services, "SELECT count(*) FROM current_judgements") == [(4,)]
    with dg.DagsterInstance.get() as instance:
        (line,) = {line for line in _log_lines(instance) if "metrics wait" in line}
    assert line.startswith(
        "release r1: its metrics wait, as 1 of 2 conversations are not judged (sample-2); measure"
    )


def test_more_questions_later_ask_only_the_rest(services: Services) -> None:
    launch(Launch(release="r1", conversations=["sample-2"], questions=3), services)
    launch(Launch(release="r1", conversations=["sample-2"], questions=5), services)
    assert _count(services, "SELECT count(*) FROM answers") == [(5,)]
    assert _count(services, "SELECT count(*) FROM ingestions") == [(1,)]


def test_adversarial_questions_stay_apart(services: Services) -> None:
    launch(Launch(release="r1", adversarial=True), services)
    [(asked, all_questions)] = _count(
        services,
        "SELECT (SELECT count(*) FROM current_judgements), (SELECT count(*) FROM questions)",
    )
    assert asked == all_questions
    [(scored, regular)] = _count(
        services,
        "SELECT (SELECT questions FROM accuracy_by_release), "
        "(SELECT count(*) FROM questions WHERE category <> 5)",
    )
    assert scored == regular


def test_published_protocol_asks_a_copy(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOCOMO_QUESTION_PROTOCOL", "published")
    place = Services(read_settings())
    launch(Launch(release="r1", conversations=["sample-1"], questions=3), place)
    [(threads, modes)] = _count(
        place, "SELECT count(DISTINCT thread_id), max(memory_mode) FROM answers"
    )
    assert (threads, modes) == (1, "Auto")
    [(clones,)] = _count(
        place, "SELECT count(*) FROM calls WHERE endpoint = 'POST /assistants/{id}/clone'"
    )
    assert clones == 1


def test_requests_to_the_standin_cost_nothing(services: Services) -> None:
    launch(Launch(release="r1", conversations=["sample-1"], questions=2), services)
    [(priced, dearest)] = _count(
        services, "SELECT count(cost_usd), max(cost_usd) FROM calls WHERE output_tokens > 0"
    )
    assert priced
    assert dearest == 0


def test_one_conversation_fails_alone(services: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = runner.STAGES["answers"]

    async def fails(run: RunContext, task: Task, queue: AnswerQueue) -> StageReport:
        if task.conversation == "sample-1":
            raise LocomoError("the service lost sample-1")
        return await whole(run, task, queue)

    monkeypatch.setitem(runner.STAGES, "answers", fails)
    with pytest.raises(LaunchError, match="1 of 2 conversations failed: sample-1 at answers"):
        launch(Launch(release="r1"), services)
    with dg.DagsterInstance.get() as instance:
        assert instance.get_materialized_partitions(dg.AssetKey("judgements")) == {"sample-2|r1"}
        assert instance.get_materialized_partitions(dg.AssetKey("ingested_memories")) == {
            "sample-1|r1",
            "sample-2|r1",
        }
    monkeypatch.setitem(runner.STAGES, "answers", whole)
    launch(Launch(release="r1"), services)
    assert _count(services, "SELECT count(*) FROM ingestions") == [(2,)]


def test_a_failed_label_leaves_no_partition_but_one_with_results_does(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fails(*_: object) -> StageReport:
        raise LocomoError("no credit left")

    def releases() -> list[str]:
        with dg.DagsterInstance.get() as instance:
            return list(instance.get_dynamic_partitions(RELEASE))

    with monkeypatch.context() as patch:
        patch.setitem(runner.STAGES, "ingested_memories", fails)
        with pytest.raises(LaunchError, match="no credit left"):
            launch(Launch(release="r1", questions=1), services)
    assert releases() == []
    monkeypatch.setitem(runner.STAGES, "answers", fails)
    with pytest.raises(LaunchError, match="no credit left"):
        launch(Launch(release="r1", questions=1), services)
    assert releases() == ["r1"]


def test_a_label_that_is_taken_is_removed_from_the_grid(services: Services) -> None:
    register_release(services.store(), "r1", "earlier", kind=SAMPLE)
    job = build_defs(services=services).resolve_implicit_global_asset_job_def()
    with dg.DagsterInstance.get() as instance:
        # As in the UI, where a partition is added before its run can look at it.
        instance.add_dynamic_partitions(CONVERSATION, ["sample-1"])
        instance.add_dynamic_partitions(RELEASE, ["r1"])
        result = job.execute_in_process(
            instance=instance,
            asset_selection=[dg.AssetKey("ingested_memories")],
            partition_key="sample-1|r1",
            raise_on_error=False,
        )
        assert not result.success
        (failed,) = [event for event in result.all_events if event.is_step_failure]
        failure = failed.step_failure_data.user_failure_data
        assert failure is not None
        assert "the two are never mixed; choose another label; its partition is removed" in str(
            failure.description
        )
        assert instance.get_dynamic_partitions(RELEASE) == []


@pytest.mark.parametrize("label", ["", "a b", "r|1", "x" * 101, "a,b"])
def test_bad_release_label(services: Services, label: str) -> None:
    with pytest.raises(BadLabelError, match="release"):
        launch(Launch(release=label), services)


def test_unknown_conversation(services: Services) -> None:
    with pytest.raises(BadRequestError, match="conversation conv-99: not in the data set"):
        launch(Launch(release="r1", conversations=["conv-99"]), services)


def test_bad_dataset_is_one_line(services: Services, tmp_path: Path) -> None:
    bad = tmp_path / "bad.json"
    bad.write_text("{")
    with pytest.raises(DatasetError) as caught:
        launch(Launch(release="r1", dataset=str(bad)), services)
    assert "bad.json" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_conversations_follow_the_data_set(services: Services) -> None:
    with dg.DagsterInstance.get() as instance:
        instance.add_dynamic_partitions(CONVERSATION, ["conv-of-another-set"])
        launch(Launch(release="r1", conversations=["sample-1"], questions=1), services)
        assert instance.get_dynamic_partitions(CONVERSATION) == ["sample-1", "sample-2"]


def test_a_backfill_of_the_job_measures_its_whole_range(services: Services) -> None:
    launch(Launch(release="r1", questions=1), services)
    job = build_defs(services=services).resolve_job_def(JOB)
    with dg.DagsterInstance.get() as instance:
        instance.add_dynamic_partitions(RELEASE, ["r2"])
        result = job.execute_in_process(
            instance=instance,
            run_config={"ops": {"measured_conversation": {"config": {"questions": 1}}}},
            tags={
                "dagster/asset_partition_range_start": "sample-1|r2",
                "dagster/asset_partition_range_end": "sample-2|r2",
                # What Dagster's daemon adds where the backfill is one of a job.
                "dagster/partition/conversation": "sample-1",
                "dagster/partition/release": "r2",
            },
        )
        assert result.success
        for asset in ("ingested_memories", "answers", "judgements"):
            made = instance.get_materialized_partitions(dg.AssetKey(asset))
            assert {"sample-1|r2", "sample-2|r2"} <= made


def test_ranges_cover_just_what_is_wanted() -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        instance.add_dynamic_partitions(CONVERSATION, ["a", "b", "c", "d"])
        assert ranges(instance, ["a", "b", "d"]) == [("a", "b"), ("d", "d")]
        assert ranges(instance, ["c"]) == [("c", "c")]


@pytest.mark.real_data
def test_a_real_conversation(services: Services, real_dataset: Path) -> None:
    launch(Launch(release="r1", dataset=str(real_dataset), conversations=["conv-30"]), services)
    assert _count(
        services,
        "SELECT (SELECT count(*) FROM turns), (SELECT count(*) FROM questions), "
        "(SELECT count(*) FROM ingested_turns), (SELECT count(*) FROM current_judgements)",
    ) == [(5882, 1986, 369, 81)]
    categories = "SELECT category, count(*) FROM questions GROUP BY ALL ORDER BY ALL"
    assert _count(services, categories) == [(1, 282), (2, 321), (3, 96), (4, 841), (5, 446)]
