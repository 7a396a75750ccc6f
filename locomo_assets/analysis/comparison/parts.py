"""The questions that two series have in common, as evidence: all of them, or a category.

What is said of the evidence belongs to `decision`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import duckdb

from locomo_assets.analysis.comparison.decision import Evidence
from locomo_assets.analysis.comparison.measured import SCORED, BothMeasured
from locomo_assets.analysis.comparison.noise import (
    NoiseFloor,
    Question,
    common_floor,
    exceeds,
    shift_of_difference,
)
from locomo_assets.analysis.comparison.paired import Pair, Paired, Shift, compare_pairs, holm_each


@dataclass(frozen=True, slots=True)
class Noise:
    """The noise floors of both releases and the larger of the two, `floor`.

    `exceeded` says whether the difference is above it; None where no floor is known. The floor is
    that of two single measurements; it does not decide.
    """

    a: NoiseFloor
    b: NoiseFloor
    floor: float | None
    exceeded: bool | None


@dataclass(frozen=True, slots=True)
class Bounds:
    """The difference if every question without a verdict counted against B, and for B."""

    unanswered: int
    low: float
    high: float


def common_questions(
    questions_a: Mapping[Question, Mapping[str, Any]],
    questions_b: Mapping[Question, Mapping[str, Any]],
) -> list[Question]:
    """Those that both were asked, with the same text, gold answer and category."""

    def same(key: Question) -> bool:
        one, other = questions_a[key], questions_b[key]
        return all(one[name] == other[name] for name in ("question", "gold_answer", "category"))

    return sorted(key for key in questions_a.keys() & questions_b.keys() if same(key))


def conversations_there(connection: duckdb.DuckDBPyConnection, dataset_sha256: str) -> int:
    """How many conversations the data set has, measured or not."""
    found = connection.execute(
        "SELECT count(DISTINCT conversation) FROM current_questions WHERE dataset_sha256 = $1",
        [dataset_sha256],
    ).fetchone()
    return int(found[0]) if found else 0


class Part(NamedTuple):
    """One category, or the whole: what was observed, and both bounds where something is missing."""

    noise: Noise
    unanswered: int
    evidence: tuple[Evidence, ...]

    def bounds(self) -> Bounds | None:
        if len(self.evidence) == 1:
            return None
        low, high = (one.paired.difference or 0.0 for one in self.evidence[1:])
        return Bounds(self.unanswered, low, high)


def part_of(keys: Sequence[Question], both: BothMeasured, margin: float) -> Part:
    """The evidence on these questions; `margin` is a share."""
    pairs = both.pairs(keys)
    scored = {key for key in keys if both.is_scored(key)}
    noises = both.a.noise(scored), both.b.noise(scored)
    shift = shift_of_difference(noises[0].shift, noises[1].shift)
    observed = paired_of(pairs, margin, shift)
    floor = common_floor(noises)
    noise = Noise(*noises, floor, exceeds(observed.difference, floor))
    low, high = (both.bound_pairs(keys, for_b=for_b) for for_b in (False, True))
    unanswered = sum(
        side.questions[key]["verdict"] not in SCORED for side in (both.a, both.b) for key in keys
    )
    bounds = [paired_of(each, margin, shift) for each in (low, high)] if unanswered else []
    return Part(noise, unanswered, tuple(map(Evidence.alone, [observed, *bounds])))


def paired_of(pairs: Sequence[Pair], margin: float, shift: Shift | None) -> Paired:
    """Without repeats the means are the verdicts themselves, and the exact test can be made."""
    if all(pair.mean_a in (0.0, 1.0) and pair.mean_b in (0.0, 1.0) for pair in pairs):
        pairs = [pair._replace(mean_a=None, mean_b=None) for pair in pairs]
    return compare_pairs(pairs, margin=margin, shift=shift)


def adjust_by_holm(families: Sequence[tuple[Evidence, ...]]) -> list[list[Evidence]]:
    """Each part's evidence, its p-values adjusted by Holm for the number of parts.

    The bounds of one part stand beside the bounds of the others, or what was observed there.
    """
    adjusted: list[list[Evidence]] = [[] for _ in families]
    for place in range(max(map(len, families), default=0)):
        level = [one[place] if place < len(one) else one[0] for one in families]
        p_values = holm_each([one.p_values for one in level])
        for found, one, p in zip(adjusted, families, p_values, strict=True):
            if place < len(one):
                found.append(one[place]._replace(p_values=p, adjusted=True))
    return adjusted
