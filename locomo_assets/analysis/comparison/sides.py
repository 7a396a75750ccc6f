"""One side of a comparison: who answered, how much was asked, whether its numbers are valid."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from locomo_assets.analysis.comparison.measured import SCORED
from locomo_assets.analysis.comparison.noise import Question
from locomo_assets.analysis.comparison.series import Series
from locomo_assets.locomo.model import ADVERSARIAL
from locomo_assets.prices import STANDIN


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two releases. `models` gave the answers, the one with most answers first.

    `asked` counts the questions of this series, and `only_here` those that the other lacks.
    `not_scored` counts the common questions without a verdict of correct or wrong on this side.
    `error_percent` of its questions (categories 1–4) have no such verdict; `valid` says whether
    that is few enough.
    """

    release: str
    system: str
    dataset_sha256: str
    models: tuple[str, ...]
    asked: int
    only_here: int
    not_scored: int
    error_percent: float
    valid: bool


def side_of(
    series: Series,
    questions: Mapping[Question, Mapping[str, Any]],
    common: Sequence[Question],
    max_error_percent: float,
) -> Side:
    models = Counter(row["model"] for row in questions.values() if row["model"])
    verdicts = [row["verdict"] for row in questions.values() if row["category"] != ADVERSARIAL]
    missing = sum(verdict not in SCORED for verdict in verdicts)
    error_percent = 100 * missing / max(len(verdicts), 1)
    return Side(
        release=series.release,
        system=series.system,
        dataset_sha256=series.dataset_sha256,
        models=tuple(name for name, _ in models.most_common()),
        asked=len(questions),
        only_here=len(questions) - len(common),
        not_scored=sum(questions[key]["verdict"] not in SCORED for key in common),
        error_percent=error_percent,
        valid=error_percent <= max_error_percent,
    )


def why_invalid(sides: Sequence[Side], max_error_percent: float) -> str | None:
    """Why a side is not valid; None where both are."""
    found = [
        f"{side.error_percent:.2f} % of the questions of {side.release} have no verdict"
        for side in sides
        if not side.valid
    ]
    if not found:
        return None
    return f"{' and '.join(found)} (LOCOMO_MAX_ERROR_PERCENT allows {max_error_percent:g} %)"


def side_notes(*sides: Side) -> list[str]:
    notes = []
    if len({side.models for side in sides}) > 1:
        models = (f"{side.release} by {', '.join(side.models) or 'unknown'}" for side in sides)
        notes.append(f"the answering models differ: {'; '.join(models)}")
    for side in sides:
        if side.only_here:
            notes.append(
                f"left out: {side.only_here} of {side.asked} questions only {side.release} has"
            )
    for side in sides:
        if side.not_scored:
            notes.append(
                f"left out: {side.not_scored} questions without a verdict in {side.release} "
                "(unanswered, unscored or not judged); the bounds say what they could change"
            )
    standins = sorted(side.release for side in sides if side.system == STANDIN)
    if standins:
        notes.append(f"{' and '.join(standins)}: the packaged stand-in, no real service")
    return notes
