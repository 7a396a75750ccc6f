"""`ladder`, over real sockets against a served stand-in: what it asks, shares, prints, refuses."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import typer
from typer.testing import CliRunner

from locomo_assets.cli.ladders import ladder
from locomo_assets.errors import LocomoError
from locomo_assets.history.database import query
from locomo_assets.pipeline.build import build_defs
from locomo_assets.pipeline.launch import Launch, LaunchError, launch, prepare_home
from locomo_assets.runs.runner import Failed, measure
from locomo_assets.services import Services
from locomo_assets.settings import read_settings
from locomo_assets.standin import middleware
from locomo_assets.standin.server import running_standin
from locomo_assets.standin.settings import DEFAULT_KEY, StandinSettings
from locomo_assets_tests.runs.fixtures import DATASET, Record, assert_told_once

SAMPLE = DATASET.conversations[0]
ARGUMENTS = ("--release", "r1", "--conversations", SAMPLE.conversation, "--questions", "4")
MINE = """
name = "mine"
[[step]]
name = "thinks"
thinking = "high"
[[step]]
name = "strict judge"
judge_prompt = "strict"
"""


@pytest.fixture(autouse=True)
def _no_bars(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bars want the process's own stderr."""
    monkeypatch.setenv("LOCOMO_LOG_FORMAT", "json")


@pytest.fixture
def record(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Record]:
    """What the served stand-in was asked; the settings name it."""
    with running_standin(StandinSettings(), home / "served.sqlite") as urls:
        monkeypatch.setenv("DAGSTER_HOME", str(prepare_home(home)))
        monkeypatch.setenv("BACKBOARD_BASE_URL", urls.backboard)
        monkeypatch.setenv("OPENAI_BASE_URL", urls.openai)
        monkeypatch.setenv("BACKBOARD_API_KEY", DEFAULT_KEY)
        monkeypatch.setenv("OPENAI_API_KEY", DEFAULT_KEY)
        yield Record(home / "served.sqlite")


@pytest.fixture
def mine(tmp_path: Path) -> str:
    path = tmp_path / "mine.toml"
    path.write_text(MINE)
    return str(path)


