"""One look through a history's database, and what is refused before anything is asked."""

from pathlib import Path
from typing import Any

import pytest

from locomo_assets.analysis.comparison.decision import Conclusion
from locomo_assets.analysis.comparison.last_looks import LastLook, read_last_looks
from locomo_assets.analysis.comparison.series import NotComparableError, UnknownReleaseError
from locomo_assets.analysis.design.stopping import check_against, look
from locomo_assets.history.database import refresh
from locomo_assets_tests.analysis.factories import HistoryBuilder
from locomo_assets_tests.history.factories import DATASET, commit, lineage

NAMES = [f"conv-{number}" for number in range(8)]
QUESTIONS = 20
SERIES = {"judge": "lexical", "question_protocol": "isolated", "dataset_sha256": DATASET}


@pytest.fixture
def history(tmp_path: Path) -> HistoryBuilder:
    history = HistoryBuilder(tmp_path)
    history.dataset(NAMES, QUESTIONS)
    return history


def _measured(history: HistoryBuilder, release: str, verdicts: dict[str, str]) -> Path:
    history.measure(release, verdicts)
    return refresh(history.store, history.database_path).path


def _keys(number: int) -> set[tuple[str, int]]:
    return {(name, index) for name in NAMES for index in range(number)}


def test_a_look_has_its_own_questions_alone(history: HistoryBuilder) -> None:
    """The first ten questions became right; the others, asked by an earlier run, wrong."""
    _measured(history, "r1", dict.fromkeys(NAMES, "-" * 10 + "+" * 10))
    changed = {name: "+" * (9 + at % 2) + "-" * (11 - at % 2) for at, name in enumerate(NAMES)}
    path = _measured(history, "r2", changed)
    given = {"release": "r2", **SERIES}
    found = look(path, "r1", given, number=4, asked=_keys(10), of_questions=160, margin_points=1.0)
    assert (found.questions, found.paired.questions, found.paired.gains) == (80, 80, 76)
    assert found.decision is Conclusion.BETTER
    assert found.ends
    whole = look(path, "r1", given, number=4, asked=_keys(20), of_questions=160, margin_points=1.0)
    assert whole.decision is Conclusion.CANNOT_TELL
    assert not whole.ends


def test_what_is_missing_can_keep_a_look_from_deciding(history: HistoryBuilder) -> None:
    """A gain of two questions in each conversation, against four without a verdict."""
    _measured(history, "r1", dict.fromkeys(NAMES, "-" * 6 + "+" * 14))
    gained = {name: "+" * (2 + at % 2) + "-" * (4 - at % 2) for at, name in enumerate(NAMES)}
    given = {"release": "r2", **SERIES}
    path = _measured(history, "r2", {name: signs + "+" * 14 for name, signs in gained.items()})
    sure = look(path, "r1", given, number=5, asked=_keys(20), of_questions=160, margin_points=1.0)
    assert sure.decision is Conclusion.BETTER
    given["release"] = "r3"
    path = _measured(
        history, "r3", {name: signs + "+" * 10 + "????" for name, signs in gained.items()}
    )
    open_ = look(path, "r1", given, number=5, asked=_keys(20), of_questions=160, margin_points=1.0)
    assert open_.paired.p_values.differs is not None
    assert open_.paired.p_values.differs < 0.01
    assert open_.decision is Conclusion.CANNOT_TELL


def _check(path: Path, against: str, **other: Any) -> None:
    given: dict[str, Any] = {
        "question_protocol": "isolated",
        "judge": "lexical",
        "corrected": False,
        "dataset_sha256": DATASET,
        "asked": _keys(2),
    }
    check_against(path, against, **{**given, **other})


def test_refusals(history: HistoryBuilder, tmp_path: Path) -> None:
    with pytest.raises(UnknownReleaseError, match="nothing is measured yet"):
        _check(tmp_path / "none.duckdb", "r1")
    path = _measured(history, "r1", dict.fromkeys(NAMES, "+-"))
    _check(path, "r1")
    with pytest.raises(UnknownReleaseError, match="release r9: no verdicts"):
        _check(path, "r9")
    with pytest.raises(NotComparableError, match="not asked 8 of the 24 questions"):
        _check(path, "r1", asked=_keys(3))
    for other in ({"judge": "gpt-x/p"}, {"question_protocol": "published"}, {"corrected": True}):
        with pytest.raises(NotComparableError, match="run it under these settings first"):
            _check(path, "r1", **other)


def test_a_judge_at_a_server_of_its_own_is_known_by_its_name(history: HistoryBuilder) -> None:
    history.measure("r1", dict.fromkeys(NAMES, "+-"), judge="host.example:gpt-x/p@1")
    path = refresh(history.store, history.database_path).path
    _check(path, "r1", judge="gpt-x/p@1")


def test_the_mark_goes_with_the_rest(history: HistoryBuilder) -> None:
    row = {
        "against": "r1",
        "question_protocol": "isolated",
        "judge": "lexical",
        "look": 2,
        "looks": 5,
        "questions": 64,
        "of_questions": 100,
        "decision": "better",
        "difference": 0.043,
        "p_differs": 0.00012,
        "bound_differs": 0.0007,
        "bound_equivalent": 0.002,
        "margin_points": 1.0,
    }
    history.measure("r2", dict.fromkeys(NAMES, "+" * 10))
    commit(history.store, lineage("stopped_runs", "r2", None), {"stopped_runs": [row]})
    found = read_last_looks(refresh(history.store, history.database_path).path)["r2"]
    assert found.mark == "stopped at 64 of 100"
    assert found.sentence == (
        "r2 against r1, look 2 of 5 (64 of 100 questions): better (+4.30 points, p = 1.2e-04, "
        "below this look's 0.0007). It was stopped there: its numbers are of these questions "
        "alone; `run` without --until-decided asks the rest."
    )
    history.measure("r2", dict.fromkeys(NAMES, "+" * QUESTIONS))
    later: LastLook = read_last_looks(refresh(history.store, history.database_path).path)["r2"]
    assert not later.is_stopped
    assert later.mark == ""
