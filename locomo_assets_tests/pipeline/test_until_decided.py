"""`run --until-decided --against R`, on six small conversations through the stand-in."""

import json
from pathlib import Path

import pytest

from locomo_assets.analysis.comparison import compare
from locomo_assets.analysis.comparison.last_looks import read_last_looks
from locomo_assets.analysis.comparison.series import NotComparableError, UnknownReleaseError
from locomo_assets.errors import LocomoError
from locomo_assets.history import database
from locomo_assets.locomo.sample import packaged_sample
from locomo_assets.pipeline.launch import (
    BadRequestError,
    Launch,
    LaunchError,
    forecast_launch,
    launch,
    prepare_home,
)
from locomo_assets.runs import runner
from locomo_assets.runs.context import RunContext, Task
from locomo_assets.runs.stages import AnswerQueue, StageReport
from locomo_assets.services import Services
from locomo_assets.settings import read_settings

CONVERSATIONS = 6
QUESTIONS = 8


@pytest.fixture
def services(home: Path, monkeypatch: pytest.MonkeyPatch) -> Services:
    """A margin so wide that a part of these few questions is enough for "equivalent"."""
    source = json.loads(Path(packaged_sample()).read_text())[0]
    talk = {name: source["conversation"][name] for name in ("speaker_a", "speaker_b")}
    talk |= {"session_1_date_time": source["conversation"]["session_1_date_time"]}
    talk["session_1"] = source["conversation"]["session_1"][:2]
    asked = [{**one, "evidence": []} for one in source["qa"] if one["category"] != 5][:QUESTIONS]
    made = [
        {"sample_id": f"conv-{number}", "conversation": talk, "qa": asked}
        for number in range(CONVERSATIONS)
    ]
    (home / "small.json").write_text(json.dumps(made))
    monkeypatch.setenv("LOCOMO_DATASET", str(home / "small.json"))
    monkeypatch.setenv("LOCOMO_MARGIN_POINTS", "60")
    monkeypatch.setenv("DAGSTER_HOME", str(prepare_home(home)))
    return Services(read_settings())


NEW = Launch("r2", until_decided=True, against="r1")


def _count(services: Services, sql: str) -> int:
    [(number,)] = database.query(services.settings.database_path, sql)[1]
    return int(str(number))


def _fails_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The second look's answers fail for one conversation, the first time."""
    whole = runner.STAGES["answers"]
    failed: list[str] = []

    async def fails(run: RunContext, task: Task, queue: AnswerQueue) -> StageReport:
        if task.share == 0.4 and task.conversation == "conv-3" and not failed:
            failed.append(task.conversation)
            raise LocomoError("the service lost conv-3")
        return await whole(run, task, queue)

    monkeypatch.setitem(runner.STAGES, "answers", fails)


def test_it_goes_on_after_a_failure_and_stops(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = services.settings.database_path
    launch(Launch("r1"), services)
    _fails_once(monkeypatch)
    with pytest.raises(LaunchError, match="the service lost conv-3"):
        launch(NEW, services)
    assert read_last_looks(path) == {}
    launch(NEW, services)
    found = read_last_looks(path)["r2"]
    whole = CONVERSATIONS * QUESTIONS
    assert (found.decision, found.of_questions) == ("equivalent", whole)
    assert found.is_stopped
    assert found.mark == f"stopped at {found.questions} of {whole}"
    asked = "SELECT count(*) FROM answers WHERE release = 'r2' AND outcome = 'answered'"
    assert _count(services, asked) == found.questions < whole
    with pytest.raises(NotComparableError):
        compare(path, "r1", "r2")
    notes = compare(path, "r1", "r2", intersection=True).notes
    assert any("It was stopped there" in note for note in notes)

    # A later run asks the rest, and no memory is told again.
    turns, questions, _ = forecast_launch(Launch("r2"), services)
    assert (turns.calls, questions.calls) == (0, 2 * (whole - found.questions))


def test_without_the_earlier_release_nothing_is_paid(services: Services) -> None:
    for act in (launch, forecast_launch):
        with pytest.raises(UnknownReleaseError, match="release r1: no verdicts in the history"):
            act(NEW, services)
    assert services.store().manifests() == []


@pytest.mark.parametrize(
    ("wanted", "text"),
    [
        (Launch("r2", until_decided=True), "go together"),
        (Launch("r2", against="r1"), "go together"),
        (Launch("r1", until_decided=True, against="r1"), "compared with another"),
        (Launch("r1", gate_against="r1"), "compared with another"),
        (Launch("r2", until_decided=True, against="r1", gate_against="r0"), "the same release"),
        (Launch("r2", until_decided=True, against="r1", repeats=2), "leave out"),
        (Launch("r2", until_decided=True, against="r1", questions=5), "leave out"),
    ],
)
def test_options_that_do_not_go_together(services: Services, wanted: Launch, text: str) -> None:
    with pytest.raises(BadRequestError, match=text):
        forecast_launch(wanted, services)