def _run(*arguments: str) -> str:
    app = typer.Typer()
    app.callback()(lambda: None)
    ladder.register(app)
    done = CliRunner().invoke(app, ["ladder", *arguments], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout


def _number(home: Path, sql: str) -> Any:
    [(found,)] = query(home / "history" / "history.duckdb", sql)[1]
    return found


def test_what_steps_share_is_paid_for_once(home: Path, record: Record, mine: str) -> None:
    launch(
        Launch("r1", conversations=[SAMPLE.conversation], questions=4), Services(read_settings())
    )
    assert record.answered("r1") == 4

    forecast = _run(mine, *ARGUMENTS, "--dry-run")
    rows = {line.split("  ")[0]: line.split() for line in forecast.splitlines()}
    assert "thinks" in rows
    assert rows["strict judge"][-2:] == ["memory,", "answers"]
    assert record.answered("r1") == 4

    found = json.loads(_run(mine, *ARGUMENTS, "--format", "json"))
    # The base is what the release had, one memory serves all, the judge's step asks nothing.
    assert_told_once(record, SAMPLE, "r1")
    assert record.answered("r1") == 8
    assert _number(home, "SELECT count(DISTINCT ingestion_id) FROM current_answers") == 1
    assert _number(home, "SELECT count(*) FROM judgements") == 12
    assert [one["name"] for one in found["steps"]] == ["base", "thinks", "strict judge"]
    assert {one["question_protocol"] for one in found["steps"][1:]} == {"isolated, thinking high"}
    assert "/strict@" in found["steps"][2]["judge"]
    assert found["steps"][1]["change"]["against"] == "base"
    assert found["questions"] == 4

    before = record.count(), _number(home, "SELECT count(*) FROM calls")
    text = _run(mine, *ARGUMENTS)
    assert "strict judge: judge_prompt generous → strict" in text
    assert (record.count(), _number(home, "SELECT count(*) FROM calls")) == before
    assert _number(home, "SELECT count(DISTINCT attempt_id) FROM ladder_steps") == 1

    with dg.DagsterInstance.get() as instance:
        event = instance.get_latest_materialization_event(dg.AssetKey("ladder"))
    assert event is not None
    made = event.asset_materialization
    assert made is not None
    assert made.partition == "mine|r1"
    assert str(made.metadata["ladder"].value).startswith("**From ")
    page = Path(str(made.metadata["report"].value)).read_text()
    assert 'id="ladder-mine"' in page


def test_a_step_that_fails_is_named_and_the_same_command_goes_on(
    home: Path, record: Record, mine: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str] = []

    async def fails_in_the_second_step(run: Any, *arguments: Any) -> Any:
        seen.append(run.ask_protocol.label())
        if len(seen) == 2:
            return [Failed(arguments[0][0], "answers", LocomoError("the service is down"))]
        return await measure(run, *arguments)

    monkeypatch.setattr("locomo_assets.pipeline.ladder.measure", fails_in_the_second_step)
    with pytest.raises(LaunchError, match=r"step thinks: 1 of 1 conversations .* down") as caught:
        _run(mine, *ARGUMENTS)
    assert "\n" not in str(caught.value)
    # How far it came is kept.
    assert _number(home, "SELECT string_agg(step) FROM ladder_steps") == "base"
    assert record.answered("r1") == 4
    monkeypatch.setattr("locomo_assets.pipeline.ladder.measure", measure)
    assert "strict judge" in _run(mine, *ARGUMENTS)
    assert record.answered("r1") == 8
    assert_told_once(record, SAMPLE, "r1")


@pytest.mark.usefixtures("record")
def test_what_can_be_refused_is_refused_before_anything_is_paid(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "late.toml"
    step = '[[step]]\nname = "first"\nthinking = "low"\n[[step]]\nname = "late"\n'
    path.write_text(step + 'system_prompt = "none.txt"')
    with pytest.raises(LocomoError, match=r"^ladder late, step late: .*none\.txt can't be read"):
        _run(str(path), *ARGUMENTS)
    monkeypatch.setenv("LOCOMO_MAX_COST_USD", "1")
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9/v1")
    path.write_text(step + 'judge_model = "unheard-of"')
    with pytest.raises(LocomoError, match="unheard-of has no price"):
        _run(str(path), *ARGUMENTS)
    path.write_text(step + "judge_max_tokens = 500")
    with pytest.raises(LocomoError, match="could not tell its numbers from those of first"):
        _run(str(path), *ARGUMENTS)
    assert Record(home / "served.sqlite").count() == 0


def test_a_cost_limit_holds_for_all_steps_together(
    home: Path, mine: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DAGSTER_HOME", str(prepare_home(home)))
    monkeypatch.setattr(middleware, "SYSTEM", "pretended")  # the stand-in, as one that is paid
    launch(
        Launch("r1", conversations=[SAMPLE.conversation], questions=4), Services(read_settings())
    )
    spent = _number(home, "SELECT sum(cost_usd) FROM calls")
    assert spent > 0
    monkeypatch.setenv("LOCOMO_MAX_COST_USD", f"{spent + 0.001:.6f}")
    with pytest.raises(LocomoError, match="LOCOMO_MAX_COST_USD"):
        _run(mine, *ARGUMENTS)
    assert _number(home, "SELECT sum(cost_usd) FROM calls") == spent
    monkeypatch.setenv("LOCOMO_MAX_COST_USD", "1")
    _run(mine, *ARGUMENTS)
    # Four answers of the base and four of the step that thinks; the third has the same answers.
    assert _number(home, "SELECT count(*) FROM calls WHERE cost_usd > 0") == 8
    assert spent < _number(home, "SELECT sum(cost_usd) FROM calls") < 1


@pytest.mark.usefixtures("home")
def test_without_keys_the_lexical_judge_judges_every_step(mine: str) -> None:
    found = json.loads(_run(mine, *ARGUMENTS, "--format", "json"))
    assert [one["judge"] for one in found["steps"]] == ["lexical-2"] * 3
    assert found["steps"][2]["change"]["decision"]["word"] == "unchanged"
    assert _run(mine, *ARGUMENTS, "--format", "markdown").startswith("**From ")


@pytest.mark.usefixtures("home")
def test_without_keys_a_step_without_effect_is_not_put_down_to_the_judge(tmp_path: Path) -> None:
    path = tmp_path / "idle.toml"
    path.write_text('[[step]]\nname = "k"\nretrieval_k = 7')
    with pytest.raises(LocomoError, match="could not tell its numbers from those of base"):
        _run(str(path), *ARGUMENTS, "--dry-run")


def test_the_list_and_what_is_missing(home: Path) -> None:
    assert "lite-to-pro" in _run("--list")
    assert "lite-to-pro" in json.loads(_run("--list", "--format", "json"))
    with pytest.raises(LocomoError, match="--release"):
        _run("lite-to-pro")
    assert not (home / "history").exists()


@pytest.mark.usefixtures("home")
def test_the_asset_starts_only_on_request_and_takes_one_ladder_a_partition(mine: str) -> None:
    definitions = build_defs(read_settings())
    key = dg.AssetKey("ladder")
    assert definitions.resolve_assets_def(key).automation_conditions_by_key.get(key) is None
    graph = definitions.resolve_asset_graph()
    for job in definitions.resolve_all_job_defs():
        if not job.name.startswith("__"):
            assert key not in job.asset_layer.selected_asset_keys, job.name
    for sensor in definitions.sensors or ():
        if isinstance(sensor, dg.AutomationConditionSensorDefinition):
            assert key not in sensor.asset_selection.resolve(graph)

    job = definitions.resolve_implicit_global_asset_job_def()
    with dg.DagsterInstance.ephemeral() as instance:
        instance.add_dynamic_partitions("ladder", ["other"])
        instance.add_dynamic_partitions("release", ["r1"])
        done = job.execute_in_process(
            instance=instance,
            asset_selection=[key],
            run_config={"ops": {"ladder": {"config": {"file": mine}}}},
            partition_key=dg.MultiPartitionKey({"ladder": "other", "release": "r1"}),
            raise_on_error=False,
        )
    [failed] = [one for one in done.all_events if one.is_step_failure]
    failure = failed.step_failure_data.user_failure_data
    assert failure is not None
    assert "materialize the partition mine" in str(failure.description)
