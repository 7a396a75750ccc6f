"""Two judges on the same answers, read from a history that both have judged."""

import subprocess
import sys
from pathlib import Path

import pytest

from locomo_assets.analysis.agreement import judge_agreement
from locomo_assets.analysis.series import NotComparableError
from locomo_assets.history import database
from locomo_assets.pipeline.launch import Launch, launch, prepare_home
from locomo_assets.services import Services
from locomo_assets.settings import read_settings
from locomo_assets.standin.server import running_standin
from locomo_assets.standin.settings import DEFAULT_KEY, StandinSettings
from locomo_assets_tests.conftest import REPOSITORY


@pytest.fixture
def judged_twice(home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The database of a release judged by the lexical judge and by the stand-in's (three votes)."""
    monkeypatch.setenv("DAGSTER_HOME", str(prepare_home(home)))
    wanted = Launch(release="r1", questions=6)
    launch(wanted, Services(read_settings()))
    with running_standin(StandinSettings(), home / "judge.sqlite") as urls:
        monkeypatch.setenv("OPENAI_BASE_URL", urls.openai)
        monkeypatch.setenv("OPENAI_API_KEY", DEFAULT_KEY)
        monkeypatch.setenv("LOCOMO_JUDGE_VOTES", "3")
        place = Services(read_settings())
        launch(wanted, place)
    return place.settings.database_path


def test_agreement_on_the_same_answers(judged_twice: Path) -> None:
    _, rows = database.query(
        judged_twice,
        "SELECT judge, votes, count(*), count(DISTINCT answer_id) FROM current_judgements "
        "GROUP BY ALL ORDER BY votes",
    )
    assert [row[1:] for row in rows] == [(1, 12, 12), (3, 12, 12)]
    a, b = str(rows[0][0]), str(rows[1][0])
    assert b.endswith(" ×3")
    found = judge_agreement(judged_twice, a, b, "r1")
    assert found.answers == 12
    [(same,)] = database.query(
        judged_twice,
        "SELECT count(*) FROM (SELECT answer_id FROM current_judgements GROUP BY answer_id "
        "HAVING count(DISTINCT verdict) = 1)",
    )[1]
    assert found.both_correct + found.both_wrong == same
    with pytest.raises(NotComparableError, match=f"choose two of: {a}, "):
        judge_agreement(judged_twice, a, "nobody")

    told = subprocess.run(
        [sys.executable, "-m", "locomo_assets.cli", "judge-agreement", a, b],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert "answers judged by both: 12" in told
    assert f"agreement: {found.agreement:.3f}" in told
