"""The drift of measured releases: which are joined, from where on, and what is said of it."""

from pathlib import Path

import pytest

from locomo_assets.analysis.accuracy import by_release
from locomo_assets.analysis.checks import CheckSeverity, no_drift
from locomo_assets.analysis.drift.history import Drift, read_drift
from locomo_assets.history.database import query, refresh
from locomo_assets.runs.releases import pin_baseline
from locomo_assets_tests.analysis.factories import HistoryBuilder
from locomo_assets_tests.history.factories import ASKED_AT, commit, lineage

NAMES = ("conv-1", "conv-2", "conv-3")


def signs(wrong: int, shift: int = 0) -> str:
    """Forty questions, eight of them of category 5, with so many wrong ones, a little moved."""
    return "".join("-" if (n - shift) % 40 < wrong else "+" for n in range(40))


class Releases:
    """Measured releases, and their drift."""

    def __init__(self, folder: Path) -> None:
        self.history = HistoryBuilder(folder)
        self.history.dataset(NAMES, 40)

    def measure(self, release: str, wrong: int) -> None:
        self.history.measure(release, {name: signs(wrong + n, n) for n, name in enumerate(NAMES)})

    def drift(self, release: str | None = None) -> Drift:
        path = refresh(self.history.store, self.history.database_path).path
        rows = by_release(path, release, max_error_percent=2.0)
        return read_drift(path, rows[0], by_release(path, None, max_error_percent=2.0))


@pytest.fixture
def releases(tmp_path: Path) -> Releases:
    return Releases(tmp_path)


def test_a_fall_is_told_with_its_numbers(releases: Releases) -> None:
    for n in range(8):
        releases.measure(f"r{n}", wrong=2 + 3 * n + n % 2)
    drift = releases.drift()
    assert (drift.questions, drift.conversations) == (96, 3)
    assert drift.releases == tuple(f"r{n}" for n in range(8))
    assert drift.raised
    assert drift.in_words.startswith("falls over 8 releases: ")
    assert "points a release (95 % −" in drift.in_words
    finding = no_drift(drift)
    assert not finding.passed
    assert finding.severity is CheckSeverity.WARN
    assert float(finding.numbers["slope_points_a_release"]) < -5
    first = releases.drift("r3")
    assert first.releases == ("r0", "r1", "r2", "r3")
    assert "looked for in 5 or more" in first.in_words
    assert no_drift(first).passed


def test_no_fall_says_what_would_have_been_seen(releases: Releases) -> None:
    for n, wrong in enumerate((5, 4, 6, 5, 4, 5)):
        releases.measure(f"r{n}", wrong)
    drift = releases.drift()
    assert drift.in_words.startswith("no fall seen over 6 releases: ")
    assert "would have been seen in 80 of 100" in drift.in_words
    assert no_drift(drift).passed
    assert no_drift(None).actual == "nothing is measured yet"


def test_what_can_not_be_joined_is_named(releases: Releases) -> None:
    releases.measure("r0", 4)
    releases.history.measure("r1", {"conv-1": signs(4)})
    releases.history.measure("r2", {name: "??" + signs(4)[2:] for name in NAMES})
    releases.measure("r3", 5)
    drift = releases.drift()
    assert drift.releases == ("r0", "r3")
    assert drift.left_out == (
        ("r1", "asked other questions, 32 of 1 conversation"),
        ("r2", "not valid: 6.25 % of its questions have no verdict"),
    )


def test_stopped_runs_are_left_out_even_if_they_asked_the_same(releases: Releases) -> None:
    for release in ("r0", "r1"):
        releases.history.measure(release, {"conv-1": signs(4)})
    row = {"question_protocol": "isolated", "judge": "lexical", "of_questions": 96}
    who = lineage("stopped_runs", "r0", conversation=None)
    commit(releases.history.store, who, {"stopped_runs": [{**row, "looked_at": ASKED_AT}]})
    drift = releases.drift()
    assert drift.releases == ("r1",)
    assert drift.left_out == (("r0", "stopped when a comparison was decided, after 32 questions"),)


def test_the_pinned_release_is_where_the_series_begins(releases: Releases) -> None:
    for n in range(4):
        releases.measure(f"r{n}", 4)
    store, path = releases.history.store, releases.history.database_path
    before = releases.drift()
    pin_baseline(store, "r1", "run")
    drift = releases.drift()
    assert (before.baseline, drift.baseline) == (None, "r1")
    assert drift.releases == ("r1", "r2", "r3")
    assert "3 releases since the pinned baseline r1" in drift.in_words
    assert query(path, "SELECT release FROM current_baseline")[1] == [("r1",)]
    # Pinning measures nothing: neither order nor costs change.
    assert query(path, "SELECT release FROM release_order ORDER BY position")[1][0] == ("r0",)
    pin_baseline(store, "r2", "run")
    assert releases.drift().releases == ("r2", "r3")
    pin_baseline(store, "r2", "run", pinned=False)
    assert releases.drift().releases == before.releases
    assert query(path, "FROM current_baseline")[1] == []


def test_a_question_that_was_asked_several_times_counts_with_its_mean(releases: Releases) -> None:
    releases.measure("r0", 4)
    once = releases.drift().accuracies_percent
    releases.measure("r0", 12)
    releases.measure("r1", 12)
    (twice, single) = releases.drift().accuracies_percent
    assert twice == pytest.approx((once[0] + single) / 2, abs=0.01)
