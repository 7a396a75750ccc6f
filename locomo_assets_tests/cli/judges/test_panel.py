"""`judge-panel`: judges over a real socket; a failure, a kill, the real answers."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from locomo_assets.cli.judges.judging import JudgingError
from locomo_assets.history.provenance import Manifest, UnfinishedAttempt
from locomo_assets.history.store import HistoryStore
from locomo_assets.judging.canaries import packaged_canaries
from locomo_assets.runs.panel.judges import PanelFileError
from locomo_assets.settings import SettingsError
from locomo_assets.standin.server import BaseUrls, running_standin
from locomo_assets.standin.settings import DEFAULT_KEY, StandinSettings
from locomo_assets_tests.cli.judges.imported import (
    ANSWERS,
    RELEASE,
    command,
    failure,
    import_answers,
    invoke,
    sql,
    started,
)
from locomo_assets_tests.conftest import SHARED_DATA
from locomo_assets_tests.judging.scripted import (
    KEY,
    Answer,
    Request,
    ScriptedServer,
    completion,
    failing,
    model,
    scripted_server,
)

CANARIES = len(packaged_canaries().canaries)
RULES = '[judges.rules]\nkind = "lexical"\n'
THEIRS = '[judges.theirs]\nkind = "stored"\njudge = "some-judge"\n'


def a_model(name: str, url: str, **more: object) -> str:
    keys = {"model": "some-model", "base_url": url, "api_key_env": "PANEL_KEY", **more}
    return f"[judges.{name}]\n" + "".join(f"{k} = {json.dumps(v)}\n" for k, v in keys.items())


def panel_file(folder: Path, *judges: str) -> str:
    path = folder / "judges.toml"
    path.write_text("\n".join(judges))
    return str(path)


@pytest.fixture
def standin(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[BaseUrls]:
    monkeypatch.setenv("PANEL_KEY", DEFAULT_KEY)
    with running_standin(StandinSettings(), home / "judge.sqlite") as urls:
        yield urls


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[ScriptedServer]:
    monkeypatch.setenv("PANEL_KEY", KEY)
    with scripted_server() as script:
        yield script


def test_a_panel_over_imported_answers(home: Path, standin: BaseUrls) -> None:
    import_answers(home)
    voting = a_model("voting", standin.openai, votes=3)
    file = panel_file(home, RULES, voting, THEIRS)
    arguments = ("judge-panel", file, "--release", RELEASE)
    forecast = command(*arguments, "--dry-run")
    assert "voting" in forecast
    assert sql("SELECT DISTINCT judge FROM judgements") == [("some-judge",)]
    output = command(*arguments, "--show", "2")
    assert f"3 judges on the same {ANSWERS} answers" in output
    assert f"Over the {ANSWERS} of {ANSWERS} answers" in output
    assert "theirs (some-judge)" in output
    assert f"0 of {ANSWERS} (×3)" in output
    assert "2 of the " in output
    found = json.loads(invoke(*arguments, "--format", "json").stdout)
    (panel,) = found["panels"]
    assert panel["possible"] == 1.0
    assert [one["judge"] for one in panel["judges"]][-1] == "some-judge"
    assert len(panel["pairs"]) == 3
    # All is there by now: the forecast is nothing, and nothing is asked but for the model's name.
    spent = {one["name"]: (one["forecast"]["calls"], one["requests"]) for one in found["spending"]}
    assert spent == {"rules": (0, 0), "voting": (0, 1)}
    markdown = invoke(*arguments, "--format", "markdown").stdout
    assert "| A | " in markdown
    shown = command("report", "--release", RELEASE)
    assert f"3 judges on the same {ANSWERS} answers" in shown
    page = home / "report.html"
    command("report", "--release", RELEASE, "--html", str(page))
    assert 'id="panel-judges"' in page.read_text()


def test_a_judge_that_fails_leaves_the_others_standing(home: Path, standin: BaseUrls) -> None:
    import_answers(home)
    away = a_model("away", "http://127.0.0.1:9/v1")
    file = panel_file(home, RULES, away, a_model("there", standin.openai))
    done = invoke("judge-panel", file, "--release", RELEASE)
    assert f"2 judges on the same {ANSWERS} answers" in done.output
    error = done.exception
    assert isinstance(error, JudgingError)
    assert str(error).startswith("1 of 3 judges is missing in the panel: away: judge at 127.0.0.1")
    assert str(error).endswith("check that it is up, its base_url and the network")
    assert error.exit_code == 1


def test_a_refused_key_is_named_as_in_the_file(home: Path, server: ScriptedServer) -> None:
    import_answers(home)
    server.verdicts = [failing(401)]
    file = panel_file(home, RULES, a_model("refused", server.base_url))
    error = failure("judge-panel", file, "--release", RELEASE)
    assert "the key is refused (401)" in str(error)
    assert "; check PANEL_KEY and that it may" in str(error)


def test_what_cannot_be_asked_is_refused_before_any_is(
    home: Path, server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    import_answers(home)
    fine = a_model("fine", server.base_url)
    no_prompt = a_model("other", server.base_url, prompt="none.txt")
    arguments = ("--release", RELEASE)
    error = failure("judge-panel", panel_file(home, fine, no_prompt), *arguments)
    assert isinstance(error, PanelFileError)
    assert "judges.other: judge prompt" in str(error)
    monkeypatch.delenv("PANEL_KEY")
    error = failure("judge-panel", panel_file(home, fine, RULES), *arguments)
    assert isinstance(error, SettingsError)
    assert str(error).startswith("judges.fine: PANEL_KEY is not set")
    assert server.keys == []
    assert server.bodies == []


def test_a_judge_without_verdicts_is_named(home: Path) -> None:
    import_answers(home)
    absent = THEIRS.replace("some-judge", "another-judge")
    error = failure("judge-panel", panel_file(home, RULES, absent), "--release", RELEASE)
    assert "theirs: has scored none of these answers under the name another-judge" in str(error)


def test_a_killed_panel_goes_on_without_a_second_payment(
    home: Path, server: ScriptedServer
) -> None:
    """Whatever verdict was saved when the process died is not asked for again."""
    import_answers(home)
    asked: list[str] = []

    def slow(request: Request) -> Answer:
        if request.method == "GET":
            return model()
        asked.append(request.body["messages"][-1]["content"])
        time.sleep(0.5)
        return completion()

    server.recreated = slow
    file = panel_file(home, RULES, a_model("slow", server.base_url))
    arguments = ("judge-panel", file, "--release", RELEASE)
    store = HistoryStore.open((home / "history").as_uri())

    def saved() -> list[dict[str, Any]]:
        attempts: list[Manifest | UnfinishedAttempt] = []
        for name in ("sample-1", "sample-2"):
            attempts += store.unfinished("judgements", RELEASE, name)
            attempts += store.manifests("judgements", RELEASE, name)
        rows = store.read("judgements", attempts).to_pylist()
        return [row for row in rows if row["judge_system"] != "lexical"]

    process = started(*arguments)
    deadline = time.monotonic() + 90
    while not saved():
        assert process.poll() is None, "it ended before it was killed"
        assert time.monotonic() < deadline
        time.sleep(0.02)
    process.kill()
    process.wait()
    paid = {row["answer_id"] for row in saved()}
    begun = len(asked)
    assert 0 < len(paid) < ANSWERS
    forecast = command(*arguments, "--dry-run")
    assert f"slow   {ANSWERS - len(paid) + CANARIES} " in forecast
    command(*arguments)
    answers = sql("SELECT answer_id, question, answer FROM current_answers")
    asked_again = [
        answer_id
        for answer_id, question, answer in answers
        if answer_id in paid
        and any(question in message and answer in message for message in asked[begun:])
    ]
    assert asked_again == []
    assert len(asked) - begun <= ANSWERS - len(paid) + CANARIES
    correct = (
        "SELECT count(*) FROM current_judgements "
        "WHERE judge_system = '127.0.0.1' AND verdict = 'correct'"
    )
    assert sql(correct) == [(ANSWERS,)]


@pytest.mark.real_data
def test_a_panel_over_the_published_answers(
    real_dataset: Path, home: Path, standin: BaseUrls
) -> None:
    folder = SHARED_DATA / "backboard-published"
    if not folder.exists():
        pytest.skip("the published files are not beside the project")
    command("import", "backboard-published", str(folder), "--dataset", str(real_dataset))
    published = (
        '[judges.published]\nkind = "stored"\njudge = "gpt-4.1/judge-prompt-reference@7c7cbfda"\n'
    )
    file = panel_file(home, RULES, published, a_model("standin", standin.openai))
    output = command("judge-panel", file, "--release", "backboard-published", "--show", "0")
    assert "3 judges on the same 1,540 answers" in output
    assert "90.00 % correct" in output
    assert "Over the 1,540 of 1,540 answers" in output
    # The agreement that docs/judges.md tells of the lexical judge.
    assert "0.575" in output
    assert "89.9 %" in output
    assert sql("SELECT judge_system, count(*) FROM current_judgements GROUP BY 1 ORDER BY 1") == [
        ("lexical", 1540), ("openai", 1540), ("standin", 1540),
    ]  # fmt: skip
