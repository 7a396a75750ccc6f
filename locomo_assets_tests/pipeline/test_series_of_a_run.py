"""A run's exit code, error line and checks speak of the series that it measured."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from locomo_assets.analysis.accuracy import InvalidNumbersError
from locomo_assets.pipeline.launch import prepare_home
from locomo_assets_tests.judging.scripted import KEY, ScriptedServer, completion, scripted_server
from locomo_assets_tests.pipeline.test_checks import evaluations, metadata_of

GOOD, BROKEN = completion(), completion("hm")


@pytest.fixture
def judge(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ScriptedServer]:
    monkeypatch.setenv("DAGSTER_HOME", str(prepare_home(home)))
    with scripted_server() as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.base_url)
        monkeypatch.setenv("OPENAI_API_KEY", KEY)
        yield server


def measured(judge: ScriptedServer, **environment: str) -> Result:
    """`run`, by a judge that is good or, if its model is called so, broken."""
    import typer

    from locomo_assets.cli import run

    app = typer.Typer()
    app.callback()(lambda: None)
    run.register(app)
    judge.fixed = BROKEN if environment.get("LOCOMO_JUDGE_MODEL") == "broken" else GOOD
    arguments = ["run", "--release", "r1", "--conversations", "sample-1", "--questions", "2"]
    return CliRunner().invoke(app, arguments, env={"LOCOMO_LOG_FORMAT": "json", **environment})


def error_budget() -> bool:
    return evaluations("accuracy_metrics", "error_budget")["r1"].passed


def test_a_good_judge_after_a_broken_one(judge: ScriptedServer) -> None:
    good = {"LOCOMO_JUDGE_MODEL": "good", "LOCOMO_QUESTION_PROTOCOL": "published"}
    assert measured(judge, **good).exit_code == 0
    broken = measured(judge, LOCOMO_JUDGE_MODEL="broken")
    assert isinstance(broken.exception, InvalidNumbersError)
    assert "100.00 % of its questions have no verdict" in str(broken.exception)
    assert not error_budget()
    asked = len(judge.bodies)
    again = measured(judge, **good)
    assert (again.exit_code, len(judge.bodies)) == (0, asked), again.exception
    assert error_budget()
    told = metadata_of("accuracy_metrics")
    assert ":good/" in str(told["judge"])
    assert told["question_protocol"] == "published"
