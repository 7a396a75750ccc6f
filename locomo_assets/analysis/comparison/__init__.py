"""The comparison of two releases: overall, by category, and each question that flipped."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from locomo_assets.analysis.comparison.bridge import Bridge, bridge_of
from locomo_assets.analysis.comparison.decision import (
    Conclusion,
    Decision,
    Evidence,
    decide,
    in_points,
)
from locomo_assets.analysis.comparison.flips import Flip, read_flips
from locomo_assets.analysis.comparison.last_looks import last_looks
from locomo_assets.analysis.comparison.measured import BothMeasured, Measured, read_questions
from locomo_assets.analysis.comparison.noise import Question, contained
from locomo_assets.analysis.comparison.paired import Paired
from locomo_assets.analysis.comparison.parts import (
    Bounds,
    Noise,
    Part,
    adjust_by_holm,
    common_questions,
    conversations_there,
    part_of,
)
from locomo_assets.analysis.comparison.series import NotComparableError, Series, choose_series
from locomo_assets.analysis.comparison.sides import Side, side_notes, side_of, why_invalid
from locomo_assets.history import database
from locomo_assets.locomo.model import (
    ADVERSARIAL,
    OFFICIAL_NAMES,
    VENDOR_NAMES,
    named_categories,
)

MARGIN_POINTS = 1.0
MAX_ERROR_PERCENT = 2.0
"""The defaults of LOCOMO_MARGIN_POINTS and LOCOMO_MAX_ERROR_PERCENT."""


@dataclass(frozen=True, slots=True)
class CategoryComparison:
    """The comparison on one category, or over all scored categories (`category` None).

    `p_holm` is the deciding p-value adjusted for the number of categories; None over all of them.
    `bounds` is None where every common question has a verdict on both sides.
    """

    category: int | None
    name: str
    vendor_name: str
    paired: Paired
    p_holm: float | None
    noise: Noise
    bounds: Bounds | None
    verdict: Decision


@dataclass(frozen=True, slots=True)
class Comparison:
    """B against A. `overall` is over categories 1–4; `categories` has 5 only where both have it.

    `margin_points` is the difference that matters. `interval_contains` says in words what the
    interval allows for. `notes` say what a reader must know: what differs, was left out or chosen.
    """

    a: Side
    b: Side
    judge: str
    question_protocol: str
    margin_points: float
    overall: CategoryComparison
    categories: tuple[CategoryComparison, ...]
    flips: tuple[Flip, ...]
    interval_contains: str
    notes: tuple[str, ...]

    @property
    def valid(self) -> bool:
        """Whether both sides have few enough questions without a verdict."""
        return self.a.valid and self.b.valid

    @property
    def headline(self) -> str:
        """The decision as a sentence."""
        a, b, decision = self.a.release, self.b.release, self.overall.verdict
        match decision.word:
            case Conclusion.INVALID:
                return f"Invalid: {decision.because}."
            case Conclusion.CANNOT_TELL:
                return (
                    f"Cannot tell whether {b} is better or worse than {a}, because "
                    f"{decision.because}."
                )
            case Conclusion.UNCHANGED:
                return f"{b} is unchanged from {a}: {decision.because}."
            case Conclusion.EQUIVALENT:
                return f"{b} is equivalent to {a}: {decision.because}."
            case Conclusion.NOT_WORSE:
                return (
                    f"{b} is not worse than {a} by more than "
                    f"{in_points(self.margin_points / 100)}: {decision.because}."
                )
        return f"{b} is {decision.word} than {a}: {decision.because}."

    @property
    def bridge(self) -> Bridge:
        """At which steps questions of categories 1–4 were lost and gained."""
        return bridge_of((f.step, f.flip) for f in self.flips if f.category != ADVERSARIAL)

    @property
    def bridges(self) -> dict[str, Bridge]:
        """The same by category (`category 1`) and by conversation."""
        parts: dict[str, list[Flip]] = {}
        for flip in self.flips:
            parts.setdefault(f"category {flip.category}", []).append(flip)
            if flip.category != ADVERSARIAL:
                parts.setdefault(flip.conversation, []).append(flip)
        return {
            name: bridge_of((f.step, f.flip) for f in parts[name])
            for name in sorted(parts, key=lambda name: (not name.startswith("category "), name))
        }

    @property
    def category_names(self) -> str:
        """The categories that `overall` is over, as people write them: `categories 1–4`."""
        return named_categories(
            one.category for one in self.categories if one.category and one.category != ADVERSARIAL
        )


def compare(
    database_path: Path,
    a: str,
    b: str,
    *,
    judge: str | None = None,
    question_protocol: str | None = None,
    intersection: bool = False,
    margin_points: float = MARGIN_POINTS,
    max_error_percent: float = MAX_ERROR_PERCENT,
) -> Comparison:
    """Compares release B with release A, on the questions both have scored.

    A question counts with the mean of its repeats. A side with more than `max_error_percent` of its
    questions without a verdict is not valid, and neither is the comparison.

    Raises:
        UnknownReleaseError: a release has no verdicts.
        NotComparableError: judge, question protocol, data set or questions differ. With
            `intersection` the last two may.
    """
    with database.open_read_only(database_path) as connection:
        (first, second), notes = choose_series(
            connection,
            a,
            b,
            judge=judge,
            question_protocol=question_protocol,
            intersection=intersection,
        )
        questions_a, questions_b = (
            read_questions(connection, first),
            read_questions(connection, second),
        )
        notes += _without_lone_adversarial(first, questions_a, second, questions_b)
        common = common_questions(questions_a, questions_b)
        if not intersection:
            _refuse_other_questions(first, questions_a, second, questions_b, common)
        sides = (
            side_of(first, questions_a, common, max_error_percent),
            side_of(second, questions_b, common, max_error_percent),
        )
        measured_a, measured_b = (
            Measured(connection, first, questions_a),
            Measured(connection, second, questions_b),
        )
        there = conversations_there(connection, second.dataset_sha256)
        flips = read_flips(connection, first, second)
        looks = last_looks(connection)
        notes += [one.sentence for name in (a, b) if (one := looks.get(name))]
    both = BothMeasured(measured_a, measured_b)
    rule = _Rule(margin_points / 100, there, why_invalid(sides, max_error_percent))
    overall, categories = _compare_categories(common, both, rule)
    scored = {key for key in common if both.is_scored(key)}
    return Comparison(
        a=sides[0],
        b=sides[1],
        judge=first.judge,
        question_protocol=first.question_protocol,
        margin_points=margin_points,
        overall=overall,
        categories=categories,
        flips=tuple(one for one in flips if (one.conversation, one.question_index) in scored),
        interval_contains=contained(overall.paired, overall.noise.a, overall.noise.b),
        notes=(*notes, *side_notes(*sides), *measured_a.notes(), *measured_b.notes()),
    )


def _without_lone_adversarial(
    first: Series,
    questions_a: dict[Question, Mapping[str, Any]],
    second: Series,
    questions_b: dict[Question, Mapping[str, Any]],
) -> list[str]:
    """Drops category 5 where only one side was asked it; it is not part of the score."""
    asked = [
        [key for key, row in questions.items() if row["category"] == ADVERSARIAL]
        for questions in (questions_a, questions_b)
    ]
    if bool(asked[0]) == bool(asked[1]):
        return []
    with_it, questions, keys = (
        (first, questions_a, asked[0]) if asked[0] else (second, questions_b, asked[1])
    )
    for key in keys:
        del questions[key]
    return [f"category 5 (adversarial) is left out: only {with_it.release} was asked it"]


def _refuse_other_questions(
    first: Series,
    questions_a: Mapping[Question, object],
    second: Series,
    questions_b: Mapping[Question, object],
    common: Sequence[Question],
) -> None:
    if len(common) == len(questions_a) == len(questions_b):
        return
    raise NotComparableError(
        f"releases {first.release} and {second.release} were asked different questions: "
        f"{len(questions_a) - len(common)} only {first.release}, "
        f"{len(questions_b) - len(common)} only {second.release}, {len(common)} both; "
        + (
            "--intersection compares the common ones"
            if common
            else "measure one of them on the other's questions"
        )
    )


class _Rule(NamedTuple):
    """What a decision goes by: the margin, how many conversations there are, why it is invalid."""

    margin: float
    conversations_there: int
    invalid: str | None


def _compare_categories(
    common: Sequence[Question], both: BothMeasured, rule: _Rule
) -> tuple[CategoryComparison, tuple[CategoryComparison, ...]]:
    category_of = {key: both.a.questions[key]["category"] for key in common}

    def compared(
        category: int | None, part: Part, evidence: Sequence[Evidence]
    ) -> CategoryComparison:
        decision = decide(
            evidence[0],
            evidence[1:],
            margin=rule.margin,
            unanswered=part.unanswered,
            conversations_there=rule.conversations_there,
        )
        return CategoryComparison(
            category=category,
            name=OFFICIAL_NAMES[category] if category else "all scored",
            vendor_name=VENDOR_NAMES[category] if category else "overall",
            paired=evidence[0].paired,
            p_holm=evidence[0].p_values.differs if category else None,
            noise=part.noise,
            bounds=part.bounds(),
            verdict=Decision(Conclusion.INVALID, rule.invalid) if rule.invalid else decision,
        )

    whole = part_of([key for key in common if category_of[key] != ADVERSARIAL], both, rule.margin)
    numbers = sorted({category_of[key] for key in common if both.is_scored(key)})
    parts = [
        part_of([key for key in common if category_of[key] == one], both, rule.margin)
        for one in numbers
    ]
    adjusted = adjust_by_holm([part.evidence for part in parts])
    return compared(None, whole, whole.evidence), tuple(
        compared(category, part, evidence)
        for category, part, evidence in zip(numbers, parts, adjusted, strict=True)
    )
