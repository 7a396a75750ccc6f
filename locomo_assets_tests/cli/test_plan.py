"""`plan`, and its line in a dry run."""

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from locomo_assets.analysis.comparison.series import UnknownReleaseError
from locomo_assets.cli import plan, run
from locomo_assets.pipeline.launch import Launch, launch, prepare_home
from locomo_assets.services import Services
from locomo_assets.settings import read_settings


def _invoke(*arguments: str) -> str:
    app = typer.Typer()
    run.register(app)
    plan.register(app)
    done = CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert done.exit_code == 0
    return done.stdout


def test_a_plan_of_a_new_history(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("BACKBOARD_API_KEY", "OPENAI_API_KEY"):
        monkeypatch.setenv(name, "planted-key")
    found = json.loads(_invoke("plan", "--detect", "60", "--format", "json"))
    assert (found["conversations"], found["questions"]) == (2, 53)
    one, two, *_ = found["steps"]
    assert (one["repeats"], two["repeats"]) == (1, 2)
    # The canaries and the ingestion are paid once; answers and verdicts each time.
    assert two["calls"] - one["calls"] == 2 * 53 + 53
    assert found["noise"]["flip_source"] == "assumed"
    assert found["enough"]["detectable_points"] <= 60
    text = _invoke("plan", "--detect", "60")
    assert "10.0 % of answers flip (assumed)" in text
    assert "To see 60 points: 2 repeats of these questions" in text
    assert not (home / "dagster").exists()


def test_the_earlier_release_keeps_its_repeats(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(Exception, match="nothing is measured in"):
        _invoke("plan", "--against", "r1")
    monkeypatch.setenv("DAGSTER_HOME", str(prepare_home(home)))
    launch(Launch("r1", questions=2, repeats=2), Services(read_settings()))
    found = json.loads(_invoke("plan", "--against", "r1", "--format", "json"))
    assert {step["repeats_a"] for step in found["steps"]} == {2}
    assert found["noise"]["flip_source"] == "2 repeats of r1"
    with pytest.raises(UnknownReleaseError, match="release r9: no verdicts"):
        _invoke("plan", "--against", "r9")


def test_a_dry_run_says_what_it_would_see(home: Path) -> None:
    text = _invoke("run", "--dry-run", "--repeats", "3")
    assert "2 conversations, 53 questions, 3 repeats: a comparison calls a true difference" in text
    assert "`locomo-assets plan`" in text
