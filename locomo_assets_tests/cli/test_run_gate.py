"""The gate of a run: what its end says of the release it has measured."""

from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from locomo_assets.analysis.comparison.gate import CannotTellError, WorseError
from locomo_assets.analysis.fail_on import FailOn
from locomo_assets.cli.run import end_with_gate, register
from locomo_assets.history.database import refresh
from locomo_assets.pipeline.launch import Launch
from locomo_assets.services import Services
from locomo_assets.settings import SettingsError, read_settings
from locomo_assets_tests.analysis.factories import HistoryBuilder
from locomo_assets_tests.history.factories import ASKED_AT, commit, lineage

CONVERSATIONS = [f"conv-{number}" for number in range(1, 8)]
STOPPED = {
    "against": "r1",
    "question_protocol": "isolated",
    "judge": "lexical",
    "look": 1,
    "looks": 5,
    "questions": 56,
    "of_questions": 1000,
    "decision": "cannot tell",
    "margin_points": 1.0,
    "looked_at": ASKED_AT,
}


@pytest.fixture
def history(home: Path) -> HistoryBuilder:
    """r2 was asked half of r1's questions, and lost many."""
    (home / "history").mkdir()
    made = HistoryBuilder(home / "history")
    made.dataset(CONVERSATIONS, 20)
    made.measure("r1", dict.fromkeys(CONVERSATIONS, "++++-" * 4))
    lost = dict.fromkeys(CONVERSATIONS[1:], "+-++-+-++-")
    made.measure("r2", {"conv-1": "++++-+-++-", **lost})
    refresh(made.store, made.database_path)
    return made


def test_it_compares_the_questions_of_the_run(
    history: HistoryBuilder, capsys: pytest.CaptureFixture[str]
) -> None:
    services = Services(read_settings())
    with pytest.raises(WorseError, match="release r2 against r1: worse, and --fail-on is worse"):
        end_with_gate(services, Launch("r2"), None, "r1", FailOn.worse)
    assert "r2 is worse than r1: the difference of -23.21 points" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("of_questions", "wanted"),
    [(1000, Launch("r2")), (56, Launch("r2", until_decided=True, against="r1"))],
    ids=["stopped earlier", "decided at the last look"],
)
def test_the_decision_of_a_run_that_looked_counts(
    history: HistoryBuilder, of_questions: int, wanted: Launch
) -> None:
    row = {**STOPPED, "of_questions": of_questions}
    commit(history.store, lineage("stopped_runs", "r2", None), {"stopped_runs": [row]})
    refresh(history.store, history.database_path)
    services = Services(read_settings())
    end_with_gate(services, wanted, None, "r1", FailOn.worse)
    with pytest.raises(CannotTellError):
        end_with_gate(services, wanted, None, "r1", FailOn.cannot_tell)


def test_a_threshold_without_a_baseline_is_refused(home: Path) -> None:
    app = typer.Typer()
    register(app)
    done = CliRunner().invoke(app, ["--fail-on", "worse"])
    assert isinstance(done.exception, SettingsError)
    assert "--gate-against" in str(done.exception)
    assert list(home.iterdir()) == []
