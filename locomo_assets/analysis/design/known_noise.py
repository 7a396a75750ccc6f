"""What the history knows of the noise that a plan needs; what it does not know is assumed."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from math import sqrt
from pathlib import Path

import duckdb

from locomo_assets.analysis.comparison.measured import BothMeasured, Measured, read_questions
from locomo_assets.analysis.comparison.noise import NoiseFloor, Question
from locomo_assets.analysis.comparison.paired import Pair
from locomo_assets.analysis.comparison.series import (
    AnalysisError,
    Series,
    choose_series,
    read_series,
)
from locomo_assets.analysis.design.planning import ASSUMED_NOISE, Noise
from locomo_assets.analysis.intervals import Cluster, standard_error
from locomo_assets.backboard.protocols import is_reference, is_variant
from locomo_assets.history import database
from locomo_assets.locomo.model import ADVERSARIAL

_NEWEST = 20


def known_noise(database_path: Path) -> Noise:
    """Of the newest release with repeats, and of the newest two that can be compared."""
    if not database_path.exists():
        return ASSUMED_NOISE
    with database.open_read_only(database_path) as connection:
        found = connection.execute(
            "SELECT release FROM release_order SEMI JOIN current_judgements USING (release) "
            "ORDER BY position DESC LIMIT $1",
            [_NEWEST],
        ).fetchall()
        releases = [name for (name,) in found]
        noise = _of_repeats(connection, releases)
        for later, earlier in pairwise(releases):
            try:
                return _with_spread(connection, earlier, later, noise)
            except AnalysisError:  # what can't be compared says nothing of the spread
                continue
    return noise


def _of_repeats(connection: duckdb.DuckDBPyConnection, releases: Sequence[str]) -> Noise:
    for release in releases:
        series = sorted(
            read_series(connection, release),
            key=lambda one: (
                is_reference(one.question_protocol),
                is_variant(one.question_protocol),
                one.gold != "published",
            ),
        )
        for one in series:
            floor = _floor(connection, one)
            if floor.flip_rate is not None:
                return _from_floor(release, floor)
    return ASSUMED_NOISE


def _floor(connection: duckdb.DuckDBPyConnection, series: Series) -> NoiseFloor:
    questions = read_questions(connection, series)
    scored = {key for key, row in questions.items() if row["category"] != ADVERSARIAL}
    return Measured(connection, series, questions).noise(scored)


def _from_floor(release: str, floor: NoiseFloor) -> Noise:
    source = f"{floor.repeats} repeats of {release}"
    noise = replace(ASSUMED_NOISE, flip_rate=floor.flip_rate or 0.0, flip_source=source)
    # Two repeats have one degree of freedom, which says next to nothing of a whole run.
    if floor.shift is None or floor.repeats < 3:
        return noise
    shift = 100 * sqrt(max(0.0, floor.shift.variance))
    return replace(noise, run_shift_points=shift, run_shift_source=source)


def _with_spread(
    connection: duckdb.DuckDBPyConnection, earlier: str, later: str, noise: Noise
) -> Noise:
    """What the conversations' changes differ by beyond the flips, by the method of moments."""
    (first, second), _ = choose_series(
        connection, earlier, later, judge=None, question_protocol=None, intersection=True
    )
    questions = read_questions(connection, first), read_questions(connection, second)
    both = BothMeasured(
        Measured(connection, first, questions[0]), Measured(connection, second, questions[1])
    )
    common = sorted(
        key
        for key in questions[0].keys() & questions[1].keys()
        if questions[0][key]["category"] != ADVERSARIAL
    )
    spread = spread_points(both.pairs(common), _answering_variance(both, common, noise.flip_rate))
    if spread is None:
        return noise
    return replace(noise, spread_points=spread, spread_source=f"{earlier} and {later}")


def _answering_variance(both: BothMeasured, keys: Sequence[Question], flip_rate: float) -> float:
    """Of the change of one question, by answering anew: as often as each was asked."""
    repeats = [max(1, one.noise(set(keys)).repeats) for one in both]
    return flip_rate / 2 * sum(1 / number for number in repeats)


def spread_points(pairs: Sequence[Pair], answering_variance: float) -> float | None:
    """The standard deviation of the true change between conversations; None below three."""
    sizes = Counter(pair.conversation for pair in pairs)
    if len(sizes) < 3:
        return None
    changes: dict[str, float] = {}
    for pair in pairs:
        changes[pair.conversation] = changes.get(pair.conversation, 0.0) + pair.change
    clusters = [Cluster(sizes[name], changes[name]) for name in sorted(sizes)]
    beyond = standard_error(clusters) ** 2 - answering_variance / len(pairs)
    shares = sum((size / len(pairs)) ** 2 for size in sizes.values())
    return 100 * sqrt(max(0.0, beyond) / shares)
