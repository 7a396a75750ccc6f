"""Launch options have the bounds of the command line, and fail in one line before anything."""

from pathlib import Path
from typing import get_type_hints

import dagster as dg
import pytest

from locomo_assets.cli.ladders.ladder import measure_ladder
from locomo_assets.cli.run import run
from locomo_assets.pipeline.assets.conversations import MeasureConfig
from locomo_assets.pipeline.assets.ladder import LadderConfig
from locomo_assets.pipeline.assets.launch_config import LaunchConfig
from locomo_assets.pipeline.build import build_defs
from locomo_assets.pipeline.launch import prepare_home
from locomo_assets.pipeline.partitions import CONVERSATION, RELEASE
from locomo_assets.services import Services
from locomo_assets.settings import read_settings

COMMANDS = {MeasureConfig: run, LadderConfig: measure_ladder}
NAMES = {"repeat": "repeats"}
ONLY_LAUNCHED = {"share"}
"""Numbers that no command takes: a run until it is decided sets them."""


def _numbers(config: type[LaunchConfig]) -> list[str]:
    return [
        name
        for name, field in config.model_fields.items()
        if "int" in str(field.annotation) or "float" in str(field.annotation)
    ]


@pytest.mark.parametrize("config", COMMANDS)
def test_bounds_are_those_of_the_command(config: type[LaunchConfig]) -> None:
    options = get_type_hints(COMMANDS[config], include_extras=True)
    assert "questions" in _numbers(config)
    for name in set(_numbers(config)) - ONLY_LAUNCHED:
        [option] = options[NAMES.get(name, name)].__metadata__
        assert option.max is None
        for value in (option.min, 10**6):
            assert getattr(config(**{name: value}), name) == value
        for value in (option.min - 1, option.min - 2):
            with pytest.raises(dg.Failure, match=f"launch options: {name}: {value}: "):
                config(**{name: value})


def test_every_launch_config_is_compared() -> None:
    with_numbers = {one for one in LaunchConfig.__subclasses__() if _numbers(one)}
    assert with_numbers == set(COMMANDS)


@pytest.mark.parametrize(
    ("config", "told"),
    [
        ({"questions": -1}, "questions: -1: Input should be greater than or equal to 1"),
        ({"questions": 0}, "questions: 0: Input should be greater than or equal to 1"),
        ({"repeat": 0}, "repeat: 0: Input should be greater than or equal to 1"),
        ({"share": 1.5}, "share: 1.5: Input should be less than or equal to 1"),
        ({"force": True, "repeat": 2}, "force with repeat"),
    ],
)
def test_what_is_out_of_bounds_fails_in_one_line(
    home: Path, monkeypatch: pytest.MonkeyPatch, config: dict[str, object], told: str
) -> None:
    monkeypatch.setenv("DAGSTER_HOME", str(prepare_home(home)))
    services = Services(read_settings())
    job = build_defs(services=services).resolve_implicit_global_asset_job_def()
    with dg.DagsterInstance.ephemeral() as instance:
        instance.add_dynamic_partitions(CONVERSATION, ["sample-1"])
        instance.add_dynamic_partitions(RELEASE, ["r1"])
        result = job.execute_in_process(
            instance=instance,
            asset_selection=[dg.AssetKey("ingested_memories"), dg.AssetKey("answers")],
            partition_key="sample-1|r1",
            run_config={"ops": {"measured_conversation": {"config": config}}},
            raise_on_error=False,
        )
    assert not result.success
    [failed] = [event for event in result.all_events if event.is_step_failure]
    failure = failed.step_failure_data.user_failure_data
    assert failure is not None
    assert told in str(failure.description)
    assert "\n" not in str(failure.description)
    assert services.store().manifests() == []
