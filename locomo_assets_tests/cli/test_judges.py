"""`run` with judges that a server re-creates: a model that thinks, and one that has no credit."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from locomo_assets.history import database
from locomo_assets_tests.cli.test_commands import _refused, _run
from locomo_assets_tests.judging.scripted import KEY, Answer, ScriptedServer, scripted_server
from locomo_assets_tests.judging.servers import OpenAIReasoning, error


@pytest.fixture
def running() -> Iterator[ScriptedServer]:
    with scripted_server() as script:
        yield script


def judged_at(running: ScriptedServer, server: OpenAIReasoning) -> dict[str, str]:
    running.recreated = server
    return {
        "OPENAI_API_KEY": KEY,
        "OPENAI_BASE_URL": running.base_url,
        "LOCOMO_JUDGE_MODEL": server.model,
    }


ARGUMENTS = ("run", "--release", "r1", "--questions", "6", "--conversations", "sample-1")
VERDICTS = 6 + 36
"""With the canaries."""


def test_a_model_that_thinks_judges_and_is_not_asked_twice(
    tmp_path: Path, running: ScriptedServer
) -> None:
    server = OpenAIReasoning()
    environment = judged_at(running, server)
    done = _run(tmp_path, *ARGUMENTS, **environment)
    assert done.returncode == 0, done.stderr
    assert len(server.bodies) == VERDICTS + 1
    assert server.requests == len(server.bodies) + server.refusals
    _, rows = database.query(
        tmp_path / "history" / "history.duckdb",
        "SELECT DISTINCT verdict, judge_parameters_json FROM judgements",
    )
    ((verdict, parameters),) = rows
    assert verdict == "correct"
    assert json.loads(parameters).items() >= {"max_completion_tokens": 4000}.items()
    assert not {"temperature", "max_tokens"} & set(json.loads(parameters))

    again = _run(tmp_path, *ARGUMENTS, **environment)
    assert again.returncode == 0, again.stderr
    assert len(server.bodies) == VERDICTS + 1


class FailsLater(OpenAIReasoning):
    """Answers once, and then with an error."""

    def __init__(self, answer: Answer) -> None:
        super().__init__()
        self.answer = answer

    def reply(self, body: dict[str, Any]) -> Answer:
        return self.answer if len(self.bodies) > 1 else super().reply(body)


def test_without_quota_the_run_ends_at_once(tmp_path: Path, running: ScriptedServer) -> None:
    words = "You exceeded your current quota, please check your plan and billing details."
    server = FailsLater(error(429, words, code="insufficient_quota"))
    done = _run(tmp_path, *ARGUMENTS, **judged_at(running, server))
    line = _refused(done)
    assert "credit or quota is used up (429): You exceeded your current quota" in line
    # Those under way at once, twice: ahead, and when all questions are asked.
    assert server.requests <= server.refusals + 1 + 2 * 16


def test_the_commonest_reason_is_told(tmp_path: Path, running: ScriptedServer) -> None:
    server = FailsLater(error(400, "Prompt 17 was refused by policy 3."))
    done = _run(tmp_path, *ARGUMENTS, **judged_at(running, server))
    assert done.returncode == 3
    said = " ".join(done.stdout.split())
    assert re.search(
        r"6 unscored, judge 127\.0\.0\.1:gpt-5/generous@\w+: 6 of them because "
        r"HTTP 400: Prompt 17 was refused by policy 3\.",
        said,
    ), done.stdout
