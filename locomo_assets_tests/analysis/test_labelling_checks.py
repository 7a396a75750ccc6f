"""What is said of a release's label."""

from pathlib import Path

import pytest

from locomo_assets.analysis.checks import release_is_what_was_measured
from locomo_assets.history.database import refresh
from locomo_assets.history.store import HistoryStore
from locomo_assets_tests.history.factories import ASKED_AT, commit, commit_answers, lineage


@pytest.mark.parametrize(
    ("verdict", "passed", "told"),
    [
        ("as_labelled", True, "it is"),
        ("release_changed", False, "it changed during 1 conversations: so it was"),
        ("exempt", True, "not held to it: so it was"),
        ("unknown", True, "unknown: so it was"),
        (None, True, "nobody checked"),
    ],
)
def test_finding(verdict: str | None, passed: bool, told: str, tmp_path: Path) -> None:
    store = HistoryStore.open((tmp_path / "history").as_uri())
    commit_answers(store, lineage("answers"))
    if verdict:
        row = {
            "stage": "answers",
            "moment": "after",
            "verdict": verdict,
            "reason": "so it was",
            "checked_at": ASKED_AT,
        }
        commit(store, lineage("answers"), {"release_checks": [row]})
    path = refresh(store, tmp_path / "history.duckdb").path
    finding = release_is_what_was_measured(path, "r1")
    assert (finding.passed, finding.actual) == (passed, told)
