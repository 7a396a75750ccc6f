"""Agreement of two judges: by hand, and read from a history that both have judged."""

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from locomo_assets.analysis.agreement import agreement, judge_agreement
from locomo_assets.analysis.comparison.series import NotComparableError
from locomo_assets.history import database
from locomo_assets.pipeline.launch import Launch, launch, prepare_home
from locomo_assets.services import Services
from locomo_assets.settings import read_settings
from locomo_assets.standin.server import running_standin
from locomo_assets.standin.settings import DEFAULT_KEY, StandinSettings
from locomo_assets_tests.conftest import REPOSITORY


def test_worked_by_hand() -> None:
    pairs = [(True, True)] * 20 + [(True, False)] * 5 + [(False, True)] * 10 + [(False, False)] * 15
    found = agreement(pairs)
    assert found.answers == 50
    assert found.agreement == pytest.approx(0.7)
    # chance: 0.5 * 0.6 + 0.5 * 0.4 = 0.5
    assert found.kappa == pytest.approx(0.4)
    assert found.balanced_accuracy == pytest.approx((0.8 + 0.6) / 2)


@pytest.mark.parametrize("only", [True, False])
def test_one_kind_of_verdict_has_no_kappa(only: bool) -> None:
    found = agreement([(only, only)] * 3)
    assert (found.agreement, found.kappa, found.balanced_accuracy) == (1.0, None, None)


def test_nothing_judged_is_nothing_known() -> None:
    found = agreement([])
    assert (found.answers, found.agreement, found.kappa) == (0, None, None)


@given(st.lists(st.tuples(st.booleans(), st.booleans()), max_size=30))
def test_kappa_does_not_care_who_is_first(pairs: list[tuple[bool, bool]]) -> None:
    there, back = agreement(pairs), agreement([(b, a) for a, b in pairs])
    assert there.kappa == (None if back.kappa is None else pytest.approx(back.kappa))
    assert there.only_a_correct == back.only_b_correct


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
        services = Services(read_settings())
        launch(wanted, services)
    return services.settings.database_path


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

    output = subprocess.run(
        [sys.executable, "-m", "locomo_assets.cli", "judge-agreement", a, b],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert "answers judged by both: 12" in output
    assert f"agreement: {found.agreement:.3f}" in output
