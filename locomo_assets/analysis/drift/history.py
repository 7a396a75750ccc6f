"""The drift of a series of releases, read from the history, and what it says in words."""

from collections.abc import Sequence, Set
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np

from locomo_assets.analysis.accuracy import Accuracy
from locomo_assets.analysis.comparison.decision import p_text
from locomo_assets.analysis.drift.alarms import (
    LEAST_RELEASES,
    RELEASES_A_YEAR,
    Alarm,
    AlarmTest,
    Slope,
    examine,
)
from locomo_assets.history import database

_FOLDER = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Drift:
    """A series of releases, oldest first, and whether its accuracy has gone down.

    `accuracies_percent` are over the `questions` that all its releases have scored. `baseline` is
    the pinned release, with which the series then begins. `left_out` names releases of the series
    that are not joined, with the reason. `tests` are empty with too few releases.
    """

    releases: tuple[str, ...]
    accuracies_percent: tuple[float, ...]
    questions: int
    conversations: int
    baseline: str | None
    tests: tuple[AlarmTest, ...]
    slope: Slope | None
    left_out: tuple[tuple[str, str], ...]

    @property
    def raised(self) -> tuple[AlarmTest, ...]:
        """The tests that alarm."""
        return tuple(test for test in self.tests if test.raised)

    @property
    def in_words(self) -> str:
        """What was found, as half a sentence."""
        begin = f" since the pinned baseline {self.baseline}" if self.baseline else ""
        over = f"{len(self.releases)} releases{begin}"
        if not self.tests:
            least = f"a drift is looked for in {LEAST_RELEASES} or more that differ"
            return f"{over}, {self.questions} questions all have: {least}"
        if self.raised:
            return f"falls over {over}: {'; '.join(map(self._alarm, self.raised))}"
        return f"no fall seen over {over}: {self._slope()}"

    def _alarm(self, test: AlarmTest) -> str:
        if test.alarm is Alarm.SLOPE:
            return f"slope {self._slope()}, {p_text(test.value or 0.0)}"
        if test.alarm is Alarm.CUSUM:
            return f"CUSUM {test.value:.1f}, alarm from {test.limit:.1f} on"
        against = self.releases[test.against or 0]
        points = _points(test.change or 0.0)
        return f"{test.alarm}: {points} points to {against} ({p_text(test.value or 0.0)})"

    def _slope(self) -> str:
        if self.slope is None:
            return "no slope"
        low, high = self.slope.interval
        seen = f"; a fall of {100 * self.slope.detectable:.2f} would have been seen in 80 of 100"
        return (
            f"{_points(self.slope.change)} points a release "
            f"(95 % {_points(low)} … {_points(high)})" + ("" if self.raised else seen)
        )


def read_drift(database_path: Path, row: Accuracy, rows: Sequence[Accuracy]) -> Drift:
    """The series of a row up to its release, from the pinned baseline on if that is one of it.

    `rows` are `by_release` of all. Releases that were asked other questions, were stopped, or are
    not valid are left out.
    """
    of_series = [one for one in rows[::-1] if one.series == row.series]
    with database.open_read_only(database_path) as connection:
        names = ("system", "question_protocol", "dataset_sha256")
        given = {name: getattr(row, name) for name in names}
        known = connection.execute(_sql("pinned"), given).fetchall()
    order = [release for release, *_ in known]
    stopped = {release for release, _, _, is_stopped in known if is_stopped}
    until = [one for one in of_series if _place(order, one) <= _place(order, row)]
    pinned = next((release for release, _, is_pinned, _ in known if is_pinned), None)
    releases = [one.release for one in until]
    if pinned in releases:
        until = until[releases.index(pinned) :]
    left_out = {one.release: reason for one in until if (reason := _reason(one, row, stopped))}
    joined = [one.release for one in until if one.release not in left_out]
    baseline = pinned if pinned in joined else None
    # Older ones count for nothing but as the baseline, and would cost questions all have.
    recent = joined[-RELEASES_A_YEAR:]
    if baseline and baseline not in recent:
        recent = [baseline, *recent]
    shares, sizes = _read_shares(database_path, row, recent)
    times = {release: at for release, at, *_ in known}
    looks = _releases_of_a_year([times.get(release) for release in joined])
    tests, slope = (
        examine(shares, sizes, pinned=baseline is not None, looks=looks) if sizes else ((), None)
    )
    accuracies = shares @ np.array(sizes) / sum(sizes) if sizes else []
    return Drift(
        releases=tuple(recent),
        accuracies_percent=tuple(round(100 * float(one), 2) for one in accuracies),
        questions=sum(sizes),
        conversations=len(sizes),
        baseline=baseline,
        tests=tests,
        slope=slope,
        left_out=tuple(left_out.items()),
    )


def _read_shares(
    database_path: Path, row: Accuracy, releases: Sequence[str]
) -> tuple[np.ndarray, list[int]]:
    names = ("system", "question_protocol", "judge", "dataset_sha256")
    given = {name: getattr(row, name) for name in names}
    with database.open_read_only(database_path) as connection:
        found = connection.execute(_sql("series"), {**given, "releases": list(releases)}).fetchall()
    sizes = {conversation: questions for conversation, questions, _, _ in found}
    shares = np.zeros((len(releases), len(sizes)))
    columns = {conversation: n for n, conversation in enumerate(sizes)}
    for conversation, _, release, share in found:
        shares[releases.index(release), columns[conversation]] = share
    return shares, list(sizes.values())


def _place(order: Sequence[str], row: Accuracy) -> int:
    return order.index(row.release) if row.release in order else -1


def _reason(one: Accuracy, row: Accuracy, stopped: Set[str]) -> str | None:
    if one.release in stopped:
        return f"stopped when a comparison was decided, after {one.questions:,} questions"
    if one.trend_key != row.trend_key:
        plural = "" if one.conversations == 1 else "s"
        return (
            f"asked other questions, {one.questions:,} of {one.conversations} conversation{plural}"
        )
    if not one.valid:
        return f"not valid: {one.error_percent:.2f} % of its questions have no verdict"
    return None


def _releases_of_a_year(times: Sequence[datetime | None]) -> int:
    """How many of the times lie in the year that ends with the newest."""
    known = [at for at in times if at is not None]
    return sum(at > max(known) - timedelta(days=365) for at in known)


def _points(share: float) -> str:
    return f"{100 * share:+.2f}".replace("-", "−")


def _sql(name: str) -> str:
    return (_FOLDER / f"{name}.sql").read_text(encoding="utf-8")
